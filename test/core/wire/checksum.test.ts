import fc from "fast-check";
import t from "tap";
import { putU16, u16, u32 } from "../../../core/wire/bytes.ts";
import {
  adjust,
  adjustPartial,
  adjustUdp,
  difference16,
  difference32,
  fold,
  pseudoHeaderSum,
  sumIn,
  sumOf,
} from "../../../core/wire/checksum.ts";
import { ones } from "../../packets.ts";

const viewOf = (data: Uint8Array) => new DataView(data.buffer, data.byteOffset, data.byteLength);
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
/** Zero and all ones are where ones' complement has its corners. */
const word = fc.oneof(fc.nat(0xffff), fc.constantFrom(0, 1, 0xfffe, 0xffff));

t.test("RFC 1071's own example sums to ddf2", async (t) => {
  const example = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  t.equal(sumOf(example, 0, 8), 0xddf2);
});

t.test("RFC 1624's own example: equation 3 gives 0000, where equation 2 gave ffff", async (t) => {
  const field = Uint8Array.of(0xdd, 0x2f);
  adjust(viewOf(field), 0, difference16(0x5555, 0x3285));
  t.equal(u16(field, 0), 0x0000);
});

t.test("a sum is that of an independent routine: any length, odd or even, any offset, any start", async () => {
  fc.assert(
    fc.property(bytes(600), fc.nat(20), word, (data, skip, start) => {
      const at = Math.min(skip, data.length);
      const before = Uint8Array.of(start >> 8, start & 255);
      const expected = ones(Uint8Array.of(...before, ...data.subarray(at)));
      const both = [sumOf(data, at, data.length, start), sumIn(viewOf(data), at, data.length, start)];
      return both.every((sum) => sum === expected);
    }),
  );
});

t.test("every length from 0 to 300 sums right", async (t) => {
  const data = Uint8Array.from({ length: 300 }, (_, i) => (i * 167 + 13) & 255);
  const wrong = Array.from({ length: 301 }, (_, n) => n).filter((n) => sumOf(data, 0, n) !== ones(data.subarray(0, n)));
  t.same(wrong, []);
});

t.test("the sum of 65,535 bytes of ones keeps all its carries", async (t) => {
  const data = new Uint8Array(65_535).fill(0xff);
  t.equal(sumOf(data, 0, data.length), ones(data));
  t.equal(sumIn(viewOf(data), 0, data.length), ones(data));
});

interface Change {
  readonly at: number;
  readonly wide: boolean;
  readonly to: number;
}

/** Makes `change` somewhere behind the checksum; returns the difference. */
function made(data: Uint8Array, { at, wide, to }: Change): number {
  const view = new DataView(data.buffer);
  const place = 2 + (at % ((data.length - (wide ? 4 : 2)) / 2)) * 2;
  const difference = wide ? difference32(u32(data, place), to) : difference16(u16(data, place), to & 0xffff);
  if (wide) view.setUint32(place, to);
  else view.setUint16(place, to & 0xffff);
  return difference;
}

t.test("an incremental update is a full recomputation: words and double words changed anywhere", async () => {
  const to = fc.tuple(word, word).map(([high, low]) => high * 0x10000 + low);
  const change = fc.record({ at: fc.nat(), wide: fc.boolean(), to });
  fc.assert(
    fc.property(bytes(200), fc.array(change, { minLength: 1, maxLength: 6 }), (random, changes) => {
      // An IP packet is never all zeros: the last word keeps it from that.
      const data = Uint8Array.of(0, 0, 0, 0, 0, 0, ...random, ...(random.length % 2 ? [0] : []), 1, 1);
      putU16(data, 0, 0xffff - ones(data));
      const changing = data.subarray(0, -2);
      let difference = 0;
      for (const one of changes) difference += made(changing, one);
      adjust(viewOf(data), 0, difference);
      const found = u16(data, 0);
      putU16(data, 0, 0);
      return found === 0xffff - ones(data);
    }),
    { numRuns: 1000 },
  );
});

t.test("a signed difference is the same as an unsigned one", async (t) => {
  t.equal(fold(difference32(0xc0000201 | 0, 0xcb00710a | 0)), fold(difference32(0xc0000201, 0xcb00710a)));
});

t.test("a damaged checksum stays damaged by as much", async () => {
  fc.assert(
    fc.property(word, word, fc.integer({ min: 1, max: 0xfffe }), (from, to, damage) => {
      const data = new Uint8Array(6);
      putU16(data, 2, from);
      putU16(data, 4, 0x1234);
      putU16(data, 0, fold(0xffff - ones(data) + damage));
      adjust(viewOf(data), 0, difference16(from, to));
      putU16(data, 2, to);
      return ones(data) !== 0xffff;
    }),
  );
});

t.test("UDP: no checksum stays none", async (t) => {
  const field = Uint8Array.of(0, 0);
  adjustUdp(viewOf(field), 0, difference16(1, 2));
  t.equal(u16(field, 0), 0);
});

t.test("UDP: a checksum that comes to zero is sent as all ones", async () => {
  fc.assert(
    fc.property(word, fc.integer({ min: 1, max: 0xffff }), (from, checksum) => {
      // `to` is what brings the checksum to zero.
      const to = fold(fold((checksum & 0xffff) + from));
      const field = Uint8Array.of(checksum >> 8, checksum & 255);
      adjustUdp(viewOf(field), 0, difference16(from, to));
      return u16(field, 0) === 0xffff;
    }),
  );
});

t.test("a partial checksum follows the pseudo-header, of either family, without complement", async () => {
  const side = fc.constantFrom(4, 16);
  fc.assert(
    fc.property(side, bytes(64), bytes(64), fc.nat(255), fc.nat(0xffff), (size, one, other, protocol, length) => {
      const at = (random: Uint8Array) => Uint8Array.from({ length: size * 2 }, (_, i) => random[i] ?? i + 1);
      const before = at(one);
      const after = at(other);
      const field = new Uint8Array(2);
      putU16(field, 0, pseudoHeaderSum(before, 0, size * 2, protocol, length));
      let difference = 0;
      for (let i = 0; i < size * 2; i += 4) difference += difference32(u32(before, i), u32(after, i));
      adjustPartial(viewOf(field), 0, difference);
      const expected = ones(Uint8Array.of(...after, 0, protocol, length >> 8, length & 255));
      return u16(field, 0) === expected;
    }),
  );
});
