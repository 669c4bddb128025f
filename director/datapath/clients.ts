/**
 * Clients over TCP, from their first packet until both ends are connected.
 *
 *   client -> VIP:port => realserver    admitted, connected, or given to the next that does not refuse
 */
import type { Balancer, ConnectionEntry } from "../../core/balancer.ts";
import type { Affinity } from "../../core/helper/api.ts";
import { askHelper } from "../../core/helper/run.ts";
import { roleOf } from "../../core/service.ts";
import type { Endpoint, Ms } from "../../core/units.ts";
import { endpointText, ms } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { now } from "../clock.ts";
import type { ServicePlan } from "../config/services.ts";
import { Durations } from "../durations.ts";
import type { Fields, Log } from "../log.ts";
import { OpeningStream } from "./opening.ts";
import { isReserved, notAllowed, ReservedPorts } from "./reserved.ts";
import type { Backend, Reason, Stream } from "./transport.ts";
import { isLocalFailure } from "./upstream.ts";

export interface ClientsOwner {
  readonly balancer: Balancer;
  readonly backend: Backend;
  readonly log: Log;
  /** For a connection to a realserver to be made. */
  connectTimeout(): Ms;
  count(name: string): void;
  /** `entry` was let in; it came to nothing. */
  opened(entry: ConnectionEntry): void;
  closed(entry: ConnectionEntry): void;
  /** Both ends are connected. */
  join(plan: ServicePlan, client: Stream, real: Stream, entry: ConnectionEntry): void;
  turnAway(stream: Stream, reason: Reason, fields: Fields): void;
}

export class Clients {
  readonly #owner: ClientsOwner;
  readonly #reserved = new ReservedPorts();
  /** How long it took to connect to realservers. */
  readonly connecting = new Durations();

  constructor(owner: ClientsOwner) {
    this.#owner = owner;
  }

  accept(plan: ServicePlan, client: Stream, virtual: Endpoint): void {
    const from = client.remote;
    if (from === null) return client.reset();
    const { helper, settings } = plan;
    const opening = roleOf(plan, virtual.port) === "control" ? helper?.requests?.opening : undefined;
    if (opening === undefined) return this.#admit(plan, client, from, virtual, null);
    const stream: Stream = new OpeningStream(client, (bytes) => {
      const request = bytes === null ? undefined : askHelper(() => opening(bytes, from.address, settings));
      if (request === null) return false;
      if (typeof request === "string") {
        this.#owner.turnAway(client, request, { service: plan.name, from: endpointText(from) });
      } else {
        this.#admit(plan, stream, from, virtual, request?.affinity ?? null);
      }
      return true;
    });
  }

  #admit(plan: ServicePlan, client: Stream, from: Endpoint, virtual: Endpoint, affinity: Affinity | null): void {
    const entry = this.#owner.balancer.admit("tcp", from, virtual, now(), affinity);
    if (typeof entry === "string")
      return this.#owner.turnAway(client, entry, { service: plan.name, from: endpointText(from) });
    this.#owner.opened(entry);
    this.#connect(plan, client, entry);
  }

  /** Connects to the realserver chosen, or to the next one when it refuses. */
  #connect(plan: ServicePlan, client: Stream, entry: ConnectionEntry): void {
    const began = now();
    this.#reach(plan, entry, (real, reason) => {
      if (real !== null) this.connecting.took(ms(now() - began));
      if (client.gone) {
        real?.reset();
        this.#owner.closed(entry);
      } else if (real !== null) {
        this.#owner.join(plan, client, real, entry);
      } else if (isLocalFailure(reason)) {
        this.#owner.closed(entry);
        this.#owner.turnAway(client, "director-exhausted", { service: plan.name, lacks: reason });
      } else {
        this.#refused(plan, client, entry, reason);
      }
    });
  }

  /** A client that comes from a reserved port, where that counts, is connected from one. */
  #reach(plan: ServicePlan, entry: ConnectionEntry, done: (real: Stream | null, reason: Reason) => void): void {
    const { backend, log } = this.#owner;
    const options = { to: entry.real, timeout: this.#owner.connectTimeout(), bulk: entry.role !== "control" };
    const { port } = entry.client;
    if (plan.helper?.reserved !== true || !isReserved(port)) return backend.connect(options, done);
    const from = { address: Address.parse(entry.real.address.family === 4 ? "0.0.0.0" : "::")! };
    this.#reserved.connect(backend, { ...options, from }, port, (real, reason) => {
      if (!notAllowed(reason)) return done(real, reason);
      log("warn", "no-reserved-port", { service: plan.name, reason });
      backend.connect(options, done);
    });
  }

  #refused(plan: ServicePlan, client: Stream, entry: ConnectionEntry, reason: Reason): void {
    const { balancer, log, count, closed, turnAway } = this.#owner;
    const { name } = plan;
    count("realserver-refused");
    log("warn", "realserver-refused", { service: name, realserver: endpointText(entry.real), reason });
    if (balancer.reschedule(entry, now()) !== null) return this.#connect(plan, client, entry);
    closed(entry);
    turnAway(client, "no-realserver", { service: name, from: endpointText(entry.client) });
  }
}
