/**
 * Related entries in numbers: eight words a row, so that to keep, to count and to look for them touches a cache line or
 * two, and no objects. Rows are numbered from 1; those that were freed are used again, the last freed first.
 */

/** Its control connection's slot. */
export const OWNER = 0;
/** Ports and ways in one small number: who differs in it is another. */
export const ENDS = 1;
/** Among the entries of its control connection. */
export const OLDER = 2;
export const NEWER = 3;
/** The next row of the same chain, by owner and ends, and by place; of a free row, the next free one. */
export const SAME_ENDS = 4;
export const SAME_PLACE = 5;
/** Where it can be met: `placeOf`, 0 while it is not in place, and the hash of the end (placed.ts). */
export const PLACE = 6;
export const END = 7;
export const ROW_SHIFT = 3;

const SMALLEST = 16;

/** Twice as long, what was in it first. */
function doubled<T extends Int32Array | Float64Array>(column: T, larger: T): T {
  larger.set(column);
  return larger;
}

export class RelatedRows<T> {
  words = new Int32Array(SMALLEST << ROW_SHIFT);
  expires = new Float64Array(SMALLEST);
  readonly entries: (T | null)[] = [null];
  size = 0;
  #free = 0;

  /** Rows that there is room for. */
  get capacity(): number {
    return this.expires.length;
  }

  /** No row is free, and the next one lies beyond what there is room for. */
  get full(): boolean {
    return this.#free === 0 && this.entries.length >= this.capacity;
  }

  grow(): void {
    this.words = doubled(this.words, new Int32Array(this.words.length * 2));
    this.expires = doubled(this.expires, new Float64Array(this.capacity * 2));
  }

  /** A row for `entry`; the columns must not be full. */
  add(entry: T, expires: number): number {
    let row = this.#free;
    if (row === 0) row = this.entries.length;
    else this.#free = this.words[(row << ROW_SHIFT) + SAME_ENDS]!;
    this.entries[row] = entry;
    this.expires[row] = expires;
    this.size++;
    return row;
  }

  remove(row: number): void {
    this.entries[row] = null;
    this.words[(row << ROW_SHIFT) + SAME_ENDS] = this.#free;
    this.#free = row;
    this.size--;
  }
}
