/**
 * Rows that are found by a hash: those of one bucket are strung through a word of theirs. What leads to a row, be it the bucket
 * or the row before it, says a few bits of its hash, and whether there is another behind it: hardly a row is read in vain.
 *
 *   31       | 30 24 | 23  0
 *   another    tag     row
 */
import { type RelatedRows, ROW_MASK, ROW_SHIFT } from "./related-rows.ts";

const TAG_MASK = 0x7f << 24;
const ANOTHER = 1 << 31;

export class Chains {
  readonly #rows: RelatedRows;
  readonly #next: number;
  /** What leads to the first row of each bucket; a power of two, twice as many as there may be rows. */
  #heads: Int32Array;

  /** `next`: the word that strings them. */
  constructor(rows: RelatedRows, next: number) {
    this.#rows = rows;
    this.#next = next;
    this.#heads = new Int32Array(2 * rows.capacity);
  }

  /** What leads to the first row of the bucket of this hash; 0: it is empty. */
  head(hash: number): number {
    return this.#heads[hash & (this.#heads.length - 1)]!;
  }

  /** The first row that may have this hash; 0: none has it. */
  first(hash: number): number {
    return this.#like(this.head(hash), hash);
  }

  /** The one behind it. */
  next(row: number, hash: number): number {
    return this.#like(this.#behind(row), hash);
  }

  /** What leads to the row behind this one. */
  #behind(row: number): number {
    return this.#rows.words[(row << ROW_SHIFT) + this.#next]!;
  }

  #like(first: number, hash: number): number {
    let link = first;
    while (((link ^ hash) & TAG_MASK) !== 0) {
      if ((link & ANOTHER) === 0) return 0;
      link = this.#behind(link & ROW_MASK);
    }
    return link & ROW_MASK;
  }

  add(row: number, hash: number): void {
    const bucket = hash & (this.#heads.length - 1);
    const behind = this.#heads[bucket]!;
    this.#rows.words[(row << ROW_SHIFT) + this.#next] = behind;
    this.#heads[bucket] = row | (hash & TAG_MASK) | (behind === 0 ? 0 : ANOTHER);
  }

  remove(row: number, hash: number): void {
    const bucket = hash & (this.#heads.length - 1);
    const behind = this.#behind(row);
    const head = this.#heads[bucket]!;
    if ((head & ROW_MASK) === row) this.#heads[bucket] = behind;
    else {
      const last = this.#cut(head & ROW_MASK, row, behind);
      if (last) this.#heads[bucket] = head & ~ANOTHER;
    }
  }

  /** Takes `row` out behind `first`, which leads to it. True: `first` is the last now. */
  #cut(first: number, row: number, behind: number): boolean {
    const { words } = this.#rows;
    const next = this.#next;
    let earlier = 0;
    let before = first;
    for (let link = this.#behind(before); (link & ROW_MASK) !== row; link = this.#behind(before)) {
      earlier = before;
      before = link & ROW_MASK;
    }
    words[(before << ROW_SHIFT) + next] = behind;
    if (behind !== 0) return false;
    if (earlier !== 0) words[(earlier << ROW_SHIFT) + next]! &= ~ANOTHER;
    return earlier === 0;
  }

  /** As many buckets as befit the rows now, all of them empty: what is there is added anew. */
  clear(): void {
    this.#heads = new Int32Array(2 * this.#rows.capacity);
  }
}
