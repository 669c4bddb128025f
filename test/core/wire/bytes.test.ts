import fc from "fast-check";
import t from "tap";
import { copyBytes, copyWords, part, viewOf } from "../../../core/wire/bytes.ts";

t.test("few bytes and many are copied alike, and nothing beside them", async (t) => {
  for (const length of [0, 1, 96, 97, 1460]) {
    const from = Uint8Array.from({ length: length + 10 }, (_, i) => i & 255);
    const to = new Uint8Array(length + 20);
    t.equal(copyBytes(from, 5, 5 + length, to, 7), 7 + length, "it says where they end");
    t.same(to.subarray(7, 7 + length), from.subarray(5, 5 + length), `${length}`);
    t.ok([...to.subarray(0, 7), ...to.subarray(7 + length)].every((byte) => byte === 0));
  }
});

t.test("property: what is copied by words is what was there, wherever it stands, and nothing beside it", async (t) => {
  const places = fc.record({ from: fc.uint8Array({ maxLength: 90 }), start: fc.nat(20), at: fc.nat(20) });
  fc.assert(
    fc.property(places, ({ from, start, at }) => {
      const first = Math.min(start, from.length);
      const length = from.length - first;
      const to = new Uint8Array(at + length + 9).fill(0xa5);
      t.equal(copyWords(viewOf(from), first, from.length, viewOf(to), at), at + length);
      const beside = new Uint8Array(9).fill(0xa5);
      t.same(to, Uint8Array.of(...new Uint8Array(at).fill(0xa5), ...from.subarray(first), ...beside));
    }),
  );
});

t.test("a part of bytes shares their memory, and the whole of them is themselves", async (t) => {
  const bytes = Uint8Array.of(1, 2, 3, 4);
  t.equal(part(bytes, 0, 4), bytes);
  t.same([...part(bytes, 1, 3)], [2, 3]);
  t.equal(part(bytes, 1, 3).buffer, bytes.buffer);
});
