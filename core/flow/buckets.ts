/**
 * The hash index of the connection table: open addressing, linear probing, eight bytes a slot (the hash, and the entry's
 * id). Each entry stands in it twice, under the hash of either direction.
 *
 * It grows without a pause: when it is five eighths full, a table twice as large takes its place, and each insertion
 * moves a few slots over from the old one. A lookup tries the new, then the old. In the old one nothing is inserted any
 * more, and what leaves it leaves a MOVED mark, so that probing goes on past it.
 */
import { directionOf, NEITHER } from "./rows.ts";

const NONE = 0;
const MOVED = -1;
/** Slots moved with each insertion. The new table is five eighths full again after many more insertions than it takes. */
const MOVES = 8;
const SMALLEST = 1024;
const NOTHING = new Int32Array(2);

export class Buckets {
  readonly #rows: Int32Array;
  readonly #prefixes: Int32Array;
  #slots = new Int32Array(SMALLEST * 2);
  #old = NOTHING;
  /** Slots of the old table before this one have been moved. */
  #cursor = 0;
  /** Of both tables. */
  #used = 0;

  constructor(rows: Int32Array, prefixes: Int32Array) {
    this.#rows = rows;
    this.#prefixes = prefixes;
  }

  /** Both tables, in bytes. */
  get byteLength(): number {
    return this.#slots.byteLength + (this.growing ? this.#old.byteLength : 0);
  }

  /** Whether a larger table is being filled now. */
  get growing(): boolean {
    return this.#old !== NOTHING;
  }

  /** The entry of the packet with this key, `id << 1 | direction`; 0: none. */
  find(keys: Int32Array, at: number, hash: number): number {
    // Nearly always its home slot has it.
    const id = this.peek(hash);
    if (id > NONE) {
      const direction = directionOf(this.#rows, this.#prefixes, id, keys, at);
      if (direction !== NEITHER) return (id << 1) | direction;
    }
    const found = this.#probe(this.#slots, keys, at, hash);
    return found !== NONE || this.#old === NOTHING ? found : this.#probe(this.#old, keys, at, hash);
  }

  /** The id that `find` will look at first, or 0: brings the slot into the cache. */
  peek(hash: number): number {
    const slots = this.#slots;
    const slot = (hash << 1) & (slots.length - 1);
    return slots[slot] === hash ? slots[slot + 1]! : NONE;
  }

  #probe(slots: Int32Array, keys: Int32Array, at: number, hash: number): number {
    const last = slots.length - 1;
    for (let slot = (hash << 1) & last; ; slot = (slot + 2) & last) {
      const id = slots[slot + 1]!;
      if (id === NONE) return NONE;
      if (slots[slot] !== hash || id === MOVED) continue;
      const direction = directionOf(this.#rows, this.#prefixes, id, keys, at);
      if (direction !== NEITHER) return (id << 1) | direction;
    }
  }

  insert(hash: number, id: number): void {
    if (++this.#used * 16 > this.#slots.length * 5) this.#grow();
    place(this.#slots, hash, id);
    if (this.#old !== NOTHING) this.#move(MOVES);
  }

  remove(hash: number, id: number): void {
    const slot = slotOf(this.#slots, hash, id);
    if (slot >= 0) close(this.#slots, slot);
    else this.#old[slotOf(this.#old, hash, id) + 1] = MOVED;
    this.#used--;
  }

  #grow(): void {
    // Cannot be needed before the last growth is over; if it were, this would make it so.
    while (this.#old !== NOTHING) this.#move(MOVES);
    this.#old = this.#slots;
    this.#cursor = 0;
    this.#slots = new Int32Array(this.#old.length * 2);
  }

  #move(count: number): void {
    const old = this.#old;
    const end = Math.min(this.#cursor + count * 2, old.length);
    for (let slot = this.#cursor; slot < end; slot += 2) {
      const id = old[slot + 1]!;
      if (id === NONE || id === MOVED) continue;
      place(this.#slots, old[slot]!, id);
      old[slot + 1] = MOVED;
    }
    this.#cursor = end;
    if (end === old.length) this.#old = NOTHING;
  }
}

function place(slots: Int32Array, hash: number, id: number): void {
  const last = slots.length - 1;
  let slot = (hash << 1) & last;
  while (slots[slot + 1] !== NONE) slot = (slot + 2) & last;
  slots[slot] = hash;
  slots[slot + 1] = id;
}

/** -1: not there. */
function slotOf(slots: Int32Array, hash: number, id: number): number {
  const last = slots.length - 1;
  for (let slot = (hash << 1) & last; slots[slot + 1] !== NONE; slot = (slot + 2) & last) {
    if (slots[slot + 1] === id && slots[slot] === hash) return slot;
  }
  return -1;
}

/** Empties `slot` and moves up what stands behind it (Knuth, TAOCP 6.4, algorithm R): no marks are left to slow probing. */
function close(slots: Int32Array, slot: number): void {
  const last = slots.length - 1;
  let hole = slot;
  for (let next = (slot + 2) & last; slots[next + 1] !== NONE; next = (next + 2) & last) {
    const home = (slots[next]! << 1) & last;
    // Stays if its home lies between the hole and itself.
    if (((next - home) & last) < ((next - hole) & last)) continue;
    slots[hole] = slots[next]!;
    slots[hole + 1] = slots[next + 1]!;
    hole = next;
  }
  slots[hole + 1] = NONE;
}
