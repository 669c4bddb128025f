/** A configured packet engine on TUN devices: what one thread forwards with. */
import { Balancer } from "../../../core/balancer.ts";
import { createOutput } from "../../../core/engine/batch.ts";
import { Engine } from "../../../core/engine.ts";
import type { RelatedEntry } from "../../../core/flow/related.ts";
import type { Endpoint, Ms } from "../../../core/units.ts";
import { Address } from "../../../core/wire/address.ts";
import { now } from "../../clock.ts";
import { planServices, readingOf, type ServicePlan } from "../../config/services.ts";
import type { Config } from "../../config.ts";
import { type Level, RANK } from "../../log.ts";
import type { Calls } from "./calls.ts";
import { EngineLog } from "./engine-log.ts";
import { PacketLoop } from "./loop.ts";
import type { Command, Direct, Down, LoggedEvent, Report, Snapshot, Tunnels, WorkerPlan } from "./messages.ts";
import { Offload } from "./offload.ts";
import { Operation } from "./operation.ts";
import { Sides } from "./sides.ts";
import { TunPort } from "./tun-port.ts";

/** Flows at most: 80 bytes each. */
const CAPACITY = 1 << 18;
/** Packets of a batch at most; the port's own number may be lower. */
const BATCH = 256;
/** Realservers at most: as many as the engine has numbers for. */
const DESTINATIONS = 0x10000;
/** Events told at once at most. */
const MOST_EVENTS = 256;

/** Draining: how long nothing must have passed. */
const QUIET = 250;
const PAUSE = 3000;

export class Forwarder {
  /** Loads the helpers and puts everything together. */
  static async make(
    calls: Calls,
    plan: WorkerPlan,
    config: Config,
    tell: (report: Report) => void,
    nextCommand: () => Command | null,
  ): Promise<Forwarder> {
    return new Forwarder(calls, plan, config, await planServices(config), tell, nextCommand);
  }

  readonly #balancer: Balancer;
  readonly #engine: Engine;
  readonly #port: TunPort;
  readonly #loop: PacketLoop;
  readonly #log: EngineLog;
  readonly #offload: Offload | null;
  readonly #tell: (report: Report) => void;
  readonly #nextCommand: () => Command | null;
  readonly #operation: Operation;
  readonly #fd: number;
  /** By the realserver's number: the device that leads there. */
  readonly #direct: Int32Array;
  readonly #sides: Sides;
  readonly #tunnels: { from: readonly Address[]; mtu: number };
  #services: readonly ServicePlan[];
  #least: Level | "silent";
  #watched = false;
  #events: LoggedEvent[] = [];
  #draining = false;

  private constructor(
    calls: Calls,
    plan: WorkerPlan,
    { related, log: { level: least } }: Config,
    services: readonly ServicePlan[],
    tell: (report: Report) => void,
    nextCommand: () => Command | null,
  ) {
    this.#tell = tell;
    this.#services = services;
    this.#least = least;
    this.#fd = plan.fd;
    this.#offload = plan.offload === null ? null : new Offload(calls, plan.offload);
    this.#nextCommand = nextCommand;
    const isHeard = (level: Level): boolean => this.#isHeard(level);
    this.#log = new EngineLog((level, event, fields = {}) => {
      if (isHeard(level)) this.#event({ level, event, fields });
    }, isHeard);
    this.#balancer = new Balancer(services, {
      limits: related,
      seed: plan.seeds.scheduler,
      keys: plan.seeds.related,
      gone: (entry, reason) => {
        const came = this.#offload?.remove(entry) ?? null;
        if (came !== null && came > 0) this.#log.offloaded(entry, came);
        else this.#log.gone(entry, reason);
      },
      passed: (reason) => this.#log.passed(reason),
    });
    markDown(this.#balancer, plan.down);
    this.#tunnels = tunnelsOf(plan.tunnels);
    this.#engine = new Engine(this.#balancer, {
      capacity: CAPACITY,
      seed: plan.seeds.flows,
      ports: plan.seeds.ports,
      tunnels: this.#tunnels,
      reading: (service) => readingOf(this.#services, service),
      explain: (decision, control) => this.#log.explain(decision, control),
      hears: (outcome) => this.#log.hears(outcome),
      observer: this.#log,
      ...(this.#offload !== null && { placed: this.#handOver(this.#offload) }),
    });
    this.#direct = new Int32Array(DESTINATIONS);
    this.#sides = new Sides([]);
    this.#lead(plan.direct);
    const [direct, sides] = [this.#direct, this.#sides];
    this.#port = new TunPort(calls, { fd: plan.fd, wake: plan.wake, direct, sides });
    this.#operation = new Operation({
      balancer: this.#balancer,
      engine: this.#engine,
      tell,
      counters: () => this.snapshot().counters,
      serves: (config, services) => this.#serves(config, services),
      changed: (ways) => this.#changed(ways),
      withdraw: (entry) => this.#withdraw(entry),
      watched: (watched) => {
        this.#watched = watched;
      },
    });
    this.#loop = new PacketLoop(this.#port, this.#engine, this.#balancer, createOutput(BATCH), {
      now,
      tick: (at) => this.#tick(at),
      work: () => this.#operation.turn(),
    });
  }

  /** Returns when it was told to stop: true; or when Node's event loop must turn, and then has to be called again. */
  run(): boolean {
    const stopped = this.#loop.run();
    this.#flush();
    return stopped;
  }

  /** The kernel has it before its client is told: returns when it is there, and only then is its reply written. */
  #handOver(offload: Offload) {
    return (entry: RelatedEntry, seen: Endpoint): void => {
      if (offload.add(entry, seen)) this.#log.handedOver(entry);
    };
  }

  #serves({ log: { level } }: Config, services: readonly ServicePlan[]): void {
    this.#services = services;
    this.#least = level;
  }

  #changed({ direct, tunnels }: { readonly direct: Direct; readonly tunnels: Tunnels }): void {
    Object.assign(this.#tunnels, tunnelsOf(tunnels));
    this.#lead(direct);
  }

  /** Whoever opens it from now on comes by here. What the kernel had of it is used up. */
  #withdraw(entry: RelatedEntry): void {
    const came = this.#offload?.remove(entry) ?? 0;
    if (came === 0) return;
    this.#log.offloaded(entry, came);
    this.#balancer.revoke(entry);
  }

  /** Where packets come from and go to, by the services that there are, and those that still have flows. */
  #lead(direct: Direct): void {
    const { flows } = this.#engine;
    const vips = this.#services.map(({ address }) => address);
    for (const { service, realserver } of flows.destinations()) {
      this.#direct[realserver.number] = direct[realserver.address.toString()] ?? this.#fd;
      if (realserver.active + realserver.inactive > 0) vips.push(service.spec.address);
    }
    this.#sides.update(vips);
  }

  snapshot(): Snapshot {
    const { counters, controls, requests, table, flows } = this.#engine;
    return {
      flows: table.size,
      connections: this.#balancer.connections.size,
      counters: {
        ...named("packets", counters.all()),
        ...named("flows", flows.ended.all()),
        ...named("requests", requests.counters.all()),
        ...controls.counters.all(),
        ...this.#log.counters.all(),
        ...named("kernel", Object.fromEntries(this.#port.refused)),
      },
    };
  }

  #tick(at: Ms): void {
    for (let command = this.#nextCommand(); command !== null; command = this.#nextCommand()) this.#obey(command);
    this.#flush();
    if (this.#draining && this.#isDrained(at)) this.#loop.stop();
  }

  /** Nothing passes any more. A connection that is established may pause for longer than one that is ending. */
  #isDrained(at: Ms): boolean {
    const { services } = this.#balancer;
    const active = services.some(({ realservers }) => realservers.some((realserver) => realserver.active > 0));
    return at - this.#loop.lastPacket >= (active ? PAUSE : QUIET);
  }

  #obey(command: Command): void {
    const { type } = command;
    if (type === "ask") this.#operation.ask(command.id, command.asked);
    else if (type === "stop") this.#loop.stop();
    else if (type === "snapshot") this.#tell({ type: "snapshot", snapshot: this.snapshot() });
    else this.#drain();
  }

  /** Takes no new clients, and ends when nothing passes any more. */
  #drain(): void {
    this.#draining = true;
    for (const { realservers } of this.#balancer.services) for (const realserver of realservers) realserver.weight = 0;
  }

  /** What nobody will read is not sent to the other thread. Refusals are kept there, whatever goes to the log. */
  #isHeard(level: Level): boolean {
    return this.#watched || RANK[level] >= Math.min(RANK[this.#least], RANK.warn);
  }

  #event(event: LoggedEvent): void {
    this.#events.push(event);
    if (this.#events.length >= MOST_EVENTS) this.#flush();
  }

  #flush(): void {
    if (this.#events.length === 0) return;
    this.#tell({ type: "events", events: this.#events });
    this.#events = [];
  }
}

const tunnelsOf = ({ from, mtu }: Tunnels): { from: readonly Address[]; mtu: number } => ({
  from: from.map((text) => Address.parse(text)!),
  mtu,
});

function markDown(balancer: Balancer, down: readonly Down[]): void {
  for (const { service: name, realserver: key } of down) {
    const service = balancer.services.find(({ spec }) => spec.name === name);
    const realserver = service?.realservers.find((one) => one.key === key);
    if (service !== undefined && realserver !== undefined) balancer.mark(service, realserver, false);
  }
}

const named = (of: string, counts: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).map(([name, count]) => [`${of}.${name}`, count]));
