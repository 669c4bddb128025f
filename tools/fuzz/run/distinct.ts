/**
 * Counts distinct inputs, at least: one bit for each of 2^30 hashes. Two inputs with one hash count as one, so that the
 * count is a little too low and never too high.
 */
import { i32le } from "../../../core/wire/bytes.ts";

const BITS = 30;
export const DISTINCT_BYTES = 2 ** (BITS - 3);

export class Distinct {
  /** Distinct inputs. */
  count: number;
  readonly #seen: Int32Array;
  #hashes = new Uint32Array(0);
  #words = new Int32Array(0);

  /** `seen`: what another had seen, `count` inputs; `DISTINCT_BYTES` of them. */
  constructor(seen: ArrayBufferLike = new ArrayBuffer(DISTINCT_BYTES), count = 0) {
    this.#seen = new Int32Array(seen);
    this.count = count;
  }

  add(bytes: Uint8Array, length: number): void {
    this.#note(hashOf(bytes, 0, length));
  }

  /** `count` inputs, one behind the other: `ends` says where each of them ends. The places of many are looked for at once. */
  addAll(bytes: Uint8Array, ends: Int32Array, count: number): void {
    if (this.#hashes.length < count) {
      this.#hashes = new Uint32Array(count);
      this.#words = new Int32Array(count);
    }
    for (let i = 0; i < count; i++) this.#hashes[i] = hashOf(bytes, i === 0 ? 0 : ends[i - 1]!, ends[i]!);
    // All places are looked at before any is written to: the processor waits for many of them at a time.
    for (let i = 0; i < count; i++) this.#words[i] = this.#seen[this.#hashes[i]! >>> 5]!;
    for (let i = 0; i < count; i++) if ((this.#words[i]! & bitOf(this.#hashes[i]!)) === 0) this.#note(this.#hashes[i]!);
  }

  #note(hash: number): void {
    const word = hash >>> 5;
    const bit = bitOf(hash);
    const seen = this.#seen[word]!;
    if ((seen & bit) !== 0) return;
    this.#seen[word] = seen | bit;
    this.count++;
  }
}

/** In its word. */
const bitOf = (hash: number): number => 1 << (hash & 31);

/** MurmurHash3, by Austin Appleby: word by word, and what is left byte by byte. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0;
  let at = start;
  for (; at + 4 <= end; at += 4) hash = mixed(hash, i32le(bytes, at));
  for (; at < end; at++) hash = mixed(hash, bytes[at]!);
  hash ^= end - start;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> (32 - BITS);
}

function mixed(hash: number, word: number): number {
  const product = Math.imul(word, 0xcc9e2d51);
  const key = hash ^ Math.imul((product << 15) | (product >>> 17), 0x1b873593);
  return (Math.imul((key << 13) | (key >>> 19), 5) + 0xe6546b64) | 0;
}
