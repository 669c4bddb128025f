/**
 * Where related entries are waited for. By number, so that the packet engine can ask for each new flow of a flood
 * without making anything; and only related entries are ever in here.
 *
 * Clients choose their ports, and the most of an IPv6 address: the hash is over all of an end, and keyed like that of the
 * connection table, so that nobody can choose ends that share a chain.
 */
import type { Transport } from "../units.ts";
import type { Address } from "../wire/address.ts";
import { Chains } from "./chains.ts";
import { DESTINATION, DESTINATION_PREFIX, type HashSeed, hashKey, IPV6, KEY, KIND, PORTS } from "./key.ts";
import { END, PLACE, portIn, type RelatedRows, ROW_SHIFT, SAME_PLACE } from "./related-rows.ts";

/** Transport and port of an end; never 0. */
const placeOf = (transport: Transport, port: number): number => (port << 2) | (transport === "udp" ? 3 : 1);

export class Placed {
  readonly #rows: RelatedRows;
  readonly #chains: Chains;
  readonly #k0: number;
  readonly #k1: number;
  /** An end as the destination of a key that comes from nobody. */
  readonly #key = new Int32Array(KEY);
  /** The end that was hashed last. */
  #address: Address | null = null;
  #port = 0;
  #hashed = 0;

  constructor(rows: RelatedRows, seed: HashSeed) {
    this.#rows = rows;
    this.#chains = new Chains(rows, SAME_PLACE);
    [this.#k0, this.#k1] = seed;
  }

  /**
   * False: somebody is waited for there already. An end that the director found has one entry, whoever connects, so that
   * transfers cannot be crossed. Others' own ends may be announced to several at once, and are told apart by who may
   * come, `from`: a client's to realservers, that of realservers which have the VIP to clients.
   */
  add(row: number, transport: Transport, address: Address, port: number, from: Address | null): boolean {
    if (this.at(transport, address, port, from) !== 0) return false;
    const at = row << ROW_SHIFT;
    const { words } = this.#rows;
    const hash = this.#hash(address, port);
    words[at + PLACE] = placeOf(transport, port);
    words[at + END] = hash;
    this.#chains.add(row, hash);
    return true;
  }

  delete(row: number): void {
    const at = row << ROW_SHIFT;
    const { words } = this.#rows;
    if (words[at + PLACE] === 0) return;
    this.#chains.remove(row, words[at + END]!);
    words[at + PLACE] = 0;
  }

  /** Who is waited for at this end, its row; `from` it, unless that is null. 0: nobody. */
  at(transport: Transport, address: Address, port: number, from: Address | null): number {
    const rows = this.#rows;
    const { words } = rows;
    const place = placeOf(transport, port);
    const hash = this.#hash(address, port);
    for (let row = this.#chains.first(hash); row !== 0; row = this.#chains.next(row)) {
      const at = row << ROW_SHIFT;
      if (words[at + PLACE] !== place || words[at + END] !== hash || !rows.place(row).equals(address)) continue;
      if (from === null || rows.from(row)?.equals(from) === true) return row;
    }
    return 0;
  }

  /** False: nobody is waited for at the destination of the key at `at`, by either transport. */
  may(keys: Int32Array, at: number): boolean {
    if (this.#rows.size === 0) return false;
    const { words } = this.#rows;
    const port = keys[at + PORTS]! & 0xffff;
    const hash = this.#hashDestination(keys, at);
    for (let row = this.#chains.first(hash); row !== 0; row = this.#chains.next(row)) {
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

  /** Nearly always that of the end that was asked about last: whether it is free, then as the place of an entry. */
  #hash(address: Address, port: number): number {
    if (address !== this.#address || port !== this.#port) {
      this.#address = address;
      this.#port = port;
      this.#hashed = this.#hashOf(address, port);
    }
    return this.#hashed;
  }

  #hashOf({ family, words }: Address, port: number): number {
    const key = this.#key;
    for (let i = 0; i < 3; i++) key[DESTINATION_PREFIX + i] = words[i]!;
    key[DESTINATION] = words[3];
    key[PORTS] = port;
    key[KIND] = family === 6 ? IPV6 : 0;
    return hashKey(this.#k0, this.#k1, key, 0);
  }

  #hashDestination(keys: Int32Array, at: number): number {
    const key = this.#key;
    for (let i = 0; i < 3; i++) key[DESTINATION_PREFIX + i] = keys[at + DESTINATION_PREFIX + i]!;
    key[DESTINATION] = keys[at + DESTINATION]!;
    key[PORTS] = keys[at + PORTS]! & 0xffff;
    key[KIND] = keys[at + KIND]! & IPV6;
    return hashKey(this.#k0, this.#k1, key, 0);
  }
}
