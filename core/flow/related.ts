/**
 * Related entries: connections that a control connection announced and that have not come yet (netfilter's
 * expectations). Nothing but a related entry ever comes out of this table: persistence templates live elsewhere, so
 * that a wildcard match can never return one (the IPVS bug of 2005).
 */
import { mix } from "../schedule/hash.ts";
import type { Direction, Endpoint, Ms, PartialEndpoint, Port, Transport } from "../units.ts";
import { Chains } from "./chains.ts";
import { Owners } from "./owners.ts";
import { Placed } from "./placed.ts";
import { ENDS, OWNER, RelatedRows, ROW_SHIFT, SAME_ENDS } from "./related-rows.ts";
import { type Handle, slotOf } from "./slots.ts";

export interface RelatedEntry {
  readonly id: number;
  /** Its row in the table, which alone writes it; 0: it is in none. */
  row: number;
  /** The control connection that announced it; stale once that is closed. */
  readonly master: Handle;
  readonly kind: string;
  readonly transport: Transport;
  readonly opener: Direction;
  /** Who may open it, as the director sees them. `null` port: any. */
  readonly from: PartialEndpoint;
  /** Where it leads: the end that announced it, as the director reaches it. */
  readonly target: Endpoint;
  /** What the opener was told to connect to; null until it is in place. */
  seen: Endpoint | null;
  readonly uses: 1 | "many";
  /** Opened by the realserver: the port of the VIP that it leaves from where that is free; null: its own. */
  readonly leaves: Port | null;
  readonly expires: Ms;
  readonly ttl: Ms;
  /** `reserved` → `pending` (in place) → `claimed`; or `gone`. */
  state: "reserved" | "pending" | "claimed" | "gone";
}

export interface RelatedLimits {
  /** Entries not yet claimed, for each client address. */
  readonly perClient: number;
  /** And in all. */
  readonly total: number;
}

/** Why an entry left the table before it was used up. */
export type GoneReason = "expired" | "replaced" | "revoked" | "control-closed" | "unavailable";

const sameEnds = (a: RelatedEntry, b: RelatedEntry): boolean =>
  a.transport === b.transport &&
  a.opener === b.opener &&
  a.from.port === b.from.port &&
  a.target.port === b.target.port &&
  a.target.address.equals(b.target.address);

/** Ports and ways in one small number: who differs in it is another. */
const endsOf = ({ target, opener, transport }: RelatedEntry): number =>
  (target.port << 2) | (opener === "reply" ? 2 : 0) | (transport === "udp" ? 1 : 0);

export class RelatedTable {
  #limits: RelatedLimits;
  readonly #gone: (entry: RelatedEntry, reason: GoneReason) => void;
  readonly #rows = new RelatedRows<RelatedEntry>();
  readonly #owners = new Owners(this.#rows);
  readonly #placed: Placed<RelatedEntry>;
  /** By control connection and ends. */
  readonly #same = new Chains(this.#rows, SAME_ENDS);
  readonly #seed: number;

  /**
   * `gone` is told of each entry that leaves unused, so that the host can take its listener back. `seed`: from the host's
   * randomness.
   */
  constructor(limits: RelatedLimits, gone: (entry: RelatedEntry, reason: GoneReason) => void, seed = 0) {
    this.#limits = limits;
    this.#gone = gone;
    this.#seed = seed;
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
    return this.#rows.entries
      .filter((entry) => entry !== null)
      .sort((a, b) => a.id - b.id)
      .values();
  }

  /**
   * Takes `entry` in, not yet in place; or says why not. `client`: whose text names the control connection's client;
   * `pending`: how many entries that connection may have. The same announced again (the transfer failed before its
   * connection) takes the place of the former, as in conntrack.
   */
  reserve(entry: RelatedEntry, client: { toString(): string }, pending: number): string | null {
    const slot = slotOf(entry.master);
    const ends = endsOf(entry);
    // The slot was used again: whoever had it is closed.
    if (this.#owners.count(slot) > 0 && !this.#owners.isOf(entry.master)) this.#removeAll(slot);
    this.#replace(entry, slot, ends);
    if (this.#owners.count(slot) >= pending) {
      if (this.#owners.count(slot) === 0) return "control-limit";
      this.remove(this.#rows.entries[this.#owners.oldest(slot)]!, "replaced");
    }
    if (this.#owners.ofClient(slot, client) >= this.#limits.perClient) return "client-limit";
    if (this.#rows.size >= this.#limits.total) return "total-limit";
    if (this.#rows.full) this.#grow();
    const row = this.#rows.add(entry, entry.expires);
    this.#rows.words[(row << ROW_SHIFT) + ENDS] = ends;
    this.#owners.add(row, entry.master, client);
    this.#same.add(row, this.#hash(slot, ends));
    entry.row = row;
    return null;
  }

  /** `entry` can now be met at `seen`. False when another entry is there already, or this one is gone. */
  place(entry: RelatedEntry, seen: Endpoint): boolean {
    if (entry.row === 0 || entry.state !== "reserved") return false;
    entry.seen = seen;
    if (!this.#placed.add(entry.row)) {
      entry.seen = null;
      return false;
    }
    entry.state = "pending";
    return true;
  }

  /** Whether anybody is waited for at `seen`. */
  awaits(transport: Transport, seen: Endpoint): boolean {
    return this.#placed.at(transport, seen) !== undefined;
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
    const entry = this.#placed.at(transport, seen, from.address);
    if (entry !== undefined && opener !== undefined && entry.opener !== opener) return "no-related-entry";
    if (entry === undefined) return this.awaits(transport, seen) ? "wrong-address" : "no-related-entry";
    if (now >= entry.expires) {
      this.remove(entry, "expired");
      return "no-related-entry";
    }
    if (entry.from.port !== null && entry.from.port !== from.port) return "wrong-port";
    if (entry.uses === 1) {
      this.#forget(entry);
      entry.state = "claimed";
    }
    return entry;
  }

  remove(entry: RelatedEntry, reason: GoneReason): void {
    if (!this.#forget(entry)) return;
    entry.state = "gone";
    this.#gone(entry, reason);
  }

  /** The control connection closed: what it announced and nobody opened is gone with it. */
  removeMaster(master: Handle): void {
    if (this.#owners.isOf(master)) this.#removeAll(slotOf(master));
  }

  /** Removes what has expired. */
  advance(now: Ms): void {
    const { expires, entries } = this.#rows;
    const due: RelatedEntry[] = [];
    for (let row = 1; row < entries.length; row++) {
      if (now >= expires[row]! && entries[row] !== null) due.push(entries[row]!);
    }
    for (const entry of due.sort((a, b) => a.id - b.id)) this.remove(entry, "expired");
  }

  #removeAll(slot: number): void {
    while (this.#owners.count(slot) > 0) {
      this.remove(this.#rows.entries[this.#owners.oldest(slot)]!, "control-closed");
    }
  }

  #replace(entry: RelatedEntry, slot: number, ends: number): void {
    const { words, entries } = this.#rows;
    for (let row = this.#same.first(this.#hash(slot, ends)); row !== 0; ) {
      const at = row << ROW_SHIFT;
      const before = entries[row]!;
      const same = words[at + ENDS] === ends && words[at + OWNER] === slot && sameEnds(entry, before);
      row = this.#same.next(row);
      if (same) this.remove(before, "replaced");
    }
  }

  #forget(entry: RelatedEntry): boolean {
    const { row } = entry;
    if (row === 0) return false;
    const at = row << ROW_SHIFT;
    const { words } = this.#rows;
    this.#same.remove(row, this.#hash(words[at + OWNER]!, words[at + ENDS]!));
    this.#placed.delete(row);
    this.#owners.remove(row);
    this.#rows.remove(row);
    entry.row = 0;
    return true;
  }

  #grow(): void {
    const { entries, words } = this.#rows;
    this.#rows.grow();
    this.#placed.grow();
    this.#same.clear();
    for (let row = 1; row < entries.length; row++) {
      const at = row << ROW_SHIFT;
      this.#same.add(row, this.#hash(words[at + OWNER]!, words[at + ENDS]!));
    }
  }

  #hash(slot: number, ends: number): number {
    return mix(ends ^ this.#seed ^ Math.imul(slot, 0x9e3779b1));
  }
}
