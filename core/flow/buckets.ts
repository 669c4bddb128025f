/**
 * The hash index of the connection table: open addressing, linear probing, four bytes a slot. Each entry stands in it
 * twice, under the hash of either direction.
 *
 *   31 29 | 28 25 | 24                0
 *    tag    away    id << 1 | direction
 *
 * The tag is the upper bits of the hash; `away`, how far from its home the slot is, says where the home is. An entry
 * that has both right has the hash that was looked for but for a few bits, so hardly a row is read in vain, and a slot
 * can move without its hash being read. FAR: further than can be said.
 *
 * It grows without a pause: when it is half full (a third, while it is small), a table twice as large takes its place,
 * and each insertion moves a few slots over from the old one. A lookup tries the new, then the old. In the old one nothing
 * is inserted any more, and what leaves it leaves a MOVED mark, so that probing goes on past it.
 */
import { matches } from "./rows.ts";

const NONE = 0;
const AWAY_SHIFT = 25;
const FAR = 15;
const FOUND_MASK = 2 ** AWAY_SHIFT - 1;
const TAG_MASK = 7 << 29;
/** Like an entry's, but nobody's id. */
const MOVED = FAR << AWAY_SHIFT;
/** Slots moved with each insertion. The new table is full again after many more insertions than it takes. */
const MOVES = 8;
const SMALLEST = 2048;
/** With as many it lies in the cache: there room is cheap, and what costs is to guess wrong how far probing will go. */
const CACHED = 2 ** 16;
const NOTHING = new Int32Array(1);

export class Buckets {
  declare private readonly rows: Int32Array;
  declare private readonly prefixes: Int32Array;
  declare private readonly hashes: Int32Array;
  #slots = new Int32Array(SMALLEST);
  #old = NOTHING;
  /** Slots of the old table before this one have been moved. */
  #cursor = 0;
  /** Of both tables; and how many may be. */
  #used = 0;
  #most = mostIn(SMALLEST);

  /** `hashes`: by `id << 1 | direction`, of what is in here. */
  constructor(rows: Int32Array, prefixes: Int32Array, hashes: Int32Array) {
    this.rows = rows;
    this.prefixes = prefixes;
    this.hashes = hashes;
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
    const found = this.#probe(this.#slots, keys, at, hash);
    return found !== NONE || this.#old === NOTHING ? found : this.#probe(this.#old, keys, at, hash);
  }

  /** Reads the slot where probing begins, and decides nothing: a wrong guess would end the waiting together. */
  touch(hash: number): number {
    return this.#slots[hash & (this.#slots.length - 1)]!;
  }

  /** What `find` will look at first, or 0. */
  peek(hash: number): number {
    const slots = this.#slots;
    const last = slots.length - 1;
    const tag = hash & TAG_MASK;
    for (let slot = hash & last, away = 0; ; slot = (slot + 1) & last) {
      const word = slots[slot]!;
      if (word === NONE || (word ^ tag) >>> AWAY_SHIFT === away) return word & FOUND_MASK;
      if (away < FAR) away++;
    }
  }

  #probe(slots: Int32Array, keys: Int32Array, at: number, hash: number): number {
    const last = slots.length - 1;
    const tag = hash & TAG_MASK;
    for (let slot = hash & last, away = 0; ; slot = (slot + 1) & last) {
      const word = slots[slot]!;
      if (word === NONE) return NONE;
      if ((word ^ tag) >>> AWAY_SHIFT === away) {
        const found = word & FOUND_MASK;
        if (matches(this.rows, this.prefixes, found, keys, at)) return found;
      }
      if (away < FAR) away++;
    }
  }

  insert(found: number): void {
    if (++this.#used > this.#most) this.#grow();
    place(this.#slots, this.hashes[found]!, found);
    if (this.#old !== NOTHING) this.#move(MOVES);
  }

  remove(found: number): void {
    const hash = this.hashes[found]!;
    const slot = slotOf(this.#slots, hash, found);
    if (slot >= 0) this.#close(slot);
    else this.#old[slotOf(this.#old, hash, found)] = MOVED;
    this.#used--;
  }

  /** Empties `slot` and moves up what stands behind it (Knuth, TAOCP 6.4, algorithm R): no marks are left to slow probing. */
  #close(slot: number): void {
    const slots = this.#slots;
    const last = slots.length - 1;
    let hole = slot;
    for (let next = (slot + 1) & last; slots[next] !== NONE; next = (next + 1) & last) {
      const word = slots[next]!;
      const nearer = (next - hole) & last;
      const away = this.#away(word, next);
      // Stays if its home lies between the hole and itself.
      if (away < nearer) continue;
      slots[hole] = wordOf(word, away - nearer, word & FOUND_MASK);
      hole = next;
    }
    slots[hole] = NONE;
  }

  #away(word: number, slot: number): number {
    const away = (word >>> AWAY_SHIFT) & FAR;
    return away < FAR ? away : (slot - this.hashes[word & FOUND_MASK]!) & (this.#slots.length - 1);
  }

  #grow(): void {
    // Cannot be needed before the last growth is over; if it were, this would make it so.
    while (this.#old !== NOTHING) this.#move(MOVES);
    this.#old = this.#slots;
    this.#cursor = 0;
    this.#slots = new Int32Array(this.#old.length * 2);
    this.#most = mostIn(this.#slots.length);
  }

  #move(count: number): void {
    const old = this.#old;
    const end = Math.min(this.#cursor + count, old.length);
    for (let slot = this.#cursor; slot < end; slot++) {
      const found = old[slot]! & FOUND_MASK;
      if (found === NONE) continue;
      place(this.#slots, this.hashes[found]!, found);
      old[slot] = MOVED;
    }
    this.#cursor = end;
    if (end === old.length) this.#old = NOTHING;
  }
}

const mostIn = (slots: number): number => (slots <= CACHED ? Math.floor(slots / 3) : slots >>> 1);

const wordOf = (hash: number, away: number, found: number): number =>
  (hash & TAG_MASK) | ((away < FAR ? away : FAR) << AWAY_SHIFT) | found;

function place(slots: Int32Array, hash: number, found: number): void {
  const last = slots.length - 1;
  let slot = hash & last;
  while (slots[slot] !== NONE) slot = (slot + 1) & last;
  slots[slot] = wordOf(hash, (slot - hash) & last, found);
}

/** -1: not there. */
function slotOf(slots: Int32Array, hash: number, found: number): number {
  const last = slots.length - 1;
  for (let slot = hash & last; slots[slot] !== NONE; slot = (slot + 1) & last) {
    if ((slots[slot]! & FOUND_MASK) === found) return slot;
  }
  return -1;
}
