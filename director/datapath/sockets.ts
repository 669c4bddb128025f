/**
 * The socket path: listens where clients connect, and relays. Its rooms:
 *
 *   listeners.ts     client -> VIP:port              waiting-room.ts  while more come than can be served
 *   clients.ts       admitted, and connected to a realserver
 *   joined.ts        both ends are there             operation.ts     what is asked of all rooms; state.ts what they have
 *   sessions.ts      control connections, read       related.ts       what they announced; media.ts the same of datagrams
 *   transfers.ts     what is relayed as it is        originated.ts    realserver -> client:113: whom it means is known
 *                                                                     by what it asks
 */
import { Balancer, type ConnectionEntry } from "../../core/balancer.ts";
import type { HashSeed } from "../../core/flow/key.ts";
import { Counters } from "../../core/metrics.ts";
import type { Ms } from "../../core/units.ts";
import { now } from "../clock.ts";
import { planServices, type ServicePlan } from "../config/services.ts";
import type { Config } from "../config.ts";
import { type Fields, type Level, type Log, LogLimit } from "../log.ts";
import { ChangeError } from "./change-error.ts";
import { Clients } from "./clients.ts";
import type { DatagramOwner } from "./datagram-owner.ts";
import { DatagramPorts } from "./datagram-ports.ts";
import { Joined } from "./joined.ts";
import { ServiceListeners } from "./listeners.ts";
import { MediaRelays } from "./media.ts";
import { SocketOperation } from "./operation.ts";
import { OriginatedListeners } from "./originated.ts";
import type { Datapath } from "./path.ts";
import { RelatedListeners, type RelatedPlan } from "./related.ts";
import { Sessions } from "./sessions.ts";
import { Transfers } from "./transfers.ts";
import type { Backend, Reason, Stream } from "./transport.ts";
import { type RoomLimits, WaitingRoom } from "./waiting-room.ts";

export interface SocketPlan {
  readonly services: readonly ServicePlan[];
  readonly related: RelatedPlan;
  readonly timeouts: { readonly connect: Ms; readonly idle: Ms; readonly drain: Ms };
  readonly backend: Backend;
  readonly room: RoomLimits;
  /** Unsigned 32-bit numbers, unpredictable to clients: of schedulers, and the key of what was announced. */
  readonly seed: number;
  readonly keys: HashSeed;
}

const SWEEP_EVERY = 250;

export class SocketPath implements Datapath {
  readonly balancer: Balancer;
  readonly about: Fields;
  readonly operated: SocketOperation;
  readonly counters = new Counters();
  #plan: SocketPlan;
  readonly #log: LogLimit;
  readonly #transfers = new Transfers();
  readonly #ports: DatagramPorts;
  readonly #media: MediaRelays;
  readonly #related: RelatedListeners;
  readonly #sessions: Sessions;
  readonly #joined: Joined;
  readonly #room: WaitingRoom;
  readonly #services: ServiceListeners;
  readonly #originated: OriginatedListeners;
  #sweeper: NodeJS.Timeout | undefined;
  #stopping: (() => void) | null = null;
  /** Changes come one after the other. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor(plan: SocketPlan, log: Log) {
    const { backend } = plan;
    this.#plan = plan;
    this.about = { backend: backend.name };
    this.#log = new LogLimit(log);
    this.#ports = new DatagramPorts(plan.related.ports);
    this.balancer = new Balancer(plan.services, {
      limits: plan.related,
      seed: plan.seed,
      keys: plan.keys,
      gone: (entry, reason) => {
        this.counters.count(`related.${reason}`);
        this.#say("debug", "related-gone", { related: entry.id, reason });
        if (entry.transport === "udp") this.#media.gone(entry, reason === "replaced");
        else if (entry.seen !== null) this.#sessions.release(entry, entry.seen);
      },
    });
    const shared = this.#shared();
    this.#media = new MediaRelays({
      ...shared,
      ports: this.#ports,
      opened: (connection, related, flow) => this.#joined.media(connection, related, flow),
    });
    this.#related = new RelatedListeners(plan.related, {
      ...shared,
      control: ({ master }) => (master === null ? undefined : this.#sessions.get(master)),
      join: (client, real, connection, related) => this.#joined.related(client, real, connection, related),
    });
    const rooms = { transfers: this.#transfers, media: this.#media, related: this.#related };
    this.#sessions = new Sessions({ ...shared, ...rooms });
    this.#joined = new Joined({ ...shared, ...rooms, sessions: this.#sessions });
    const clients = new Clients({
      ...shared,
      join: (service, client, real, entry) => this.#joined.client(service, client, real, entry),
    });
    this.#room = new WaitingRoom(plan.room, {
      ...shared,
      serve: (service, client, at) => clients.accept(service, client, at),
    });
    this.#originated = new OriginatedListeners({
      ...shared,
      join: (helper, client, real, entry) => this.#joined.originated(helper, client, real, entry),
    });
    this.#services = new ServiceListeners({
      backend,
      accepted: (service, client, at) => this.#room.enter(service, client, at),
      datagrams: (service) => this.#datagramOwner(service),
      failed: ({ name }, reason) => this.#say("error", "listener", { service: name, reason }),
    });
    this.operated = new SocketOperation({
      ...rooms,
      balancer: this.balancer,
      counters: this.counters,
      room: this.#room,
      clients,
      sessions: this.#sessions,
      services: this.#services,
      apply: (config) => this.#change(config),
    });
  }

  /** What the rooms ask of one another. */
  #shared() {
    return {
      balancer: this.balancer,
      backend: this.#plan.backend,
      log: this.#log.log,
      count: (name: string) => this.counters.count(name),
      opened: (entry: ConnectionEntry) => this.#transfers.opened(entry),
      closed: (entry: ConnectionEntry) => this.#joined.closed(entry),
      turnAway: (stream: Stream, reason: Reason, fields: Fields) => this.#turnAway(stream, reason, fields),
      connectTimeout: () => this.#plan.timeouts.connect,
    };
  }

  /** Control connections, and related and plain ones, that are open now. */
  get open(): { readonly controls: number; readonly connections: number } {
    return { controls: this.#sessions.size, connections: this.balancer.connections.size };
  }

  counts(): Promise<Readonly<Record<string, number>>> {
    return this.operated.counts();
  }

  /** Listens on every port of every service; on failure nothing is left open and ListenError is thrown. */
  async start(): Promise<void> {
    const prepared = await this.#services.prepare(this.#plan.services);
    await this.#stand(this.#plan.services);
    await this.#originated.listen(this.#plan.services);
    prepared.commit();
    this.#sweeper = setInterval(() => this.#sweep(now()), SWEEP_EVERY);
  }

  /** Takes no new clients, lets transfers finish (for at most the drain time), then cuts what is left. */
  async stop(): Promise<void> {
    const finished = new Promise<void>((resolve) => {
      this.#stopping = resolve;
    });
    await this.#changing.catch(() => {});
    this.#services.drain();
    this.#room.close();
    this.#say("info", "draining", { ...this.open });
    const timer = setTimeout(() => this.#stopping?.(), this.#plan.timeouts.drain);
    this.#sweep(now());
    await finished;
    clearTimeout(timer);
    this.abort();
  }

  /** Ends at once. What still runs is reset, so that nobody takes it for whole. */
  abort(): void {
    clearInterval(this.#sweeper);
    this.#services.close();
    this.#room.close();
    this.#related.close();
    this.#originated.close();
    const { controls, connections } = this.open;
    if (connections > 0) this.#say("warn", "cut", { controls, connections });
    this.#sessions.cut("stopped");
    this.#transfers.cut("stopped");
    this.#media.close();
    this.#plan.backend.abort();
    this.#log.flush(Number.POSITIVE_INFINITY as Ms);
  }

  #change(config: Config): Promise<void> {
    const change = this.#changing.catch(() => {}).then(() => this.#apply(config));
    this.#changing = change;
    return change;
  }

  /** Whatever can fail comes first; what changes, changes at once. Throws ChangeError, HelperError or ListenError. */
  async #apply({ related, timeouts, ...config }: Config): Promise<void> {
    const refused = whyNot(this.#plan, related, config.backend);
    if (refused !== null) throw refused;
    const services = await planServices(config);
    const prepared = await this.#services.prepare(services);
    if (this.#stopping !== null) {
      prepared.abandon();
      throw new ChangeError("stopping", "the director is stopping", "start it again with the new configuration");
    }
    this.#plan = { ...this.#plan, services, related, timeouts };
    this.balancer.change(services);
    this.balancer.related.limit(related);
    prepared.commit();
    await this.#originated.listen(services);
    await this.#stand(services);
  }

  #turnAway(stream: Stream, reason: Reason, fields: Fields): void {
    this.counters.count(`refused.${reason}`);
    this.#say("warn", "refusal", { reason, ...fields });
    stream.reset();
  }

  // --- what time brings -------------------------------------------------------------------------------------------

  #sweep(at: Ms): void {
    const { idle } = this.#plan.timeouts;
    this.balancer.advance(at);
    this.#log.flush(at);
    this.#services.sweep(at);
    this.#media.sweep(at);
    this.#related.sweep();
    this.#transfers.sweep(at, idle);
    this.#sessions.sweep(at, idle, this.#stopping !== null);
    if (this.#stopping !== null && this.balancer.connections.size === 0) this.#stopping();
  }

  /** Opens the standing listeners for what is announced to clients of `services`, where there are none yet. */
  async #stand(services: readonly ServicePlan[]): Promise<void> {
    const { standing: wanted, ports } = this.#plan.related;
    const announcing = services.filter(({ helper }) => helper !== null && helper.requests === undefined);
    for (const address of this.#related.need(announcing.map((service) => service.address))) {
      const listening = await this.#related.stand(address);
      if (listening >= wanted) continue;
      const { name } = announcing.find((service) => service.address.equals(address)) as ServicePlan;
      const range = ports === null ? "any" : `${ports.first}-${ports.last}`;
      this.#say("warn", "few-listeners", {
        service: name,
        address: address.toString(),
        ports: range,
        listening,
        wanted,
      });
    }
  }

  #datagramOwner(plan: () => ServicePlan): DatagramOwner {
    return {
      get service() {
        return plan().name;
      },
      get settings() {
        return plan().settings;
      },
      get onRefuse() {
        return plan().onRefuse;
      },
      get onFailure() {
        return plan().onFailure;
      },
      balancer: this.balancer,
      ports: this.#ports,
      log: this.#log.log,
      count: (name) => this.counters.count(name),
      id: () => this.#joined.id(),
      prepare: (entry, at, answered, answer) => {
        if (entry.transport === "udp") this.#media.prepare(at, entry, answered, answer);
        else this.#related.prepare(entry, at[entry.opener], answer);
      },
      withdrawn: (entries) => this.#media.withdrawn(entries),
      ended: (control) => this.#media.controlClosed(control.handle),
      release: (entry, seen) => this.#sessions.release(entry, seen),
      opened: (connection) => this.#transfers.opened(connection),
      closed: (connection) => this.#joined.closed(connection),
      busy: (control) => this.#transfers.busy(control),
    };
  }

  #say(level: Level, event: string, fields: Fields): void {
    this.#log.log(level, event, fields);
  }
}

/** What a running path cannot be given. */
function whyNot(plan: SocketPlan, related: RelatedPlan, backend: Config["backend"]): ChangeError | null {
  const { ports, standing } = plan.related;
  const name = plan.backend.name;
  const restart = "restart the director, or leave it as it was";
  if (backend !== "auto" && backend !== name) {
    return new ChangeError("restart-needed", `backend ${name} cannot become ${backend} while it runs`, restart);
  }
  if (ports?.first !== related.ports?.first || ports?.last !== related.ports?.last || standing !== related.standing) {
    return new ChangeError("restart-needed", "related.ports and related.standing cannot change while it runs", restart);
  }
  return null;
}
