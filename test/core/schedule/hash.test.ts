import t from "tap";
import { hashAddress, hashText, hashWord, mix } from "../../../core/schedule/hash.ts";
import { Address } from "../../../core/wire/address.ts";

// Published vectors of MurmurHash3_x86_32; every length of tail is among them.
const vectors: [text: string, seed: number, hash: number][] = [
  ["", 0, 0],
  ["", 1, 0x514e28b7],
  ["", 0xffffffff, 0x81f16f39],
  ["\0\0\0\0", 0, 0x2362f9de],
  ["a", 0x9747b28c, 0x7fa09ea6],
  ["aa", 0x9747b28c, 0x5d211726],
  ["aaa", 0x9747b28c, 0x283e0130],
  ["aaaa", 0x9747b28c, 0x5a97808a],
  ["abc", 0, 0xb3dd93fa],
  ["Hello, world!", 0x9747b28c, 0x24884cba],
  ["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
  ["\xff\xff\xff\xff", 0, 0x76293b50],
  ["\x21\x43\x65\x87", 0x5082edee, 0x2362f9de],
];
for (const [text, seed, hash] of vectors) {
  t.test(`${JSON.stringify(text)} with seed ${seed} hashes to its published value`, async (t) => {
    t.equal(hashText(seed, text), hash);
  });
}

t.test("words and addresses hash as their bytes do", async (t) => {
  t.equal(hashWord(7, 0x64636261), hashText(7, "abcd"));
  t.equal(hashWord(7, 0xfffefdfc), hashText(7, "\xfc\xfd\xfe\xff"));
  const address = Address.ipv6(0x64636261, 0x68676665, 0x6c6b6a69, 0x706f6e6d);
  t.equal(hashAddress(7, address), hashText(7, "abcdefghijklmnop"));
});

t.test("one changed bit changes about half of the result's bits", async (t) => {
  const changed = new Array<number>(32).fill(0);
  const trials = 4000;
  for (let n = 0; n < trials; n++) {
    const difference = mix(n) ^ mix(n ^ (1 << (n & 31)));
    for (let bit = 0; bit < 32; bit++) changed[bit]! += (difference >>> bit) & 1;
  }
  for (const count of changed) t.ok(Math.abs(count / trials - 0.5) < 0.05, `${count} of ${trials}`);
});
