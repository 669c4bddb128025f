/**
 * MurmurHash3_x86_32 (Austin Appleby, public domain): a seeded 32-bit hash for schedulers. Seeded, so that two services,
 * or two lookups of one service, are independent; the same seed gives the same choice on every director and after every
 * restart. It resists accidents, not attackers: who can choose his address can choose his realserver.
 */
import type { Address } from "../wire/address.ts";

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;

const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by));
const scramble = (word: number): number => Math.imul(rotate(Math.imul(word, C1), 15), C2);
const absorb = (hash: number, word: number): number =>
  (Math.imul(rotate(hash ^ scramble(word), 13), 5) + 0xe6546b64) | 0;

/** Every bit of `word` changes every bit of the result with probability one half. A bijection. */
export function mix(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** As over the four little-endian bytes of `word`. */
export const hashWord = (seed: number, word: number): number => mix(absorb(seed, word) ^ 4);

/** As over the sixteen bytes of the address's words, each little-endian. */
export function hashAddress(seed: number, { words: [a, b, c, d] }: Address): number {
  return mix(absorb(absorb(absorb(absorb(seed, a), b), c), d) ^ 16);
}

/** `text` is bytes as text (latin1): one byte a character. */
export function hashText(seed: number, text: string): number {
  let hash = seed;
  let word = 0;
  let at = 0;
  for (; at < text.length; at++) {
    word |= (text.charCodeAt(at) & 0xff) << ((at & 3) * 8);
    if ((at & 3) === 3) {
      hash = absorb(hash, word);
      word = 0;
    }
  }
  // Scrambling a word of zeros gives zero: no tail, no change.
  return mix(hash ^ scramble(word) ^ text.length);
}
