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

  /** `seen`: what another had seen, `count` inputs; `DISTINCT_BYTES` of them. */
  constructor(seen: ArrayBufferLike = new ArrayBuffer(DISTINCT_BYTES), count = 0) {
    this.#seen = new Int32Array(seen);
    this.count = count;
  }

  add(bytes: Uint8Array, length: number): void {
    // FNV-1a, mixed.
    let hash = 0x811c9dc5;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    hash = (hash ^ (hash >>> 13)) >>> (32 - BITS);
    const word = hash >>> 5;
    const bit = 1 << (hash & 31);
    const seen = this.#seen[word]!;
    if ((seen & bit) !== 0) return;
    this.#seen[word] = seen | bit;
    this.count++;
  }
}
