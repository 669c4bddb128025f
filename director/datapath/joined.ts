/** Connections whose both ends are connected: who reads them, or that nobody does, and what is told of them. */
import type { Balancer, ConnectionEntry } from "../../core/balancer.ts";
import type { RelatedEntry } from "../../core/flow/related.ts";
import type { Helper } from "../../core/helper/api.ts";
import { endpointText } from "../../core/units.ts";
import { now } from "../clock.ts";
import type { ServicePlan } from "../config/services.ts";
import type { Fields, Log } from "../log.ts";
import { Relay } from "./relay.ts";
import { KEEP_ALIVE, type Sessions } from "./sessions.ts";
import type { Transfers } from "./transfers.ts";
import type { Stream } from "./transport.ts";

export interface JoinedOwner {
  readonly balancer: Balancer;
  readonly transfers: Transfers;
  readonly sessions: Sessions;
  readonly log: Log;
  count(name: string): void;
}

export class Joined {
  readonly #owner: JoinedOwner;
  #ids = 0;

  constructor(owner: JoinedOwner) {
    this.#owner = owner;
  }

  /** Of what is told of it from now on. */
  id(): number {
    return ++this.#ids;
  }

  /** A client that came to a service. */
  client(service: ServicePlan, client: Stream, real: Stream, entry: ConnectionEntry): void {
    const { sessions } = this.#owner;
    const id = this.id();
    this.#owner.log("info", "connection", { id, service: service.name, role: entry.role, ...ends(entry) });
    this.#owner.count(`connections.${entry.role}`);
    if (real.local !== null) entry.source = real.local;
    if (entry.role !== "control" || service.helper === null) return this.#relay(id, client, real, entry);
    sessions.open(id, service, client, real, entry);
  }

  /** A realserver that connected to a client by itself. */
  originated(helper: Helper, client: Stream, real: Stream, entry: ConnectionEntry): void {
    const id = this.id();
    const { name: service } = entry.service.spec;
    this.#owner.log("info", "connection", { id, service, role: "originated", ...ends(entry) });
    this.#owner.count("connections.originated");
    const settings = { strict: false, hold: helper.limits.hold };
    this.#owner.sessions.open(id, { helper, settings, onRefuse: "refuse", onFailure: "open" }, client, real, entry);
  }

  /** A connection that was announced. */
  related(client: Stream, real: Stream, connection: ConnectionEntry, related: RelatedEntry): void {
    // X11: windows stay open for as long as their user is away.
    const lasting = related.uses === "many";
    if (lasting) for (const stream of [client, real]) stream.keepAlive(KEEP_ALIVE);
    this.#relay(this.#tellRelated(connection, related, this.id()), client, real, connection, lasting);
  }

  /** An announced flow of datagrams; `flow`: the number of its other way, if that is open. Its own number. */
  media(connection: ConnectionEntry, related: RelatedEntry, flow: number | null): number {
    this.#owner.transfers.opened(connection);
    return this.#tellRelated(connection, related, flow ?? this.id());
  }

  closed(entry: ConnectionEntry): void {
    this.#owner.transfers.closed(entry);
    this.#owner.balancer.close(entry, now());
  }

  #tellRelated(connection: ConnectionEntry, related: RelatedEntry, id: number): number {
    const control = this.#owner.sessions.get(related.master)?.id;
    this.#owner.log("info", "connection", { id, control, related: related.id, role: "related", ...ends(connection) });
    this.#owner.count(`related.${related.kind}`);
    return id;
  }

  #relay(id: number, client: Stream, real: Stream, entry: ConnectionEntry, lasting = false): void {
    const done = (relay: Relay): void => {
      this.#owner.transfers.delete(relay);
      this.closed(entry);
      const [original, reply] = [relay.client.bytesRead, relay.real.bytesRead];
      this.#owner.log("info", "closed", { id, role: entry.role, original, reply, error: relay.error });
    };
    this.#owner.transfers.add(new Relay(client, real, done, lasting), entry);
  }
}

const ends = ({ client, virtual, real }: ConnectionEntry): Fields => ({
  client: endpointText(client),
  virtual: endpointText(virtual),
  real: endpointText(real),
});
