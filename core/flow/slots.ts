/**
 * Handles that can go stale safely. A handle is a slot's index and the slot's generation; the generation moves on when
 * the slot is freed, so whoever still holds an old handle finds nothing, never somebody else's entry (the class of
 * CVE-2026-31414).
 */
declare const handle: unique symbol;
export type Handle = number & { readonly [handle]: "Handle" };

const INDEX_BITS = 24;
const INDEX_MASK = 2 ** INDEX_BITS - 1;
/** Generations wrap far beyond any life of a process: 2^28 reuses of one slot. */
const GENERATIONS = 2 ** 28;

/** No two handles that are not stale have the same. */
export const slotOf = (handle: Handle): number => handle & INDEX_MASK;

export const generationOf = (handle: Handle): number => (handle / (INDEX_MASK + 1)) | 0;

export class Slots<T> {
  readonly #items: (T | null)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#items.length - this.#free.length;
  }

  add(make: (handle: Handle) => T): T {
    const index = this.#free.pop() ?? this.#items.length;
    if (index > INDEX_MASK) throw new RangeError("more than 16 million entries");
    this.#generations[index] ??= 1;
    const item = make((this.#generations[index] * (INDEX_MASK + 1) + index) as Handle);
    this.#items[index] = item;
    return item;
  }

  /** The item, or null when it is gone (also when its slot has been used again). */
  get(handle: Handle): T | null {
    const index = slotOf(handle);
    return this.#generations[index] === generationOf(handle) ? this.#items[index]! : null;
  }

  /** Whether `item` is there, and is what `handle` is of. */
  holds(handle: Handle, item: T): boolean {
    return this.#items[slotOf(handle)] === item;
  }

  /** Reads what `holds` does. */
  touch(slot: number): number {
    return this.#items[slot] === null ? 1 : 0;
  }

  remove(handle: Handle): T | null {
    const item = this.get(handle);
    if (item === null) return null;
    const index = slotOf(handle);
    this.#items[index] = null;
    this.#generations[index] = (this.#generations[index]! + 1) % GENERATIONS;
    this.#free.push(index);
    return item;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const item of this.#items) if (item !== null) yield item;
  }

  /** Those in slots from `first` on, each with its slot: what was there all the time is met once, whatever changed. */
  *from(first: number): Generator<readonly [slot: number, item: T]> {
    for (let slot = first; slot < this.#items.length; slot++) {
      const item = this.#items[slot] ?? null;
      if (item !== null) yield [slot, item];
    }
  }
}
