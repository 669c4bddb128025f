import fc from "fast-check";
import t from "tap";
import { ms } from "../../../core/units.ts";
import { type Fragment, Fragments } from "../../../core/wire/fragments.ts";

const NOW = ms(0);
const UDP = 17;

const piece = (key: string, offset: number, last: boolean, family: 4 | 6 = 4): Fragment => ({
  key,
  family,
  offset,
  last,
  protocol: UDP,
});
const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte);

t.test("fragments in any order, with repetitions, make the datagram, at the last one needed", async () => {
  const cut = fc.record({
    units: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 8 }),
    tail: fc.integer({ min: 1, max: 8 }),
    seed: fc.array(fc.nat(), { minLength: 24, maxLength: 24 }),
    family: fc.constantFrom<4 | 6>(4, 6),
  });
  fc.assert(
    fc.property(cut, ({ units, tail, seed, family }) => {
      const total = (units.slice(0, -1).reduce((sum, n) => sum + n, 0) << 3) + tail;
      const whole = Uint8Array.from({ length: total }, (_, i) => (i * 31) & 255);
      let at = 0;
      const parts = units.map((n, i) => {
        const offset = at;
        const last = i === units.length - 1;
        at += last ? tail : n << 3;
        return { fragment: piece("a", offset, last, family), bytes: whole.subarray(offset, at) };
      });
      const shuffled = [...parts, parts[0]!].map((part, i) => ({ part, order: seed[i]! }));
      shuffled.sort((one, another) => one.order - another.order);
      const fragments = new Fragments();
      const results = shuffled.map(({ part }) => fragments.add(part.fragment, part.bytes, NOW));
      const made = results.filter((result) => result !== null);
      return made.length === 1 && Buffer.compare(made[0]!.payload, whole) === 0 && made[0]!.protocol === UDP;
    }),
  );
});

t.test("where IPv4 fragments overlap the bytes that came first win", async (t) => {
  const fragments = new Fragments();
  t.equal(fragments.add(piece("a", 8, false), filled(8, 1), NOW), null);
  t.equal(fragments.add(piece("a", 0, false), filled(16, 2), NOW), null);
  const whole = fragments.add(piece("a", 8, true), filled(16, 3), NOW);
  t.same([...whole!.payload], [...filled(8, 2), ...filled(8, 1), ...filled(8, 3)]);
});

t.test(
  "an IPv6 datagram with overlapping fragments is discarded, an exact repetition is none (RFC 5722)",
  async (t) => {
    const fragments = new Fragments();
    fragments.add(piece("a", 0, false, 6), filled(16, 1), NOW);
    fragments.add(piece("a", 0, false, 6), filled(16, 1), NOW);
    t.equal(fragments.dropped, 0);
    fragments.add(piece("a", 8, true, 6), filled(16, 2), NOW);
    t.equal(fragments.dropped, 1);
  },
);

const contradictions: [why: string, ...parts: [offset: number, last: boolean, length: number][]][] = [
  ["two ends", [8, true, 8], [16, true, 8]],
  ["a fragment behind the end", [8, true, 8], [24, false, 8]],
  ["an end before what is there", [24, false, 8], [0, true, 8]],
];
for (const [why, ...parts] of contradictions) {
  t.test(`${why}: the datagram is given up`, async (t) => {
    const fragments = new Fragments();
    for (const [offset, last, length] of parts) {
      t.equal(fragments.add(piece("a", offset, last), filled(length, 1), NOW), null);
    }
    t.equal(fragments.dropped, 1);
  });
}

t.test("fragments that no datagram can have are ignored", async (t) => {
  const fragments = new Fragments();
  t.equal(fragments.add(piece("a", 0, false), filled(7, 1), NOW), null, "not a multiple of eight");
  t.equal(fragments.add(piece("a", 0, false), filled(0, 1), NOW), null, "empty");
  t.equal(fragments.add(piece("a", 65_528, true), filled(16, 1), NOW), null, "beyond the longest datagram");
  t.equal(fragments.dropped, 0);
});

t.test("after a minute the others are not waited for", async (t) => {
  const fragments = new Fragments();
  fragments.add(piece("a", 0, false), filled(8, 1), NOW);
  t.equal(fragments.add(piece("a", 8, true), filled(8, 2), ms(60_001)), null);
  t.equal(fragments.dropped, 1);
});

t.test("memory is bounded: the oldest datagram gives way", async (t) => {
  const fragments = new Fragments({ datagrams: 2, bytes: 1 << 20 });
  for (const key of ["a", "b", "c"]) fragments.add(piece(key, 0, false), filled(8, 1), NOW);
  t.equal(fragments.dropped, 1);
  t.equal(fragments.add(piece("a", 8, true), filled(8, 2), NOW), null, "a was the oldest");
  t.ok(fragments.add(piece("c", 8, true), filled(8, 2), NOW), "c is still there");

  const small = new Fragments({ datagrams: 100, bytes: 4096 });
  for (let key = 0; key < 50; key++) small.add(piece(String(key), 1024, false), filled(8, 1), NOW);
  t.ok(small.dropped > 40);
});
