import fc from "fast-check";
import t from "tap";
import { sameShift, shiftSegment } from "../../../../core/engine/control/shift.ts";
import { putU16 } from "../../../../core/wire/bytes.ts";
import { pseudoHeaderSum, sumOf } from "../../../../core/wire/checksum.ts";
import { ACK, decode, encode, sumsUp } from "./wire.ts";

const ADDRESSES = Uint8Array.of(10, 0, 0, 5, 192, 168, 0, 2);

/** With a right checksum. */
function summed(segment: Uint8Array): Uint8Array {
  const whole = segment.slice();
  putU16(whole, 16, 0);
  putU16(whole, 16, ~sumOf(whole, 0, whole.length, pseudoHeaderSum(ADDRESSES, 0, 8, 6, whole.length)));
  return whole;
}

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const plus = (number: number, by: number): number => (number + by) >>> 0;

t.test("property: numbers and SACK edges are shifted, wherever they stand, and the checksum stays right", async (t) => {
  const segments = fc.record({
    sequence: u32,
    acknowledgment: u32,
    sack: fc.array(fc.tuple(u32, u32), { maxLength: 3 }),
    timestamps: fc.option(fc.tuple(u32, u32)),
    scale: fc.option(fc.nat(14)),
    payload: fc.uint8Array({ maxLength: 9 }),
  });
  const shifts = fc.record({
    sequence: fc.integer({ min: -70_000, max: 70_000 }),
    acknowledgment: fc.integer({ min: -70_000, max: 70_000 }),
  });
  fc.assert(
    fc.property(segments, shifts, (header, shift) => {
      // Ten bytes of timestamps and three of a window scale: SACK edges stand at odd places, too.
      const { sack, timestamps, scale } = header;
      fc.pre(sack.length * 8 + (timestamps === null ? 0 : 10) + (scale === null ? 0 : 3) + 2 <= 40);
      const bytes = summed(encode({ ...header, flags: ACK }));
      const before = decode(bytes.slice());
      shiftSegment(bytes, 0, shift, false);
      t.ok(sumsUp(ADDRESSES, bytes));
      const { payload, ...after } = decode(bytes);
      t.same(Buffer.from(payload), Buffer.from(header.payload));
      const { payload: _, ...expected } = {
        ...before,
        sequence: plus(before.sequence, shift.sequence),
        acknowledgment: plus(before.acknowledgment, shift.acknowledgment),
        sack: sack.map(([left, right]) => [plus(left, shift.acknowledgment), plus(right, shift.acknowledgment)]),
      };
      t.same(after, expected);
    }),
    { numRuns: 300 },
  );
});

t.test("a partial checksum does not cover them", async (t) => {
  const bytes = encode({ sequence: 5, acknowledgment: 9 });
  bytes[16] = 0x12;
  bytes[17] = 0x34;
  shiftSegment(bytes, 0, { sequence: 3, acknowledgment: -2 }, true);
  t.match(decode(bytes), { sequence: 8, acknowledgment: 7 });
  t.same([...bytes.subarray(16, 18)], [0x12, 0x34]);
});

t.test("what acknowledges nothing keeps its acknowledgment number", async (t) => {
  const bytes = summed(encode({ sequence: 5, acknowledgment: 0, flags: 4 }));
  shiftSegment(bytes, 0, { sequence: 1, acknowledgment: 1 }, false);
  t.match(decode(bytes), { sequence: 6, acknowledgment: 0 });
  t.ok(sumsUp(ADDRESSES, bytes));
});

t.test("a malformed SACK option keeps its bytes", async (t) => {
  const bytes = encode({ sack: [[1, 2]] });
  bytes[21] = 200;
  const before = bytes.slice(20);
  shiftSegment(bytes, 0, { sequence: 1, acknowledgment: 1 }, false);
  t.same(bytes.subarray(20), before);
});

t.test("whether anything changes at all", async (t) => {
  t.ok(sameShift({ sequence: 0, acknowledgment: 0 }));
  t.notOk(sameShift({ sequence: 0, acknowledgment: 1 }));
  t.notOk(sameShift({ sequence: 1, acknowledgment: 0 }));
});
