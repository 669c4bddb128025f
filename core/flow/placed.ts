/**
 * Where related entries are waited for. By number, so that the packet engine can ask for each new flow of a flood
 * without making anything; and only related entries are ever in here.
 *
 * Clients choose their ports, and the most of an IPv6 address: the hash is over all of an end, and keyed like that of the
 * connection table, so that nobody can choose ends that share a chain. Addresses, of which a director has few, are hashed as
 * keys are; their ports, of which it has many, are mixed in by secrets of the same seed.
 */

import { mix } from "../schedule/hash.ts";
import type { Transport } from "../units.ts";
import type { Address } from "../wire/address.ts";
import { Chains } from "./chains.ts";
import { DESTINATION, DESTINATION_PREFIX, type HashSeed, hashKey, IPV6, KEY, KIND, PORTS } from "./key.ts";
import { END, PLACE, portIn, type RelatedRows, ROW_MASK, ROW_SHIFT, SAME_PLACE } from "./related-rows.ts";

/** Transport and port of an end; never 0. */
const placeOf = (transport: Transport, port: number): number => (port << 2) | (transport === "udp" ? 3 : 1);

/** Ends that are touched at a time. */
export const MOST_TOUCHED = 16;
/** Addresses whose hashes are kept. */
const KNOWN = 64;

export class Placed {
  readonly #rows: RelatedRows;
  readonly #chains: Chains;
  readonly #k0: number;
  readonly #k1: number;
  /** What ports are multiplied by: an odd number. */
  readonly #factor: number;
  /** An address as the destination of a key that comes from nobody and goes to no port. */
  readonly #key = new Int32Array(KEY);
  /** Addresses that were asked about lately, each at its last bits, and their hashes. */
  readonly #addresses: (Address | null)[] = new Array(KNOWN).fill(null);
  readonly #hashes = new Int32Array(KNOWN);
  /** Where nobody is waited for, as was found out last, and the hash of that. */
  #vacant: Address | null = null;
  #vacantPlace = 0;
  #vacantHash = 0;

  /** Of those that `touch` is about. */
  readonly #links = new Int32Array(MOST_TOUCHED);

  constructor(rows: RelatedRows, seed: HashSeed) {
    this.#rows = rows;
    this.#chains = new Chains(rows, SAME_PLACE);
    [this.#k0, this.#k1] = seed;
    this.#factor = hashKey(this.#k0, this.#k1, this.#key, 0) | 1;
  }

  /**
   * False: somebody is waited for there already. An end that the director found has one entry, whoever connects, so that
   * transfers cannot be crossed. Others' own ends may be announced to several at once, and are told apart by who may
   * come, `from`: a client's to realservers, that of realservers which have the VIP to clients.
   */
  add(row: number, transport: Transport, address: Address, port: number, from: Address | null): boolean {
    const place = placeOf(transport, port);
    const vacant = this.#vacant === address && this.#vacantPlace === place;
    if (!vacant && this.at(transport, address, port, from) !== 0) return false;
    const at = row << ROW_SHIFT;
    const { words } = this.#rows;
    const hash = vacant ? this.#vacantHash : this.hash(address, port);
    words[at + PLACE] = place;
    words[at + END] = hash;
    this.#chains.add(row, hash);
    this.#vacant = null;
    return true;
  }

  delete(row: number): void {
    const at = row << ROW_SHIFT;
    const { words } = this.#rows;
    if (words[at + PLACE] === 0) return;
    this.#chains.remove(row, words[at + END]!);
    words[at + PLACE] = 0;
  }

  /** Reads what `at` and `add` will for ends with these hashes, and `delete` for these `rows`. */
  touch(rows: Int32Array, hashes: Int32Array, count: number): number {
    const { words } = this.#rows;
    const chains = this.#chains;
    const links = this.#links;
    let touched = 0;
    for (let k = 0; k < count; k++) links[k] = words[(rows[k]! << ROW_SHIFT) + END]!;
    for (let k = 0; k < count; k++) {
      touched ^= chains.head(hashes[k]!);
      links[k] = chains.head(links[k]!);
    }
    // What leads to a row from the row before it is read, too.
    for (let k = 0; k < count; k++) touched ^= words[(links[k]! & ROW_MASK) << ROW_SHIFT]!;
    return touched;
  }

  /** Who is waited for at this end, its row; `from` it, unless that is null. 0: nobody. */
  at(transport: Transport, address: Address, port: number, from: Address | null): number {
    const rows = this.#rows;
    const { words } = rows;
    const place = placeOf(transport, port);
    const hash = this.hash(address, port);
    let vacant = true;
    for (let row = this.#chains.first(hash); row !== 0; row = this.#chains.next(row, hash)) {
      const at = row << ROW_SHIFT;
      if (words[at + PLACE] !== place || words[at + END] !== hash || !rows.place(row).equals(address)) continue;
      if (from === null || rows.from(row)?.equals(from) === true) return row;
      vacant = false;
    }
    this.#vacant = vacant ? address : null;
    this.#vacantPlace = place;
    this.#vacantHash = hash;
    return 0;
  }

  /** False: nobody is waited for at the destination of the key at `at`, by either transport. */
  may(keys: Int32Array, at: number): boolean {
    if (this.#rows.size === 0) return false;
    const { words } = this.#rows;
    const port = keys[at + PORTS]! & 0xffff;
    const hash = this.#hashDestination(keys, at);
    for (let row = this.#chains.first(hash); row !== 0; row = this.#chains.next(row, hash)) {
      const place = row << ROW_SHIFT;
      if (portIn(words[place + PLACE]!) === port && words[place + END] === hash) return true;
    }
    return false;
  }

  /** The columns have grown. */
  grow(): void {
    this.#chains.clear();
    const { words, end } = this.#rows;
    for (let row = 1; row < end; row++) {
      const at = row << ROW_SHIFT;
      if (words[at + PLACE] !== 0) this.#chains.add(row, words[at + END]!);
    }
  }

  /** Nearly always of an address that was asked about before. */
  hash(address: Address, port: number): number {
    const at = address.low & (KNOWN - 1);
    if (this.#addresses[at]?.equals(address) !== true) {
      this.#addresses[at] = address;
      this.#hashes[at] = this.#hashOf(address);
    }
    return this.#withPort(this.#hashes[at]!, port);
  }

  #hashOf({ family, low, words }: Address): number {
    const key = this.#key;
    for (let i = 0; i < 3; i++) key[DESTINATION_PREFIX + i] = words[i]!;
    key[DESTINATION] = low;
    key[KIND] = family === 6 ? IPV6 : 0;
    return hashKey(this.#k0, this.#k1, key, 0);
  }

  #hashDestination(keys: Int32Array, at: number): number {
    const key = this.#key;
    for (let i = 0; i < 3; i++) key[DESTINATION_PREFIX + i] = keys[at + DESTINATION_PREFIX + i]!;
    key[DESTINATION] = keys[at + DESTINATION]!;
    key[KIND] = keys[at + KIND]! & IPV6;
    return this.#withPort(hashKey(this.#k0, this.#k1, key, 0), keys[at + PORTS]! & 0xffff);
  }

  /** Every bit of an address's hash and of the port changes every bit of the result. */
  #withPort(hash: number, port: number): number {
    return mix(hash ^ Math.imul(port, this.#factor)) | 0;
  }
}
