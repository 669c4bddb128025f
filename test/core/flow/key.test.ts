import fc from "fast-check";
import t from "tap";
import { hashKey, IPV6, KEY, KIND, reverseKey } from "../../../core/flow/key.ts";

const M = 0xffffffffn;
const rotate = (x: bigint, by: bigint) => ((x << by) | (x >> (32n - by))) & M;

/** HalfSipHash-1-3 as its paper draws it, in big integers, over whole words. */
function halfSipHash(k0: number, k1: number, words: readonly number[]): number {
  const unsigned = (n: number) => BigInt(n >>> 0);
  const v = [unsigned(k0), unsigned(k1), 0x6c796765n ^ unsigned(k0), 0x74656462n ^ unsigned(k1)];
  const half = (a: number, b: number, one: bigint, other: bigint) => {
    v[a] = (v[a]! + v[b]!) & M;
    v[b] = rotate(v[b]!, one) ^ v[a]!;
    v[a] = other === 0n ? v[a]! : rotate(v[a]!, other);
  };
  const round = () => {
    half(0, 1, 5n, 16n);
    half(2, 3, 8n, 0n);
    half(0, 3, 7n, 0n);
    half(2, 1, 13n, 16n);
  };
  for (const word of words) {
    v[3]! ^= unsigned(word);
    round();
    v[0]! ^= unsigned(word);
  }
  v[2]! ^= 0xffn;
  round();
  round();
  round();
  return Number(v[1]! ^ v[3]!);
}

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const key = fc.array(word, { minLength: KEY - 1, maxLength: KEY - 1 });

t.test(
  "the hash of an IPv6 key is HalfSipHash-1-3 of its addresses and ports, of an IPv4 key that of their last three words",
  async () => {
    fc.assert(
      fc.property(word, word, key, fc.boolean(), (k0, k1, words, v6) => {
        const keys = Int32Array.of(7, ...words, v6 ? IPV6 | 6 : 6, 7);
        const hashed = [...keys.subarray(v6 ? 1 : 7, KEY)];
        return hashKey(k0, k1, keys, 1) >>> 0 === halfSipHash(k0, k1, hashed);
      }),
    );
  },
);

t.test("another seed gives other hashes, and keys that collide under one do not under another", async (t) => {
  const keys = (n: number) => Int32Array.of(0, 0, 0, 0, 0, 0, n, 1, 2, 6);
  const under = (k0: number) => Array.from({ length: 4096 }, (_, n) => hashKey(k0, 5, keys(n), 0) & 1023);
  const one = under(1);
  const colliding = one.flatMap((hash, n) => (hash === one[0] ? [n] : []));
  const other = under(2);
  t.ok(colliding.length > 1);
  t.ok(new Set(colliding.map((n) => other[n])).size > 1);
});

t.test("addresses that follow one another fill the buckets as chance would", async (t) => {
  const BUCKETS = 1024;
  const filled = new Uint32Array(BUCKETS);
  for (let n = 0; n < BUCKETS * 64; n++) {
    filled[hashKey(123, 456, Int32Array.of(0, 0, 0, 0, 0, 0, n, 1, 2, 6), 0) & (BUCKETS - 1)]!++;
  }
  // Poisson with mean 64: six standard deviations either way.
  t.ok(Math.min(...filled) > 16, `${Math.min(...filled)}`);
  t.ok(Math.max(...filled) < 112, `${Math.max(...filled)}`);
});

t.test("the key of the other way, and back again", async () => {
  fc.assert(
    fc.property(key, (words) => {
      const there = Int32Array.of(...words, IPV6 | 17);
      const back = new Int32Array(KEY);
      reverseKey(there, 0, back, 0);
      const swapped = [3, 4, 5, 0, 1, 2, 7, 6].every((from, to) => back[to] === there[from]);
      const again = new Int32Array(KEY);
      reverseKey(back, 0, again, 0);
      return swapped && back[KIND] === there[KIND] && again.every((word, i) => word === there[i]);
    }),
  );
});
