/**
 * Connections that realservers open by themselves (ident). A realserver takes the director for its client, and asks there:
 *
 *   realserver:any -> director:113     its question names one of its connections: that one's client is who is meant
 *                     VIP:any -> client:113, and the helper writes the ports as each side knows them
 */
import type { Balancer, ConnectionEntry } from "../../core/balancer.ts";
import type { Helper, PortPair } from "../../core/helper/api.ts";
import { askHelper } from "../../core/helper/run.ts";
import type { Direction, Endpoint, Ms, Port } from "../../core/units.ts";
import { endpointText, inRange } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { helpers } from "../../helpers/index.ts";
import { now } from "../clock.ts";
import type { ServicePlan } from "../config/services.ts";
import type { Fields, Log } from "../log.ts";
import { OpeningStream } from "./opening.ts";
import type { Backend, Listener, Reason, Stream } from "./transport.ts";
import { addressTowards } from "./udp.ts";

const BACKLOG = 256;

export interface OriginatedOwner {
  readonly balancer: Balancer;
  readonly backend: Backend;
  readonly log: Log;
  connectTimeout(): Ms;
  opened(entry: ConnectionEntry): void;
  /** Both ends are connected, and `helper` reads what they say. */
  join(helper: Helper, client: Stream, real: Stream, entry: ConnectionEntry): void;
  turnAway(stream: Stream, reason: Reason, fields: Fields): void;
}

interface Door {
  readonly helper: Helper;
  readonly asksAbout: NonNullable<Helper["asksAbout"]>;
  readonly port: Port;
}

/** Where the helpers that know whom is meant are asked. */
const DOORS: readonly Door[] = helpers.flatMap((helper) => {
  const { asksAbout } = helper;
  return asksAbout === undefined ? [] : helper.ports.map((port) => ({ helper, asksAbout, port }));
});

const lets = (originates: ServicePlan["originates"], port: Port): boolean =>
  (originates ?? []).some((range) => inRange(range, "tcp", port));

export class OriginatedListeners {
  readonly #owner: OriginatedOwner;
  readonly #listeners = new Map<string, Listener>();

  constructor(owner: OriginatedOwner) {
    this.#owner = owner;
  }

  /** Listens where the realservers of `services` ask, and nowhere else. A port that cannot be had is told, and is no failure. */
  async listen(services: readonly ServicePlan[]): Promise<void> {
    const asked = new Set<string>();
    for (const door of DOORS) {
      const those = services.filter(({ originates }) => lets(originates, door.port));
      for (const { name, realservers } of those)
        for (const { address } of realservers) asked.add(await this.#open(door, name, address));
    }
    for (const [at, listener] of this.#listeners) {
      if (asked.has(at)) continue;
      listener.close();
      this.#listeners.delete(at);
    }
  }

  close(): void {
    for (const listener of this.#listeners.values()) listener.close();
  }

  /** Returns where `real` asks; the empty text: there is no way to it. */
  async #open(door: Door, service: string, real: Address): Promise<string> {
    const { backend, log } = this.#owner;
    const address = await addressTowards({ address: real, port: door.port });
    if (typeof address === "string") {
      log("warn", "no-originated", { service, reason: address });
      return "";
    }
    const at = endpointText({ address, port: door.port });
    if (this.#listeners.has(at)) return at;
    const listener = await backend.listen({
      at: { address, port: door.port },
      backlog: BACKLOG,
      accepted: (stream) => this.#accept(door, stream),
      failed: (reason) => log("error", "listener", { address: address.toString(), reason }),
    });
    if (typeof listener !== "string") this.#listeners.set(at, listener);
    else log("warn", "no-originated", { service, address: at, reason: listener });
    return at;
  }

  #accept(door: Door, stream: Stream): void {
    const from = stream.remote;
    if (from === null) return stream.reset();
    const look = (bytes: Uint8Array | null): boolean => {
      const about = bytes === null ? "says-nothing" : askHelper(() => door.asksAbout(bytes));
      if (about === null) return false;
      const entry = typeof about === "string" ? about : this.#whose(from.address, about, door.port);
      if (typeof entry === "string") this.#owner.turnAway(stream, entry, { from: endpointText(from) });
      else this.#connect(door, real, from, entry);
      return true;
    };
    // proftpd says nothing for five seconds, whoever it asks.
    const real: Stream = new OpeningStream(stream, look, door.helper.limits.patience);
  }

  #whose(real: Address, pair: PortPair, port: Port): ConnectionEntry | "no-connection" {
    const entry = find(this.#owner.balancer, (one) => isOfReal(one, real, pair));
    if (!entry?.service.realservers.includes(entry.realserver)) return "no-connection";
    return lets(entry.service.spec.originates, port) ? entry : "no-connection";
  }

  /** To the client of `about`, as the address that it knows. */
  #connect({ helper, port }: Door, real: Stream, from: Endpoint, about: ConnectionEntry): void {
    const { backend, balancer, connectTimeout, opened, join, turnAway } = this.#owner;
    const client = { address: about.client.address, port };
    const { address } = about.virtual;
    const options = { to: client, from: { address, port: null }, timeout: connectTimeout(), bulk: false };
    backend.connect(options, (stream, reason) => {
      if (stream === null) return turnAway(real, "client-refused", { from: endpointText(from), reason });
      if (real.gone || stream.local === null) {
        stream.reset();
        return real.reset();
      }
      const entry = balancer.originate(about.service, "tcp", client, stream.local, from, now());
      opened(entry);
      join(helper, stream, real, entry);
    });
  }
}

const find = ({ connections }: Balancer, matches: (entry: ConnectionEntry) => boolean): ConnectionEntry | null => {
  for (const entry of connections) if (entry.transport === "tcp" && matches(entry)) return entry;
  return null;
};

const isOfReal = ({ real, source }: ConnectionEntry, address: Address, { client, server }: PortPair): boolean =>
  real.port === server && source?.port === client && real.address.equals(address);

const isOfClient = (one: ConnectionEntry, address: Address, { client, server }: PortPair): boolean =>
  one.client.port === client && one.virtual.port === server && one.client.address.equals(address);

/** How the receiver of `direction` knows the connection that its sender knows as `pair`; null: there is none. */
export function translated(
  balancer: Balancer,
  { client, real }: ConnectionEntry,
  direction: Direction,
  pair: PortPair,
): PortPair | null {
  if (direction === "reply") {
    const entry = find(balancer, (one) => isOfReal(one, real.address, pair));
    return entry === null ? null : { client: entry.client.port, server: entry.virtual.port };
  }
  const entry = find(balancer, (one) => one.source !== undefined && isOfClient(one, client.address, pair));
  return entry === null ? null : { client: entry.source!.port, server: entry.real.port };
}
