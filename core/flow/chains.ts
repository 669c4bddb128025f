/** Rows that are found by a hash: those of one bucket are strung through a word of theirs. */
import { type RelatedRows, ROW_SHIFT } from "./related-rows.ts";

export class Chains {
  readonly #rows: RelatedRows;
  readonly #next: number;
  /** The first row of each bucket; a power of two, as many as there may be rows. */
  #heads: Int32Array;

  /** `next`: the word that strings them. */
  constructor(rows: RelatedRows, next: number) {
    this.#rows = rows;
    this.#next = next;
    this.#heads = new Int32Array(rows.capacity);
  }

  /** The first row that may have this hash; 0: none. */
  first(hash: number): number {
    return this.#heads[hash & (this.#heads.length - 1)]!;
  }

  /** The one behind it. */
  next(row: number): number {
    return this.#rows.words[(row << ROW_SHIFT) + this.#next]!;
  }

  add(row: number, hash: number): void {
    const bucket = hash & (this.#heads.length - 1);
    this.#rows.words[(row << ROW_SHIFT) + this.#next] = this.#heads[bucket]!;
    this.#heads[bucket] = row;
  }

  remove(row: number, hash: number): void {
    const { words } = this.#rows;
    const behind = this.next(row);
    let before = this.first(hash);
    if (before === row) {
      this.#heads[hash & (this.#heads.length - 1)] = behind;
      return;
    }
    while (this.next(before) !== row) before = this.next(before);
    words[(before << ROW_SHIFT) + this.#next] = behind;
  }

  /** As many buckets as there may be rows now, all of them empty: what is there is added anew. */
  clear(): void {
    this.#heads = new Int32Array(this.#rows.capacity);
  }
}
