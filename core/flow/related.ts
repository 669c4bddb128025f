/**
 * Related entries: connections that a control connection announced and that have not come yet (netfilter's
 * expectations). Nothing but a related entry ever comes out of this table: persistence templates live elsewhere, so
 * that a wildcard match can never return one (the IPVS bug of 2005).
 */
import type { Direction, Endpoint, Ms, PartialEndpoint, Port, Transport } from "../units.ts";
import { Placed } from "./placed.ts";
import { type Handle, slotOf } from "./slots.ts";

export interface RelatedEntry {
  readonly id: number;
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
  expires: Ms;
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

/** Ports and ways in one small number: who differs in it is another. An entry that is looked at is a cache miss or more. */
const endsOf = ({ target, opener, transport }: RelatedEntry): number =>
  (target.port << 2) | (opener === "reply" ? 2 : 0) | (transport === "udp" ? 1 : 0);

interface Client {
  readonly name: string;
  /** Entries of its control connections. */
  count: number;
}

/** A control connection that has entries. */
interface Owner {
  readonly master: Handle;
  readonly client: Client;
  /** The oldest first. */
  readonly entries: RelatedEntry[];
  /** `endsOf` each. */
  readonly ends: number[];
}

export class RelatedTable {
  #limits: RelatedLimits;
  readonly #gone: (entry: RelatedEntry, reason: GoneReason) => void;
  readonly #placed = new Placed<RelatedEntry>();
  readonly #entries = new Set<RelatedEntry>();
  /** By the slot of the control connection. */
  readonly #owners = new Map<number, Owner>();
  readonly #clients = new Map<string, Client>();

  /** `gone` is told of each entry that leaves unused, so that the host can take its listener back. */
  constructor(limits: RelatedLimits, gone: (entry: RelatedEntry, reason: GoneReason) => void) {
    this.#limits = limits;
    this.#gone = gone;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** From now on; what is there already stays. */
  limit(limits: RelatedLimits): void {
    this.#limits = limits;
  }

  [Symbol.iterator](): Iterator<RelatedEntry> {
    return this.#entries.values();
  }

  /**
   * Takes `entry` in, not yet in place; or says why not. `pending`: how many its control connection may have. The same
   * announced again (the transfer failed before its connection) takes the place of the former, as in conntrack.
   */
  reserve(entry: RelatedEntry, client: string, pending: number): string | null {
    const owner = this.#ownerOf(entry.master, client);
    const ends = endsOf(entry);
    this.#replace(owner, entry, ends);
    if (owner.entries.length >= pending) {
      const oldest = owner.entries[0];
      if (oldest === undefined) return "control-limit";
      this.remove(oldest, "replaced");
    }
    if (owner.client.count >= this.#limits.perClient) return "client-limit";
    if (this.#entries.size >= this.#limits.total) return "total-limit";
    if (owner.entries.length === 0) this.#owners.set(slotOf(entry.master), owner);
    if (owner.client.count === 0) this.#clients.set(client, owner.client);
    owner.entries.push(entry);
    owner.ends.push(ends);
    owner.client.count++;
    this.#entries.add(entry);
    return null;
  }

  /** `entry` can now be met at `seen`. False when another entry is there already, or this one is gone. */
  place(entry: RelatedEntry, seen: Endpoint): boolean {
    if (entry.state !== "reserved") return false;
    entry.seen = seen;
    if (!this.#placed.add(entry)) {
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

  /** The same in numbers: the last 32 bits of the address. False: certainly not. */
  mayAwait(low: number, port: number): boolean {
    return this.#placed.may(low, port);
  }

  /** The entry that `from` may open at `seen`, used up by this unless it is multi-use; or why there is none. */
  claim(transport: Transport, seen: Endpoint, from: Endpoint, now: Ms): RelatedEntry | string {
    const entry = this.#placed.at(transport, seen, from.address);
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
    const owner = this.#owners.get(slotOf(master));
    if (owner?.master !== master) return;
    while (owner.entries.length > 0) this.remove(owner.entries[0]!, "control-closed");
  }

  /** Removes what has expired. */
  advance(now: Ms): void {
    for (const entry of this.#entries) if (now >= entry.expires) this.remove(entry, "expired");
  }

  #ownerOf(master: Handle, client: string): Owner {
    const owner = this.#owners.get(slotOf(master));
    if (owner?.master === master) return owner;
    // The slot was used again: whoever had it is closed.
    if (owner !== undefined) this.removeMaster(owner.master);
    return { master, client: this.#clients.get(client) ?? { name: client, count: 0 }, entries: [], ends: [] };
  }

  #replace(owner: Owner, entry: RelatedEntry, ends: number): void {
    for (let i = owner.ends.length - 1; i >= 0; i--) {
      if (owner.ends[i] === ends && sameEnds(entry, owner.entries[i]!)) this.remove(owner.entries[i]!, "replaced");
    }
  }

  #forget(entry: RelatedEntry): boolean {
    if (!this.#entries.delete(entry)) return false;
    this.#placed.delete(entry);
    const slot = slotOf(entry.master);
    const owner = this.#owners.get(slot)!;
    takeOut(owner, owner.entries.indexOf(entry));
    if (owner.entries.length === 0) this.#owners.delete(slot);
    if (--owner.client.count === 0) this.#clients.delete(owner.client.name);
    return true;
  }
}

/** It is the oldest, nearly always. */
function takeOut({ entries, ends }: Owner, at: number): void {
  if (at === 0) {
    entries.shift();
    ends.shift();
  } else {
    entries.splice(at, 1);
    ends.splice(at, 1);
  }
}
