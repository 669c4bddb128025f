/**
 * Related entries in numbers: sixteen words a row, of which twelve are used, so that to keep, to count and to look for them
 * touches a cache line, and no objects. (An array's bytes begin sixteen behind where a line does, so the last four words
 * of a row lie in the next line.) Rows are numbered from 1; those that were freed are used again, the last freed first.
 *
 * An entry is an object of its own, or, where it was offered (`Offerer`), one that is made when somebody asks to see it:
 * most of them come and go unseen.
 */
import type { Endpoint, Ms } from "../units.ts";
import type { Address } from "../wire/address.ts";
import type { Offerer, Offering, RelatedEntry } from "./related-entry.ts";

/** Its control connection's slot. */
export const OWNER = 0;
/** Ports and ways in one small number: who differs in it is another. 0: the row is free. */
export const ENDS = 1;
/** Among the entries of its control connection, which stand in a ring: behind the newest comes the oldest. */
export const OLDER = 2;
export const NEWER = 3;
/** What was offered: `kindOf` it, and SEEN where there is an object of it. 0: it is an entry of its own. */
const KIND = 4;
const SEEN = 1 << 16;
/** Of a free row: the next free one. */
const NEXT_FREE = 4;
/** What leads to the next row that is met at such a place (chains.ts). */
export const SAME_PLACE = 5;
/** Where it can be met: `placeOf`, 0 while it is not in place, and the hash of the end (placed.ts). */
export const PLACE = 6;
export const END = 7;
export const ROW_SHIFT = 4;
/** The highest row that there can be. */
export const ROW_MASK = 2 ** 24 - 1;
/** In `times`, which are words 8 to 11 of the row: what it is called, and when it expires. */
const ID = 4;
const EXPIRES = 5;
const TIMES_SHIFT = ROW_SHIFT - 1;

const SMALLEST = 16;
/** Kinds of offers that are known; helpers have a few each. */
const MOST_KINDS = 256;

/** What offers have in common, and how long they live. */
interface Kind {
  readonly offering: Offering;
  readonly ttl: Ms;
}

/** The port that is connected to, in `ENDS`, and the one where it is met, in `PLACE`. */
export const portIn = (word: number): number => (word >>> 2) & 0xffff;

export class RelatedRows {
  words = new Int32Array(SMALLEST << ROW_SHIFT);
  size = 0;
  #times = new Float64Array(this.words.buffer);
  /** By row, where one is SEEN. */
  readonly #entries: (RelatedEntry | null)[] = [null];
  /** By OWNER: those that offer are few, and what they offered is found by them. */
  readonly #offerers: (Offerer | null)[] = [null];
  readonly #kinds: Kind[] = [];
  #free = 0;
  #fresh = 1;

  /** Rows that there is room for. */
  get capacity(): number {
    return this.words.length >>> ROW_SHIFT;
  }

  /** Behind the last row that was ever used. */
  get end(): number {
    return this.#fresh;
  }

  /** No row is free, and the next one lies beyond what there is room for. */
  get full(): boolean {
    return this.#free === 0 && this.end >= this.capacity;
  }

  grow(): void {
    const { words } = this;
    this.words = new Int32Array(words.length * 2);
    this.words.set(words);
    this.#times = new Float64Array(this.words.buffer);
  }

  /** A row for what has these `ends`; the columns must not be full. */
  add(ends: number, id: number, expires: Ms): number {
    let row = this.#free;
    if (row === 0) row = this.#fresh++;
    else this.#free = this.words[(row << ROW_SHIFT) + NEXT_FREE]!;
    this.words[(row << ROW_SHIFT) + KIND] = 0;
    this.set(row, ends, id, expires);
    this.size++;
    return row;
  }

  /** From now on the row is for what has these `ends`. */
  set(row: number, ends: number, id: number, expires: Ms): void {
    this.words[(row << ROW_SHIFT) + ENDS] = ends;
    const at = row << TIMES_SHIFT;
    this.#times[at + ID] = id;
    this.#times[at + EXPIRES] = expires;
  }

  /** What the row is: an entry of its own. */
  put(row: number, entry: RelatedEntry): void {
    this.words[(row << ROW_SHIFT) + KIND] = 0;
    this.#see(row, entry);
  }

  /** The same: what `offerer`, its OWNER, offers. `kind`: see `kindOf`. */
  putOffer(row: number, offerer: Offerer, kind: number): void {
    const at = row << ROW_SHIFT;
    const owner = this.words[at + OWNER]!;
    const known = this.words[at + KIND]! !== 0;
    this.words[at + KIND] = kind;
    // Something else that it offered was in this row before.
    if (known) return;
    // Without gaps: an array that has any becomes a dictionary.
    while (this.#offerers.length <= owner) this.#offerers.push(null);
    if (this.#offerers[owner] !== offerer) this.#offerers[owner] = offerer;
  }

  /** The number of this kind of offer, from 1 on; 0: they are too many to know this one, too. */
  kindOf(offering: Offering, ttl: Ms): number {
    const kinds = this.#kinds;
    // Nothing is of any of them: those of a configuration that is no more are not kept for ever.
    if (kinds.length === MOST_KINDS && this.size === 0) kinds.length = 0;
    for (let i = 0; i < kinds.length; i++) if (kinds[i]!.offering === offering && kinds[i]!.ttl === ttl) return i + 1;
    return kinds.length < MOST_KINDS ? kinds.push({ offering, ttl }) : 0;
  }

  #see(row: number, entry: RelatedEntry): void {
    while (this.#entries.length <= row) this.#entries.push(null);
    this.#entries[row] = entry;
    this.words[(row << ROW_SHIFT) + KIND]! |= SEEN;
  }

  /** Reads where who offers is found, of this slot. */
  touch(owner: number): number {
    return owner < this.#offerers.length && this.#offerers[owner] !== null ? 1 : 0;
  }

  /** The control connection with this slot has no rows any more. */
  forget(owner: number): void {
    if (owner < this.#offerers.length) this.#offerers[owner] = null;
  }

  remove(row: number): void {
    const { words } = this;
    const at = row << ROW_SHIFT;
    if ((words[at + KIND]! & SEEN) !== 0) this.#entries[row] = null;
    words[at + ENDS] = 0;
    words[at + NEXT_FREE] = this.#free;
    this.#free = row;
    this.size--;
  }

  /** Anything is in it. */
  used(row: number): boolean {
    return this.words[(row << ROW_SHIFT) + ENDS] !== 0;
  }

  expires(row: number): Ms {
    return this.#times[(row << TIMES_SHIFT) + EXPIRES] as Ms;
  }

  /** The entry, if there is an object of it. */
  seen(row: number): RelatedEntry | null {
    return (this.words[(row << ROW_SHIFT) + KIND]! & SEEN) === 0 ? null : this.#entries[row]!;
  }

  entry(row: number): RelatedEntry {
    const seen = this.seen(row);
    if (seen !== null) return seen;
    const entry = this.#made(row);
    this.#see(row, entry);
    return entry;
  }

  /** Who offered it; null: it is an entry of its own. */
  #offerer(row: number): Offerer | null {
    const at = row << ROW_SHIFT;
    return (this.words[at + KIND]! & ~SEEN) === 0 ? null : this.#offerers[this.words[at + OWNER]!]!;
  }

  /** Who may open it: the port, null: any; and the address. */
  fromPort(row: number): number | null {
    return this.#offerer(row) === null ? this.#entries[row]!.from.port : null;
  }

  from(row: number): Address | null {
    const offerer = this.#offerer(row);
    return offerer === null ? this.#entries[row]!.from.address : offerer.client.address;
  }

  /** Where it leads. */
  target(row: number): Address {
    const offerer = this.#offerer(row);
    return offerer === null ? this.#entries[row]!.target.address : offerer.real.address;
  }

  /** Where it is met, if it is in place. */
  place(row: number): Address {
    return this.seen(row)?.seen?.address ?? this.#offerer(row)!.virtual.address;
  }

  #made(row: number): RelatedEntry {
    const { handle, client, virtual, real } = this.#offerer(row)!;
    const { offering, ttl } = this.#kinds[(this.words[(row << ROW_SHIFT) + KIND]! & ~SEEN) - 1]!;
    const { kind, transport } = offering;
    const ends = this.words[(row << ROW_SHIFT) + ENDS]!;
    const place = this.words[(row << ROW_SHIFT) + PLACE]!;
    const at = row << TIMES_SHIFT;
    return {
      id: this.#times[at + ID]!,
      row,
      master: handle,
      kind,
      transport,
      opener: "original",
      from: { address: client.address, port: null },
      target: { address: real.address, port: portIn(ends) as Endpoint["port"] },
      seen: place === 0 ? null : { address: virtual.address, port: portIn(place) as Endpoint["port"] },
      uses: 1,
      leaves: null,
      other: null,
      ttl,
      expires: this.#times[at + EXPIRES] as Ms,
      state: place === 0 ? "reserved" : "pending",
    };
  }
}
