/**
 * The socket path: listens where clients connect, and relays.
 *
 *   client -> VIP:port => realserver    admitted, connected; read by the service's helper, or relayed as it is
 */
import { createServer, type Server, type Socket } from "node:net";
import { Balancer, type ConnectionEntry } from "../../core/balancer.ts";
import type { RelatedEntry } from "../../core/flow/related.ts";
import type { Handle } from "../../core/flow/slots.ts";
import type { Settings } from "../../core/helper/api.ts";
import type { OnFailure } from "../../core/helper/run.ts";
import type { Decision } from "../../core/inspect/control.ts";
import { Counters } from "../../core/metrics.ts";
import type { ServiceSpec } from "../../core/service.ts";
import type { Endpoint, Ms, Port } from "../../core/units.ts";
import { endpointText, later } from "../../core/units.ts";
import { now } from "../clock.ts";
import type { Fields, Level, Log } from "../log.ts";
import { type ControlOwner, ControlSession } from "./control.ts";
import { remoteEnd } from "./endpoints.ts";
import { RelatedListeners, type RelatedPlan } from "./related.ts";
import { HIGH_WATER, relay } from "./relay.ts";
import { connectTo } from "./upstream.ts";

export interface ServicePlan extends ServiceSpec {
  readonly settings: Settings;
  readonly onRefuse: "refuse" | "forward";
  readonly onFailure: OnFailure;
}

export interface SocketPlan {
  readonly services: readonly ServicePlan[];
  readonly related: RelatedPlan;
  readonly timeouts: { readonly connect: Ms; readonly idle: Ms; readonly drain: Ms };
  /** An unsigned 32-bit number, unpredictable to clients. */
  readonly seed: number;
}

/** A service whose port could not be listened on. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly code: string | undefined;
  constructor(at: Endpoint, service: string, cause: NodeJS.ErrnoException) {
    super(`service ${service}: cannot listen on ${endpointText(at)}: ${cause.code ?? cause.message}`, { cause });
    this.code = cause.code;
  }
}

const SWEEP_EVERY = 250;
/** Stopping: a control connection without a transfer is ended once it was quiet for this long. */
const QUIET = 1000;
const SERVICE_BACKLOG = 4096;

export class SocketPath implements ControlOwner {
  readonly balancer: Balancer;
  readonly counters = new Counters();
  readonly #plan: SocketPlan;
  readonly #log: Log;
  readonly #servers: Server[] = [];
  readonly #related: RelatedListeners;
  readonly #controls = new Map<Handle, ControlSession>();
  readonly #sockets = new Set<Socket>();
  #ids = 0;
  #sweeper: NodeJS.Timeout | undefined;
  #stopping: (() => void) | null = null;

  constructor(plan: SocketPlan, log: Log) {
    this.#plan = plan;
    this.#log = log;
    this.balancer = new Balancer(plan.services, {
      limits: plan.related,
      seed: plan.seed,
      gone: (entry, reason) => {
        this.counters.count(`related.${reason}`);
        this.log("debug", "related-gone", { related: entry.id, reason });
        if (entry.seen !== null) this.release(entry, entry.seen);
      },
    });
    this.#related = new RelatedListeners(plan.related, {
      balancer: this.balancer,
      log,
      connectTimeout: plan.timeouts.connect,
      control: ({ master }) => (master === null ? undefined : this.#controls.get(master)),
      track: (socket) => this.#track(socket),
      turnAway: (socket, reason, fields) => this.#turnAway(socket, reason, fields),
      join: (client, real, connection, { id: related, kind }) => {
        const id = ++this.#ids;
        this.log("info", "connection", { id, related, role: "related", ...ends(connection) });
        this.counters.count(`related.${kind}`);
        this.#relay(id, client, real, connection);
      },
    });
  }

  /** Control connections, and related and plain ones, that are open now. */
  get open(): { readonly controls: number; readonly connections: number } {
    return { controls: this.#controls.size, connections: this.balancer.connections.size };
  }

  /** Listens on every port of every service; on failure nothing is left open and ListenError is thrown. */
  async start(): Promise<void> {
    try {
      for (const service of this.#plan.services) {
        for (const at of listenedPorts(service)) await this.#listen(service, at);
        if (service.helper !== null) await this.#related.stand(service.address);
      }
    } catch (error) {
      this.#closeListeners();
      throw error;
    }
    this.#sweeper = setInterval(() => this.#sweep(now()), SWEEP_EVERY);
  }

  /** Takes no new clients, lets transfers finish (for at most the drain time), then closes what is left. */
  async stop(): Promise<void> {
    for (const server of this.#servers) server.close();
    this.log("info", "draining", { ...this.open });
    const end = later(now(), this.#plan.timeouts.drain);
    const finished = new Promise<void>((resolve) => {
      this.#stopping = resolve;
    });
    const timer = setTimeout(() => this.#stopping?.(), end - now());
    this.#sweep(now());
    await finished;
    clearTimeout(timer);
    clearInterval(this.#sweeper);
    this.#closeListeners();
    for (const socket of this.#sockets) socket.destroy();
  }

  log(level: Level, event: string, fields: Fields): void {
    this.#log(level, event, fields);
  }

  // --- clients ----------------------------------------------------------------------------------------------------

  #listen(service: ServicePlan, at: Endpoint): Promise<void> {
    const server = createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true, highWaterMark: HIGH_WATER },
      (socket) => this.#accept(service, socket, at),
    );
    return new Promise((resolve, reject) => {
      server.once("error", (error) => reject(new ListenError(at, service.name, error)));
      server.listen({ host: at.address.toString(), port: at.port, backlog: SERVICE_BACKLOG, exclusive: true }, () => {
        server.removeAllListeners("error");
        server.on("error", (error) => this.log("error", "listener", { service: service.name, error: error.message }));
        this.#servers.push(server);
        resolve();
      });
    });
  }

  #accept(service: ServicePlan, client: Socket, virtual: Endpoint): void {
    this.#track(client);
    const from = remoteEnd(client);
    if (from === null) return void client.destroy();
    const entry = this.balancer.admit("tcp", from, virtual, now());
    if (typeof entry === "string")
      return this.#turnAway(client, entry, { service: service.name, from: endpointText(from) });
    this.#connect(service, client, entry);
  }

  /** Connects to the realserver chosen, or to the next one when it refuses. */
  #connect(service: ServicePlan, client: Socket, entry: ConnectionEntry): void {
    connectTo({ to: entry.real, timeout: this.#plan.timeouts.connect }, (real, reason) => {
      if (client.destroyed) {
        real?.destroy();
        this.balancer.close(entry, now());
      } else if (real !== null) {
        this.#track(real);
        this.#join(service, client, real, entry);
      } else {
        const failed = endpointText(entry.real);
        this.counters.count("realserver-refused");
        this.log("warn", "realserver-refused", { service: service.name, realserver: failed, reason });
        if (this.balancer.reschedule(entry, now()) !== null) return this.#connect(service, client, entry);
        this.balancer.close(entry, now());
        this.#turnAway(client, "no-realserver", { service: service.name, from: endpointText(entry.client) });
      }
    });
  }

  #join(service: ServicePlan, client: Socket, real: Socket, entry: ConnectionEntry): void {
    const id = ++this.#ids;
    this.log("info", "connection", { id, service: service.name, role: entry.role, ...ends(entry) });
    this.counters.count(`connections.${entry.role}`);
    if (entry.role !== "control" || service.helper === null) return this.#relay(id, client, real, entry);
    for (const socket of [client, real]) socket.setKeepAlive(true, 60_000);
    const { helper, settings, onRefuse, onFailure } = service;
    const options = { helper, settings, onRefuse, onFailure, balancer: this.balancer };
    this.#controls.set(entry.handle, new ControlSession(id, entry, { client, real }, this, options));
  }

  #relay(id: number, client: Socket, real: Socket, entry: ConnectionEntry): void {
    const control = entry.master === null ? undefined : this.#controls.get(entry.master);
    if (control !== undefined) control.related++;
    relay(client, real, ({ original, reply, error }) => {
      this.balancer.close(entry, now());
      if (control !== undefined) {
        control.related--;
        control.lastActive = now();
      }
      this.log("info", "closed", { id, role: entry.role, original, reply, error });
    });
  }

  #turnAway(socket: Socket, reason: string, fields: Fields): void {
    this.counters.count(`refused.${reason}`);
    this.log("warn", "refusal", { reason, ...fields });
    socket.resetAndDestroy();
  }

  // --- related connections ----------------------------------------------------------------------------------------

  prepare(session: ControlSession, entry: RelatedEntry, answer: (seen: Endpoint | null) => void): void {
    this.#related.prepare(session, entry, answer);
  }

  release(_entry: RelatedEntry, seen: Endpoint): void {
    this.#related.release(seen);
  }

  // --- control connections ----------------------------------------------------------------------------------------

  explained(_session: ControlSession, { outcome, reason }: Decision): void {
    this.counters.count(`${outcome}.${reason}`);
  }

  closed(session: ControlSession): void {
    const { id, entry, error, client, real } = session;
    this.#controls.delete(entry.handle);
    this.balancer.close(entry, now());
    this.log("info", "closed", { id, role: "control", original: client.bytesRead, reply: real.bytesRead, error });
  }

  #sweep(at: Ms): void {
    this.balancer.advance(at);
    for (const session of this.#controls.values()) {
      if (at >= session.deadline) session.advance(at);
      if (session.related > 0) session.lastActive = at;
      else if (at - session.lastActive >= this.#plan.timeouts.idle) session.destroy("idle");
      else if (this.#stopping !== null && at - session.lastActive >= QUIET) session.destroy("draining");
    }
    if (this.#stopping !== null && this.balancer.connections.size === 0) this.#stopping();
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #closeListeners(): void {
    for (const server of this.#servers) server.close();
    this.#related.close();
  }
}

function* listenedPorts({ address, ports }: ServiceSpec): Generator<Endpoint> {
  for (const { transport, first, last } of ports) {
    if (transport !== "tcp") continue;
    for (let port: number = first; port <= last; port++) yield { address, port: port as Port };
  }
}

const ends = ({ client, virtual, real }: ConnectionEntry): Fields => ({
  client: endpointText(client),
  virtual: endpointText(virtual),
  real: endpointText(real),
});
