/**
 * Related entries: connections that a control connection announced and that have not come yet (netfilter's
 * expectations). Nothing but a related entry ever comes out of this table: persistence templates live elsewhere, so
 * that a wildcard match can never return one (the IPVS bug of 2005).
 */
import type { Direction, Endpoint, Ms, Transport } from "../units.ts";
import { later } from "../units.ts";
import type { Address } from "../wire/address.ts";
import type { HashSeed } from "./key.ts";
import { Owners } from "./owners.ts";
import { MOST_TOUCHED, Placed } from "./placed.ts";
import type { Offerer, Offering, RelatedEntry } from "./related-entry.ts";
import { ENDS, NEWER, portIn, RelatedRows, ROW_MASK, ROW_SHIFT } from "./related-rows.ts";
import { type Handle, slotOf } from "./slots.ts";

export type { RelatedEntry } from "./related-entry.ts";

export interface RelatedLimits {
  /** Entries not yet claimed, for each client address. */
  readonly perClient: number;
  /** And in all. */
  readonly total: number;
}

/** Why an entry left the table before it was used up. */
export type GoneReason = "expired" | "replaced" | "revoked" | "control-closed" | "unavailable";

/** Told of an entry that left. */
export type Gone = (entry: RelatedEntry, reason: GoneReason) => void;
/** Told that something left that was offered, and of which nobody has seen an entry. */
export type Passed = (reason: GoneReason) => void;

/** Ports and ways in one small number: who differs in it is another. */
const endsOf = (port: number, opener: Direction, transport: Transport): number =>
  (port << 2) | (opener === "reply" ? REPLY : 0) | (transport === "udp" ? 1 : 0);
/** Opened by the realserver. */
const REPLY = 2;

export class RelatedTable {
  #limits: RelatedLimits;
  readonly #gone: Gone | null;
  readonly #passed: Passed | null;
  readonly #rows = new RelatedRows();
  readonly #owners = new Owners(this.#rows);
  readonly #placed: Placed;
  /** Of those that `touch` is about. */
  readonly #oldest = new Int32Array(MOST_TOUCHED);

  /**
   * `gone` is told of each entry that leaves unused, so that the host can take its listener back; null: nobody wants to hear
   * of it, and what was offered and never seen leaves without being made. So it does, too, where `passed` is told of that.
   * `seed`: from the host's randomness, and used for nothing else: ends are chosen by strangers.
   */
  constructor(limits: RelatedLimits, gone: Gone | null, seed: HashSeed = [0, 0], passed: Passed | null = null) {
    this.#limits = limits;
    this.#gone = gone;
    this.#passed = passed;
    this.#placed = new Placed(this.#rows, seed);
  }

  get size(): number {
    return this.#rows.size;
  }

  /** From now on; what is there already stays. */
  limit(limits: RelatedLimits): void {
    this.#limits = limits;
  }

  /** The first announced first. */
  [Symbol.iterator](): Iterator<RelatedEntry> {
    return this.#inOrder(() => true).values();
  }

  /**
   * Takes `entry` in, not yet in place; or says why not. `client`: whose text names the control connection's client;
   * `pending`: how many entries that connection may have. The same announced again (the transfer failed before its
   * connection) takes the place of the former, as in conntrack.
   */
  reserve(entry: RelatedEntry, client: { toString(): string }, pending: number): string | null {
    const { master, opener, transport, from, target } = entry;
    const ends = endsOf(target.port, opener, transport);
    this.#replace(master, ends, from.port, target.address);
    const refused = this.#makeRoom(slotOf(master), client, pending);
    if (refused !== null) return refused;
    entry.row = this.#add(master, ends, client, entry.id, entry.expires);
    this.#rows.put(entry.row, entry);
    return null;
  }

  /**
   * As `reserve`, of a port that the realserver of `offerer` offers its client for `ttl`: its row, which is its name until
   * it is gone, or has been claimed. 0: there is no room for it, or it is of a kind that nobody can remember.
   */
  offer(offerer: Offerer, offering: Offering, port: number, pending: number, id: number, now: Ms, ttl: Ms): number {
    const { handle, client, real } = offerer;
    const ends = endsOf(port, "original", offering.transport);
    const kind = this.#rows.kindOf(offering, ttl);
    if (kind === 0) return 0;
    this.#replace(handle, ends, null, real.address);
    const slot = slotOf(handle);
    const expires = later(now, ttl);
    let row = this.#mayTurn(slot, pending) ? this.#turn(slot, ends, id, expires) : 0;
    if (row === 0) {
      if (this.#makeRoom(slot, client.address, pending) !== null) return 0;
      row = this.#add(handle, ends, client.address, id, expires);
    }
    this.#rows.putOffer(row, offerer, kind);
    return row;
  }

  /** Of an end: what `touch` wants to know of it. */
  hashOf(seen: Address, port: number): number {
    return this.#placed.hash(seen, port);
  }

  /**
   * Reads what `offer` will read of the control connections with these slots and their oldest entries, and `placeOffer` of the
   * ends with these hashes: one after the other for `count` of them, so that they wait for their memory together.
   */
  touch(slots: Int32Array, hashes: Int32Array, count: number): number {
    const oldest = this.#oldest;
    let touched = 0;
    for (let k = 0; k < count; k++) oldest[k] = this.#owners.oldest(slots[k]!);
    for (let k = 0; k < count; k++) touched ^= this.#owners.touchClient(slots[k]!) ^ this.#rows.touch(slots[k]!);
    return touched ^ this.#placed.touch(oldest, hashes, count);
  }

  /** Whether somebody is told of what leaves `row` as an entry. */
  #isTold(row: number): boolean {
    return this.#rows.seen(row) !== null || (this.#gone !== null && this.#passed === null);
  }

  /** Whether the oldest entry of a control connection has to give way to a new one, and its row can do so. */
  #mayTurn(slot: number, pending: number): boolean {
    const owners = this.#owners;
    const count = owners.count(slot);
    if (count === 0 || count < pending || this.#isTold(owners.oldest(slot))) return false;
    return owners.ofClient(slot, "") <= this.#limits.perClient && this.#rows.size <= this.#limits.total;
  }

  /** What comes of it where the oldest entry is removed and another added, and nobody is to be told of it as an entry. */
  #turn(slot: number, ends: number, id: number, expires: Ms): number {
    this.#passed?.("replaced");
    this.#placed.delete(this.#owners.oldest(slot));
    const row = this.#owners.turn(slot, ends);
    this.#rows.set(row, ends, id, expires);
    return row;
  }

  /** What is in `row`, as it was offered. */
  entry(row: number): RelatedEntry {
    return this.#rows.entry(row);
  }

  /** The realserver's port of what was offered. */
  offered(row: number): number {
    return portIn(this.#rows.words[(row << ROW_SHIFT) + ENDS]!);
  }

  /** `entry` can now be met at `seen`. False when another entry is there already, or this one is gone. */
  place(entry: RelatedEntry, seen: Endpoint): boolean {
    const { row, state, transport } = entry;
    if (row === 0 || state !== "reserved") return false;
    entry.seen = seen;
    if (!this.#place(row, transport, seen.address, seen.port)) {
      entry.seen = null;
      return false;
    }
    entry.state = "pending";
    return true;
  }

  /** The same of what was offered, at this port of the virtual service's address. */
  placeOffer(row: number, transport: Transport, seen: Endpoint["address"], port: Endpoint["port"]): boolean {
    const entry = this.#rows.seen(row);
    if (entry !== null) return this.place(entry, { address: seen, port });
    return this.#place(row, transport, seen, port);
  }

  #place(row: number, transport: Transport, seen: Address, port: number): boolean {
    const from = this.#isOwnEnd(row, seen, port) ? this.#rows.from(row) : null;
    return this.#placed.add(row, transport, seen, port, from);
  }

  /** Whether this is an end of who announced it, not one that the director found: others may have announced the same. */
  #isOwnEnd(row: number, seen: Address, port: number): boolean {
    const ends = this.#rows.words[(row << ROW_SHIFT) + ENDS]!;
    return (ends & REPLY) !== 0 || (portIn(ends) === port && this.#rows.target(row).equals(seen));
  }

  /** Whether anybody is waited for at this end; `from` this address, unless that is null. */
  awaits(transport: Transport, address: Address, port: number, from: Address | null = null): boolean {
    return this.#placed.at(transport, address, port, from) !== 0;
  }

  /** The same of the destination of the key at `at` (key.ts), by either transport. False: certainly not. */
  mayAwait(keys: Int32Array, at: number): boolean {
    return this.#placed.may(keys, at);
  }

  /**
   * The entry that `from` may open at `seen`, used up by this unless it is multi-use; or why there is none. `opener`: on
   * whose side `from` is, where the host can tell.
   */
  claim(transport: Transport, seen: Endpoint, from: Endpoint, now: Ms, opener?: Direction): RelatedEntry | string {
    const row = this.#placed.at(transport, seen.address, seen.port, from.address);
    if (row === 0) return this.awaits(transport, seen.address, seen.port) ? "wrong-address" : "no-related-entry";
    const entry = this.#rows.entry(row);
    if (opener !== undefined && entry.opener !== opener) return "no-related-entry";
    if (now >= entry.expires) {
      this.remove(entry, "expired");
      return "no-related-entry";
    }
    if (entry.from.port !== null && entry.from.port !== from.port) return "wrong-port";
    if (entry.uses === 1) {
      this.#forget(row);
      entry.row = 0;
      entry.state = "claimed";
    }
    return entry;
  }

  remove(entry: RelatedEntry, reason: GoneReason): void {
    if (entry.row !== 0) this.removeRow(entry.row, reason);
  }

  removeRow(row: number, reason: GoneReason): void {
    const entry = this.#isTold(row) ? this.#rows.entry(row) : null;
    this.#forget(row);
    if (entry === null) {
      this.#passed?.(reason);
      return;
    }
    entry.row = 0;
    entry.state = "gone";
    this.#gone?.(entry, reason);
  }

  /** What was offered is taken back before its client could have heard of it: only who has seen its entry is told. */
  withdraw(row: number): void {
    if (this.#rows.seen(row) === null) this.#forget(row);
    else this.removeRow(row, "unavailable");
  }

  /** The control connection closed: what it announced and nobody opened is gone with it. */
  removeMaster(master: Handle): void {
    if (this.#owners.isOf(master)) this.#removeAll(slotOf(master));
  }

  /** Removes what has expired. */
  advance(now: Ms): void {
    for (const entry of this.#inOrder((row) => now >= this.#rows.expires(row))) this.remove(entry, "expired");
  }

  #inOrder(which: (row: number) => boolean): RelatedEntry[] {
    const rows = this.#rows;
    const entries: RelatedEntry[] = [];
    for (let row = 1; row < rows.end; row++) if (rows.used(row) && which(row)) entries.push(rows.entry(row));
    return entries.sort((a, b) => a.id - b.id);
  }

  #removeAll(slot: number): void {
    while (this.#owners.count(slot) > 0) this.removeRow(this.#owners.oldest(slot), "control-closed");
  }

  /** The same announced before, from the same port to the same end, is gone. */
  #replace(master: Handle, ends: number, from: number | null, target: Address): void {
    const rows = this.#rows;
    const slot = slotOf(master);
    // The slot was used again: whoever had it is closed.
    if (this.#owners.count(slot) > 0 && !this.#owners.isOf(master)) this.#removeAll(slot);
    const count = this.#owners.count(slot);
    if (count === 0 || !this.#owners.mayHave(slot, portIn(ends))) return;
    let row = this.#owners.oldest(slot);
    for (let left = count; left > 0; left--) {
      const at = row << ROW_SHIFT;
      const same = rows.words[at + ENDS] === ends && rows.fromPort(row) === from && rows.target(row).equals(target);
      const newer = rows.words[at + NEWER]!;
      if (same) this.removeRow(row, "replaced");
      row = newer;
    }
  }

  /** Room for one more entry of the control connection with this slot; or why there is none. */
  #makeRoom(slot: number, client: { toString(): string }, pending: number): string | null {
    if (this.#owners.count(slot) >= pending) {
      if (this.#owners.count(slot) === 0) return "control-limit";
      this.removeRow(this.#owners.oldest(slot), "replaced");
    }
    if (this.#owners.ofClient(slot, client) >= this.#limits.perClient) return "client-limit";
    if (this.#rows.size >= Math.min(this.#limits.total, ROW_MASK)) return "total-limit";
    if (this.#rows.full) this.#grow();
    return null;
  }

  #add(master: Handle, ends: number, client: { toString(): string }, id: number, expires: Ms): number {
    const row = this.#rows.add(ends, id, expires);
    this.#owners.add(row, master, client);
    return row;
  }

  #forget(row: number): void {
    this.#placed.delete(row);
    this.#owners.remove(row);
    this.#rows.remove(row);
  }

  #grow(): void {
    this.#rows.grow();
    this.#placed.grow();
  }
}
