/**
 * The socket path: listens where clients connect, and relays.
 *
 *   client -> VIP:port => realserver    admitted, connected; read by the service's helper, or relayed as it is
 */
import { Balancer, type ConnectionEntry } from "../../core/balancer.ts";
import type { RelatedEntry } from "../../core/flow/related.ts";
import type { Handle } from "../../core/flow/slots.ts";
import type { Affinity } from "../../core/helper/api.ts";
import { askHelper } from "../../core/helper/run.ts";
import type { Decision } from "../../core/inspect/control.ts";
import { Counters } from "../../core/metrics.ts";
import { roleOf } from "../../core/service.ts";
import type { Endpoint, Ms } from "../../core/units.ts";
import { endpointText, seconds } from "../../core/units.ts";
import { now } from "../clock.ts";
import type { ServicePlan } from "../config/services.ts";
import { type Fields, type Level, type Log, LogLimit } from "../log.ts";
import { type ControlOwner, ControlSession } from "./control.ts";
import type { DatagramOwner } from "./datagram-owner.ts";
import { DatagramPorts } from "./datagram-ports.ts";
import { ServiceListeners } from "./listeners.ts";
import { MediaRelays } from "./media.ts";
import { OpeningStream } from "./opening.ts";
import type { Datapath } from "./path.ts";
import { RelatedListeners, type RelatedPlan } from "./related.ts";
import { Relay } from "./relay.ts";
import { Transfers } from "./transfers.ts";
import type { Backend, Reason, Stream } from "./transport.ts";
import { isLocalFailure } from "./upstream.ts";

export interface SocketPlan {
  readonly services: readonly ServicePlan[];
  readonly related: RelatedPlan;
  readonly timeouts: { readonly connect: Ms; readonly idle: Ms; readonly drain: Ms };
  readonly backend: Backend;
  /** An unsigned 32-bit number, unpredictable to clients. */
  readonly seed: number;
}

const SWEEP_EVERY = 250;
/** A control connection may be quiet for long; whoever it is with must be there all the same. */
const KEEP_ALIVE = seconds(60);
/** Stopping: a control connection without a transfer is ended once it was quiet for this long, */
const QUIET = 1000;
/** or for this long, when the realserver has yet to reply to a command or to say that a transfer is complete. */
const PATIENCE = 3000;
/** What a half-closed control connection announced and nobody opened is waited for so long; its datagrams end then. */
const HALF_CLOSED = 500;
/** And the other side of it is given so long to end as well, once it has nothing more to say. */
const LINGER = 5000;

export class SocketPath implements ControlOwner, Datapath {
  readonly balancer: Balancer;
  readonly about: Fields;
  readonly operated = null;
  readonly counters = new Counters();
  readonly #plan: SocketPlan;
  readonly #log: LogLimit;
  readonly #services: ServiceListeners<ServicePlan>;
  readonly #related: RelatedListeners;
  readonly #controls = new Map<Handle, ControlSession>();
  readonly #transfers = new Transfers();
  readonly #ports: DatagramPorts;
  readonly #media: MediaRelays;
  #ids = 0;
  #sweeper: NodeJS.Timeout | undefined;
  #stopping: (() => void) | null = null;

  constructor(plan: SocketPlan, log: Log) {
    this.#plan = plan;
    this.about = { backend: plan.backend.name };
    this.#log = new LogLimit(log);
    this.#ports = new DatagramPorts(plan.related.ports);
    this.balancer = new Balancer(plan.services, {
      limits: plan.related,
      seed: plan.seed,
      gone: (entry, reason) => {
        this.counters.count(`related.${reason}`);
        this.log("debug", "related-gone", { related: entry.id, reason });
        if (entry.seen !== null) this.release(entry, entry.seen);
        else if (entry.transport === "udp") this.#media.gone(entry);
      },
    });
    this.#media = new MediaRelays({
      balancer: this.balancer,
      ports: this.#ports,
      log: this.#log.log,
      count: (name) => this.counters.count(name),
      opened: (connection, related) => this.#openMedia(connection, related),
      closed: (connection) => this.#close(connection),
    });
    const { backend } = plan;
    this.#services = new ServiceListeners<ServicePlan>({
      backend,
      accepted: (service, client, at) => this.#accept(service, client, at),
      datagrams: (service) => this.#datagramOwner(service),
      failed: ({ name }, reason) => this.log("error", "listener", { service: name, reason }),
    });
    this.#related = new RelatedListeners(plan.related, {
      balancer: this.balancer,
      log: this.#log.log,
      backend,
      connectTimeout: plan.timeouts.connect,
      control: ({ master }) => (master === null ? undefined : this.#controls.get(master)),
      turnAway: (stream, reason, fields) => this.#turnAway(stream, reason, fields),
      opened: (connection) => this.#transfers.opened(connection),
      closed: (connection) => this.#close(connection),
      join: (client, real, connection, related) => this.#joinRelated(client, real, connection, related),
    });
  }

  /** Control connections, and related and plain ones, that are open now. */
  get open(): { readonly controls: number; readonly connections: number } {
    return { controls: this.#controls.size, connections: this.balancer.connections.size };
  }

  async counts(): Promise<Readonly<Record<string, number>>> {
    return this.counters.all();
  }

  /** Listens on every port of every service; on failure nothing is left open and ListenError is thrown. */
  async start(): Promise<void> {
    try {
      for (const service of this.#plan.services) {
        await this.#services.listen(service);
        if (service.helper !== null && service.helper.requests === undefined) await this.#stand(service);
      }
    } catch (error) {
      this.#closeListeners();
      throw error;
    }
    this.#sweeper = setInterval(() => this.#sweep(now()), SWEEP_EVERY);
  }

  /** Takes no new clients, lets transfers finish (for at most the drain time), then cuts what is left. */
  async stop(): Promise<void> {
    this.#services.close();
    this.log("info", "draining", { ...this.open });
    const finished = new Promise<void>((resolve) => {
      this.#stopping = resolve;
    });
    const timer = setTimeout(() => this.#stopping?.(), this.#plan.timeouts.drain);
    this.#sweep(now());
    await finished;
    clearTimeout(timer);
    this.abort();
  }

  /** Ends at once. What still runs is reset, so that nobody takes it for whole. */
  abort(): void {
    clearInterval(this.#sweeper);
    this.#closeListeners();
    const { controls, connections } = this.open;
    if (connections > 0) this.log("warn", "cut", { controls, connections });
    for (const session of this.#controls.values()) session.destroy("stopped");
    this.#transfers.cut("stopped");
    this.#media.close();
    this.#plan.backend.abort();
    this.#log.flush(Number.POSITIVE_INFINITY as Ms);
  }

  log(level: Level, event: string, fields: Fields): void {
    this.#log.log(level, event, fields);
  }

  async #stand({ name, address }: ServicePlan): Promise<void> {
    const { standing: wanted, ports } = this.#plan.related;
    const listening = await this.#related.stand(address);
    if (listening >= wanted) return;
    const range = ports === null ? "any" : `${ports.first}-${ports.last}`;
    this.log("warn", "few-listeners", { service: name, address: address.toString(), ports: range, listening, wanted });
  }

  #datagramOwner({ name: service, helper, settings, onRefuse, onFailure }: ServicePlan): DatagramOwner {
    return {
      service,
      helper,
      settings,
      onRefuse,
      onFailure,
      balancer: this.balancer,
      ports: this.#ports,
      log: this.#log.log,
      count: (name) => this.counters.count(name),
      id: () => ++this.#ids,
      prepare: (at, answer) => this.#related.prepare(at, answer),
      release: (entry, seen) => this.release(entry, seen),
      opened: (connection) => this.#transfers.opened(connection),
      closed: (connection) => this.#close(connection),
      busy: (control) => this.#transfers.busy(control),
    };
  }

  // --- clients ----------------------------------------------------------------------------------------------------

  #accept(service: ServicePlan, client: Stream, virtual: Endpoint): void {
    const from = client.remote;
    if (from === null) return client.reset();
    const { helper, settings } = service;
    const opening = roleOf(service, virtual.port) === "control" ? helper?.requests?.opening : undefined;
    if (opening === undefined) return this.#admit(service, client, from, virtual, null);
    const stream: Stream = new OpeningStream(client, (bytes) => {
      const request = bytes === null ? undefined : askHelper(() => opening(bytes, from.address, settings));
      if (request === null) return false;
      if (typeof request === "string") {
        this.#turnAway(client, request, { service: service.name, from: endpointText(from) });
      } else {
        this.#admit(service, stream, from, virtual, request?.affinity ?? null);
      }
      return true;
    });
  }

  #admit(service: ServicePlan, client: Stream, from: Endpoint, virtual: Endpoint, affinity: Affinity | null): void {
    const entry = this.balancer.admit("tcp", from, virtual, now(), affinity);
    if (typeof entry === "string")
      return this.#turnAway(client, entry, { service: service.name, from: endpointText(from) });
    this.#transfers.opened(entry);
    this.#connect(service, client, entry);
  }

  /** Connects to the realserver chosen, or to the next one when it refuses. */
  #connect(service: ServicePlan, client: Stream, entry: ConnectionEntry): void {
    const { backend, timeouts } = this.#plan;
    const options = { to: entry.real, timeout: timeouts.connect, bulk: entry.role !== "control" };
    backend.connect(options, (real, reason) => {
      if (client.gone) {
        real?.reset();
        this.#close(entry);
      } else if (real !== null) {
        this.#join(service, client, real, entry);
      } else if (isLocalFailure(reason)) {
        this.#close(entry);
        this.#turnAway(client, "director-exhausted", { service: service.name, lacks: reason });
      } else {
        this.#refused(service, client, entry, reason);
      }
    });
  }

  #refused(service: ServicePlan, client: Stream, entry: ConnectionEntry, reason: Reason): void {
    const { name } = service;
    this.counters.count("realserver-refused");
    this.log("warn", "realserver-refused", { service: name, realserver: endpointText(entry.real), reason });
    if (this.balancer.reschedule(entry, now()) !== null) return this.#connect(service, client, entry);
    this.#close(entry);
    this.#turnAway(client, "no-realserver", { service: name, from: endpointText(entry.client) });
  }

  #join(service: ServicePlan, client: Stream, real: Stream, entry: ConnectionEntry): void {
    const id = ++this.#ids;
    this.log("info", "connection", { id, service: service.name, role: entry.role, ...ends(entry) });
    this.counters.count(`connections.${entry.role}`);
    if (entry.role !== "control" || service.helper === null) return this.#relay(id, client, real, entry);
    for (const stream of [client, real]) stream.keepAlive(KEEP_ALIVE);
    const { helper, settings, onRefuse, onFailure } = service;
    const options = { helper, settings, onRefuse, onFailure, balancer: this.balancer };
    this.#controls.set(entry.handle, new ControlSession(id, entry, { client, real }, this, options));
  }

  #joinRelated(client: Stream, real: Stream, connection: ConnectionEntry, related: RelatedEntry): void {
    const id = ++this.#ids;
    const control = this.#controls.get(related.master)?.id;
    this.log("info", "connection", { id, control, related: related.id, role: "related", ...ends(connection) });
    this.counters.count(`related.${related.kind}`);
    // X11: windows stay open for as long as their user is away.
    const lasting = related.uses === "many";
    if (lasting) for (const stream of [client, real]) stream.keepAlive(KEEP_ALIVE);
    this.#relay(id, client, real, connection, lasting);
  }

  #openMedia(connection: ConnectionEntry, related: RelatedEntry): void {
    const control = this.#controls.get(related.master)?.id;
    const fields = { id: ++this.#ids, control, related: related.id, role: "related", ...ends(connection) };
    this.log("info", "connection", fields);
    this.counters.count(`related.${related.kind}`);
    this.#transfers.opened(connection);
  }

  #relay(id: number, client: Stream, real: Stream, entry: ConnectionEntry, lasting = false): void {
    const done = (relay: Relay): void => {
      this.#transfers.delete(relay);
      this.#close(entry);
      const [original, reply] = [relay.client.bytesRead, relay.real.bytesRead];
      this.log("info", "closed", { id, role: entry.role, original, reply, error: relay.error });
    };
    this.#transfers.add(new Relay(client, real, done, lasting));
  }

  #close(entry: ConnectionEntry): void {
    this.#transfers.closed(entry);
    this.balancer.close(entry, now());
  }

  #turnAway(stream: Stream, reason: Reason, fields: Fields): void {
    this.counters.count(`refused.${reason}`);
    this.log("warn", "refusal", { reason, ...fields });
    stream.reset();
  }

  // --- related connections ----------------------------------------------------------------------------------------

  prepare(
    { client: { local: client }, real: { local: real } }: ControlSession,
    entry: RelatedEntry,
    answered: RelatedEntry | null,
    answer: (seen: Endpoint | null) => void,
  ): void {
    if (client === null || real === null) return answer(null);
    const at = { original: client.address, reply: real.address };
    if (entry.transport === "udp") this.#media.prepare(at, entry, answered, answer);
    else this.#related.prepare(at[entry.opener], answer);
  }

  release(entry: RelatedEntry, seen: Endpoint): void {
    if (entry.transport === "tcp") this.#related.release(seen);
    else this.#media.gone(entry);
  }

  withdrawn(entries: readonly RelatedEntry[]): void {
    this.#media.withdrawn(entries);
  }

  // --- control connections ----------------------------------------------------------------------------------------

  explained(_session: ControlSession, { outcome, reason }: Decision): void {
    this.counters.count(`${outcome}.${reason}`);
  }

  closed(session: ControlSession): void {
    const { id, entry, error, client, real } = session;
    this.#controls.delete(entry.handle);
    this.#media.controlClosed(entry.handle);
    this.#close(entry);
    this.log("info", "closed", { id, role: "control", original: client.bytesRead, reply: real.bytesRead, error });
  }

  #sweep(at: Ms): void {
    this.balancer.advance(at);
    this.#log.flush(at);
    this.#services.sweep(at);
    this.#media.sweep(at);
    this.#transfers.sweep(at, this.#plan.timeouts.idle);
    for (const session of this.#controls.values()) this.#look(session, at);
    if (this.#stopping !== null && this.balancer.connections.size === 0) this.#stopping();
  }

  /** Runs what time brings to one control connection. */
  #look(session: ControlSession, at: Ms): void {
    const { entry, endedAt } = session;
    if (at >= session.deadline) session.advance(at);
    if (endedAt !== null && at - endedAt >= HALF_CLOSED) {
      this.balancer.related.removeMaster(entry.handle);
      this.#media.controlClosed(entry.handle);
    }
    if (this.#transfers.busy(entry)) {
      session.lastActive = at;
      session.owesReply = true;
      return;
    }
    const quiet = at - session.lastActive;
    if (quiet >= this.#plan.timeouts.idle) session.finish("idle", at);
    else if (endedAt !== null && quiet >= LINGER) session.finish("half-closed", at);
    else if (this.#stopping !== null && quiet >= (session.owesReply ? PATIENCE : QUIET)) session.finish("draining", at);
  }

  #closeListeners(): void {
    this.#services.close();
    this.#related.close();
  }
}

const ends = ({ client, virtual, real }: ConnectionEntry): Fields => ({
  client: endpointText(client),
  virtual: endpointText(virtual),
  real: endpointText(real),
});
