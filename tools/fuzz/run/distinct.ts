/**
 * Counts distinct inputs, at least: one bit for each of 2^30 hashes. Two inputs with one hash count as one, so that the
 * count is a little too low and never too high.
 */
const BITS = 30;
export const DISTINCT_BYTES = 2 ** (BITS - 3);

export class Distinct {
  /** Distinct inputs. */
  count: number;
  readonly #seen: Int32Array;
  #hashes = new Uint32Array(0);

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
    if (this.#hashes.length < count) this.#hashes = new Uint32Array(count);
    for (let i = 0; i < count; i++) this.#hashes[i] = hashOf(bytes, i === 0 ? 0 : ends[i - 1]!, ends[i]!);
    for (let i = 0; i < count; i++) this.#note(this.#hashes[i]!);
  }

  #note(hash: number): void {
    const word = hash >>> 5;
    const bit = 1 << (hash & 31);
    const seen = this.#seen[word]!;
    if ((seen & bit) !== 0) return;
    this.#seen[word] = seen | bit;
    this.count++;
  }
}

/** FNV-1a, mixed. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> (32 - BITS);
}
