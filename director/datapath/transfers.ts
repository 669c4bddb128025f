/** The connections that no helper reads, and which control connections they keep from being idle. */
import type { ConnectionEntry } from "../../core/balancer.ts";
import type { Handle } from "../../core/flow/slots.ts";
import type { Ms } from "../../core/units.ts";
import type { Relay } from "./relay.ts";

export class Transfers {
  readonly #relays = new Map<Relay, ConnectionEntry>();
  readonly #related = new Map<Handle, number>();
  /** Connections to data ports of a port group (FTPS), which name no control connection: by service and client. */
  readonly #data = new Map<string, number>();

  /** `entry` was let in; its ends may still have to be connected. */
  opened(entry: ConnectionEntry): void {
    this.#count(entry, 1);
  }

  closed(entry: ConnectionEntry): void {
    this.#count(entry, -1);
  }

  add(relay: Relay, entry: ConnectionEntry): void {
    this.#relays.set(relay, entry);
  }

  delete(relay: Relay): void {
    this.#relays.delete(relay);
  }

  /** Whether `control` has a data connection. */
  busy(control: ConnectionEntry): boolean {
    return this.#related.has(control.handle) || (control.pinned && this.#data.has(dataKey(control)));
  }

  /** Cuts those that stood still for `idle`. */
  sweep(at: Ms, idle: Ms): void {
    for (const relay of this.#relays.keys()) if (!relay.lasting && at - relay.lastActive >= idle) relay.cut("idle");
  }

  /** Cuts those whose entry `matches`; how many. */
  cut(reason: string, matches: (entry: ConnectionEntry) => boolean = () => true): number {
    const those = [...this.#relays].filter(([, entry]) => matches(entry));
    for (const [relay] of those) relay.cut(reason);
    return those.length;
  }

  #count(entry: ConnectionEntry, by: 1 | -1): void {
    if (entry.role === "related") bump(this.#related, entry.master!, by);
    else if (entry.role === "data") bump(this.#data, dataKey(entry), by);
  }
}

const dataKey = ({ service, client }: ConnectionEntry): string => `${service.spec.name} ${client.address}`;

function bump<K>(counts: Map<K, number>, key: K, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
