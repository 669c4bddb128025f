/** Control connections that have related entries: whose they are, and their entries, the oldest first. */
import { NEWER, OLDER, OWNER, type RelatedRows, ROW_SHIFT } from "./related-rows.ts";
import { generationOf, type Handle, slotOf } from "./slots.ts";

const OLDEST = 0;
const NEWEST = 1;
const COUNT = 2;
const CLIENT = 3;
const GENERATION = 4;
const SHIFT = 3;
const SMALLEST = 16;

export class Owners {
  readonly #rows: RelatedRows;
  /** By the slot of the control connection. */
  #words = new Int32Array(SMALLEST << SHIFT);
  readonly #clients = new Clients();

  constructor(rows: RelatedRows) {
    this.#rows = rows;
  }

  /** Entries of the control connection with this slot; 0 also where there is none. */
  count(slot: number): number {
    return this.#words[(slot << SHIFT) + COUNT] ?? 0;
  }

  /** Clients that have entries. */
  get clients(): number {
    return this.#clients.size;
  }

  oldest(slot: number): number {
    return this.#words[(slot << SHIFT) + OLDEST]!;
  }

  /** Whether it is `master` that has the entries of its slot, and not one that had the slot before. */
  isOf(master: Handle): boolean {
    return this.#words[(slotOf(master) << SHIFT) + GENERATION] === generationOf(master);
  }

  /** Entries that the client of this control connection has, on all of its own. `name` is asked for where it has none. */
  ofClient(slot: number, name: { toString(): string }): number {
    if (this.count(slot) > 0) return this.#clients.counts[this.#words[(slot << SHIFT) + CLIENT]!]!;
    return this.#clients.count(name.toString());
  }

  /** `row` is the newest entry of `master`. */
  add(row: number, master: Handle, name: { toString(): string }): void {
    const slot = slotOf(master);
    const at = slot << SHIFT;
    this.#reach(slot);
    const owners = this.#words;
    const { words } = this.#rows;
    const newest = owners[at + COUNT] === 0 ? 0 : owners[at + NEWEST]!;
    if (newest === 0) {
      owners[at + OLDEST] = row;
      owners[at + CLIENT] = this.#clients.numberOf(name.toString());
      owners[at + GENERATION] = generationOf(master);
    } else words[(newest << ROW_SHIFT) + NEWER] = row;
    words[(row << ROW_SHIFT) + OWNER] = slot;
    words[(row << ROW_SHIFT) + OLDER] = newest;
    words[(row << ROW_SHIFT) + NEWER] = 0;
    owners[at + NEWEST] = row;
    owners[at + COUNT]!++;
    this.#clients.counts[owners[at + CLIENT]!]!++;
  }

  remove(row: number): void {
    const { words } = this.#rows;
    const owners = this.#words;
    const at = words[(row << ROW_SHIFT) + OWNER]! << SHIFT;
    const older = words[(row << ROW_SHIFT) + OLDER]!;
    const newer = words[(row << ROW_SHIFT) + NEWER]!;
    if (older === 0) owners[at + OLDEST] = newer;
    else words[(older << ROW_SHIFT) + NEWER] = newer;
    if (newer === 0) owners[at + NEWEST] = older;
    else words[(newer << ROW_SHIFT) + OLDER] = older;
    owners[at + COUNT]!--;
    this.#clients.leave(owners[at + CLIENT]!);
  }

  #reach(slot: number): void {
    let { length } = this.#words;
    while (slot << SHIFT >= length) length *= 2;
    if (length === this.#words.length) return;
    const larger = new Int32Array(length);
    larger.set(this.#words);
    this.#words = larger;
  }
}

/** Clients by number, as long as they have entries. */
class Clients {
  counts = new Int32Array(SMALLEST);
  readonly #numbers = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#numbers.size;
  }

  count(name: string): number {
    const number = this.#numbers.get(name);
    return number === undefined ? 0 : this.counts[number]!;
  }

  numberOf(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const number = this.#free.pop() ?? this.#names.length;
    if (number >= this.counts.length) {
      const larger = new Int32Array(this.counts.length * 2);
      larger.set(this.counts);
      this.counts = larger;
    }
    this.#names[number] = name;
    this.#numbers.set(name, number);
    return number;
  }

  /** One entry fewer. Who has none is forgotten. */
  leave(number: number): void {
    if (--this.counts[number]! > 0) return;
    this.#numbers.delete(this.#names[number]!);
    this.#free.push(number);
  }
}
