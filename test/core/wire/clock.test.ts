/** Times of pcapng packets, reckoned from the second of the packet before, are what division gives. */
import fc from "fast-check";
import t from "tap";
import { Clock } from "../../../core/wire/capture/interface.ts";

const SECOND = 1_000_000_000n;

/** Counts near one another, as they come, and others. */
const counts = fc.array(
  fc.tuple(fc.constantFrom(0, 1, 0x5f5e1, 0x5f5e2, 0xffffffff), fc.oneof(fc.nat(3_000_000), fc.nat(0xffffffff))),
  { minLength: 1, maxLength: 30 },
);

t.test("property: seconds and nanoseconds are the tick count divided by the resolution", async () => {
  const resolution = fc.constantFrom(1, 10, 1000, 1024, 1_000_000, 1_000_000_000, 2 ** 32);
  fc.assert(
    fc.property(counts, resolution, fc.integer({ min: -5, max: 5 }), (all, ticksPerSecond, offset) => {
      const clock = new Clock(ticksPerSecond, offset);
      return all.every(([upper, lower]) => {
        clock.set(upper, lower);
        const total = (BigInt(upper) << 32n) + BigInt(lower);
        const ticks = total % BigInt(ticksPerSecond);
        const nanoseconds = Number((ticks * SECOND) / BigInt(ticksPerSecond));
        const seconds = Number(total / BigInt(ticksPerSecond)) + offset;
        // Of what is no whole number of ticks a floating-point division may round the last one away.
        return clock.seconds === seconds && Math.abs(clock.nanoseconds - nanoseconds) <= 1;
      });
    }),
  );
});

t.test("a resolution finer than any clock's gives what floating point can hold", async (t) => {
  const clock = new Clock(10 ** 12, 0);
  for (const lower of [5, 6, 5]) {
    clock.set(3, lower);
    t.equal(clock.seconds, 0);
    t.equal(clock.nanoseconds, Math.floor((3 * 2 ** 32 + lower) / 1000));
  }
});
