/**
 * Related entries in numbers: sixteen words a row, so that to keep, to count and to look for them touches a cache line or
 * two, and no objects. Rows are numbered from 1; those that were freed are used again, the last freed first.
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
/** Among the entries of its control connection. */
export const OLDER = 2;
export const NEWER = 3;
/** The next row of the same chain, by owner and ends, and by place; of a free row, the next free one. */
export const SAME_ENDS = 4;
export const SAME_PLACE = 5;
/** Where it can be met: `placeOf`, 0 while it is not in place, and the hash of the end (placed.ts). */
export const PLACE = 6;
export const END = 7;
export const ROW_SHIFT = 4;
/** In `times`, which are words 8 to 13 of the row: what it is called, when it expires, and how long it was to live. */
const ID = 4;
const EXPIRES = 5;
const TTL = 6;
const TIMES_SHIFT = ROW_SHIFT - 1;

const SMALLEST = 16;

/** The port that is connected to, in `ENDS`, and the one where it is met, in `PLACE`. */
export const portIn = (word: number): number => (word >>> 2) & 0xffff;

export class RelatedRows {
  words = new Int32Array(SMALLEST << ROW_SHIFT);
  size = 0;
  #times = new Float64Array(this.words.buffer);
  /** null: the row is free, or was offered and has not been seen. */
  readonly #entries: (RelatedEntry | null)[] = [null];
  /** null: the row is free, or was not offered. */
  readonly #offerers: (Offerer | null)[] = [null];
  readonly #offerings: (Offering | null)[] = [null];
  #free = 0;

  /** Rows that there is room for. */
  get capacity(): number {
    return this.words.length >>> ROW_SHIFT;
  }

  /** Behind the last row that was ever used. */
  get end(): number {
    return this.#entries.length;
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
  add(ends: number, id: number, expires: Ms, ttl: Ms): number {
    let row = this.#free;
    if (row === 0) row = this.end;
    else this.#free = this.words[(row << ROW_SHIFT) + SAME_ENDS]!;
    this.words[(row << ROW_SHIFT) + ENDS] = ends;
    const at = row << TIMES_SHIFT;
    this.#times[at + ID] = id;
    this.#times[at + EXPIRES] = expires;
    this.#times[at + TTL] = ttl;
    this.size++;
    return row;
  }

  /** What the row is: an entry, or what `offerer` offers. */
  put(row: number, entry: RelatedEntry | null, offerer: Offerer | null, offering: Offering | null): void {
    this.#entries[row] = entry;
    this.#offerers[row] = offerer;
    this.#offerings[row] = offering;
  }

  remove(row: number): void {
    this.put(row, null, null, null);
    this.words[(row << ROW_SHIFT) + ENDS] = 0;
    this.words[(row << ROW_SHIFT) + SAME_ENDS] = this.#free;
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

  /** The entry, if anybody has seen it. */
  seen(row: number): RelatedEntry | null {
    return this.#entries[row]!;
  }

  entry(row: number): RelatedEntry {
    const entry = this.#entries[row] ?? this.#made(row);
    this.#entries[row] = entry;
    return entry;
  }

  /** Who may open it: the port, null: any; and the address. */
  fromPort(row: number): number | null {
    return this.#offerers[row] === null ? this.#entries[row]!.from.port : null;
  }

  from(row: number): Address | null {
    const offerer = this.#offerers[row]!;
    return offerer === null ? this.#entries[row]!.from.address : offerer.client.address;
  }

  /** Where it leads. */
  target(row: number): Address {
    const offerer = this.#offerers[row]!;
    return offerer === null ? this.#entries[row]!.target.address : offerer.real.address;
  }

  /** Where it is met, if it is in place. */
  place(row: number): Address {
    const offerer = this.#offerers[row]!;
    return offerer === null ? this.#entries[row]!.seen!.address : offerer.virtual.address;
  }

  #made(row: number): RelatedEntry {
    const { handle, client, virtual, real } = this.#offerers[row]!;
    const { kind, transport } = this.#offerings[row]!;
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
      ttl: this.#times[at + TTL] as Ms,
      expires: this.#times[at + EXPIRES] as Ms,
      state: place === 0 ? "reserved" : "pending",
    };
  }
}
