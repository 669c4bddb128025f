/**
 * What can be asked of the thread that forwards, and told to it: the answers to `Asked`, each as a job (jobs.ts), so that
 * a table of a million flows is listed, or emptied, while its packets go on.
 */
import type { Balancer } from "../../../core/balancer.ts";
import { addTraffic, type FlowRole, noTraffic } from "../../../core/engine/account.ts";
import { type Carried, carriedBy, flowIds, isClient, isTcp, roleOf, viewFlow } from "../../../core/engine/census.ts";
import type { Destination } from "../../../core/engine/destinations.ts";
import { Ending } from "../../../core/engine/reason.ts";
import type { Engine } from "../../../core/engine.ts";
import type { RelatedEntry } from "../../../core/flow/related.ts";
import type { Realserver, Service } from "../../../core/service.ts";
import { endpointText } from "../../../core/units.ts";
import { Address } from "../../../core/wire/address.ts";
import { now } from "../../clock.ts";
import { planServices, type ServicePlan } from "../../config/services.ts";
import type { Config } from "../../config.ts";
import type { ConnectionState, Query, RealserverState, Scope, ServiceState } from "../../control/operated.ts";
import * as state from "../state.ts";
import { type Rest, troubleOf } from "./asks.ts";
import { unpackConfig } from "./config.ts";
import { type Job, Jobs, settled } from "./jobs.ts";
import type { Asked, Direct, Reply, Tunnels } from "./messages.ts";

export interface OperationHost {
  readonly balancer: Balancer;
  readonly engine: Pick<Engine, "flows" | "update">;
  tell(reply: Reply): void;
  /** By name. */
  counters(): Readonly<Record<string, number>>;
  /** The balancer has other services now. The engine learns of them next, and asks how new ones are read. */
  serves(config: Config, services: readonly ServicePlan[]): void;
  /** The engine knows them, and their realservers have numbers. */
  changed(ways: { readonly direct: Direct; readonly tunnels: Tunnels }): void;
  /** What `entry` announced is not to be met in the kernel any more. */
  withdraw(entry: RelatedEntry): void;
  /** Whether somebody wants to know all that happens. */
  watched(watched: boolean): void;
}

/** What is looked at in one step, of what is quickly looked at; items in one message. */
const STEP = 256;

export class Operation {
  readonly #host: OperationHost;
  readonly #jobs = new Jobs();

  constructor(host: OperationHost) {
    this.#host = host;
  }

  ask(id: number, asked: Asked): void {
    const { tell } = this.#host;
    this.#jobs.add(this.#answer(asked), {
      part: (items) => tell({ type: "items", id, items }),
      done: (answer) => tell({ type: "answer", id, answer }),
      failed: (error) => tell({ type: "trouble", id, trouble: troubleOf(error) }),
    });
  }

  /** A little of what is to be done: see Jobs. */
  turn(): ReturnType<Jobs["turn"]> {
    return this.#jobs.turn();
  }

  #answer(asked: Asked): Job<unknown> {
    const { balancer } = this.#host;
    switch (asked.what) {
      case "apply":
        return this.#apply(asked);
      case "services":
        return this.#services();
      case "counts":
        return this.#counts();
      case "connections":
        return listed(this.#connections(asked.query), asked.query.limit);
      case "related":
        return listed(state.related(balancer, asked.query, now()), asked.query.limit);
      case "groups":
        return listed(state.templates(balancer, "pins", asked.query, now()), asked.query.limit);
      case "persistence":
        return listed(state.templates(balancer, "templates", asked.query, now()), asked.query.limit);
      case "mark":
        return this.#mark(asked.service, asked.realserver, asked.up);
      case "drop":
        return this.#drop(asked.scope);
      case "forget":
        return at(() => state.forget(balancer, asked.scope));
      case "watched":
        return at(() => {
          this.#host.watched(asked.watched);
          return null;
        });
    }
  }

  /** Helpers are loaded first, while packets go on; what follows cannot fail. */
  *#apply({ config: packed, ...ways }: Extract<Asked, { readonly what: "apply" }>): Job<null> {
    const { balancer, engine, serves, changed } = this.#host;
    const config = unpackConfig(packed);
    const services = yield* settled(planServices(config));
    balancer.change(services);
    balancer.related.limit(config.related);
    serves(config, services);
    engine.update();
    changed(ways);
    return null;
  }

  *#services(): Job<readonly ServiceState[]> {
    const { balancer, engine } = this.#host;
    const all = yield* carriedBy(engine.flows);
    const states = new Map<Realserver, RealserverState>();
    const gone = new Map<Service, Realserver[]>();
    for (const [to, carried] of all) {
      const { service, realserver } = to;
      states.set(realserver, realserverState(to, carried));
      if (!service.realservers.includes(realserver) && realserver.active + realserver.inactive > 0) {
        gone.set(service, [...(gone.get(service) ?? []), realserver]);
      }
    }
    const services = new Set([...balancer.services, ...gone.keys()]);
    return [...services].map((service) => ({
      ...state.describe(service),
      removed: !balancer.services.includes(service),
      // One that came while flows were counted is shown the next time.
      realservers: [...service.realservers, ...(gone.get(service) ?? [])].flatMap((one) => states.get(one) ?? []),
    }));
  }

  *#counts(): Job<Readonly<Record<string, number>>> {
    const { flows } = this.#host.engine;
    const carried = yield* carriedBy(flows);
    const all = noTraffic();
    addTraffic(all, flows.past.ended);
    for (const { traffic } of carried.values()) addTraffic(all, traffic);
    const opened = (role: FlowRole): number =>
      [...flows.destinations()].reduce((sum, { account }) => sum + account.opened(role), flows.past.opened(role));
    return {
      ...this.#host.counters(),
      "connections.plain": opened("plain"),
      "connections.data": opened("data"),
      "traffic.packets.original": all.packets.original,
      "traffic.packets.reply": all.packets.reply,
      "traffic.bytes.original": all.bytes.original,
      "traffic.bytes.reply": all.bytes.reply,
    };
  }

  *#connections(query: Query): Generator<state.Look<ConnectionState>> {
    const { flows } = this.#host.engine;
    const wanted = matching(flows, query);
    for (const ids of flowIds(flows, query.after)) {
      yield null;
      for (const id of ids.filter(wanted)) yield { place: id, item: connectionState(viewFlow(flows, id)) };
    }
  }

  /** Who is served by datagrams has no way to notice that nobody answers: they go to another realserver at once. */
  *#mark(name: string, key: string, up: boolean): Job<boolean> {
    const { balancer, engine } = this.#host;
    const service = balancer.services.find(({ spec }) => spec.name === name);
    const realserver = service?.realservers.find((one) => one.key === key);
    if (service === undefined || realserver === undefined) return false;
    balancer.mark(service, realserver, up);
    if (up) return true;
    yield* this.#withdraw(realserver);
    const { flows } = engine;
    yield* this.#end((id) => flows.destinationOf(id).realserver === realserver && isMoved(flows, id));
    return true;
  }

  *#withdraw(realserver: Realserver): Job<void> {
    const { balancer, withdraw } = this.#host;
    for (const entry of balancer.related) {
      if (balancer.connections.get(entry.master)?.realserver === realserver) withdraw(entry);
      yield;
    }
  }

  #drop({ service, realserver }: Scope): Job<number> {
    const inside = scoped(service, realserver);
    const { flows } = this.#host.engine;
    return this.#end((id) => inside(flows.destinationOf(id)));
  }

  *#end(wanted: (id: number) => boolean): Job<number> {
    const { flows } = this.#host.engine;
    let ended = 0;
    for (const ids of flowIds(flows, 1)) {
      for (const id of ids.filter(wanted)) {
        flows.end(id, Ending.DROPPED, now());
        ended++;
      }
      yield;
    }
    return ended;
  }
}

/** What a helper reads or announced is its realserver's, whoever sends the next datagram. */
const isMoved = (flows: Engine["flows"], id: number): boolean => !isTcp(flows, id) && roleOf(flows, id) !== "related";

function matching(flows: Engine["flows"], { service, realserver, client, role }: Query): (id: number) => boolean {
  const inside = scoped(service, realserver);
  const address = client === undefined ? null : Address.parse(client);
  return (id) =>
    (client === undefined || (address !== null && isClient(flows, id, address))) &&
    (role === undefined || roleOf(flows, id) === role) &&
    inside(flows.destinationOf(id));
}

function scoped(service: string | undefined, realserver: string | undefined): (to: Destination) => boolean {
  return state.inScope({
    ...(service === undefined ? {} : { service }),
    ...(realserver === undefined ? {} : { realserver }),
  });
}

// biome-ignore lint/correctness/useYield: a job of one step
function* at<T>(answer: () => T): Job<T> {
  return answer();
}

/** A page, in parts. */
function* listed<T>(looks: Iterable<state.Look<T>>, limit: number): Job<Rest> {
  let part: T[] = [];
  let looked = 0;
  let items = 0;
  for (const look of looks) {
    if (look !== null) {
      if (items++ === limit) {
        yield part;
        return { next: look.place };
      }
      part.push(look.item);
    }
    if (++looked % STEP !== 0 && part.length < STEP) continue;
    yield part;
    part = [];
  }
  yield part;
  return { next: null };
}

function connectionState({ to, client, virtual, real, ...flow }: ReturnType<typeof viewFlow>): ConnectionState {
  const { service, realserver } = to;
  return {
    ...flow,
    service: service.spec.name,
    realserver: realserver.key,
    client: endpointText(client),
    virtual: endpointText(virtual),
    real: endpointText(real),
  };
}

const ROLES = ["control", "related", "data", "plain"] as const;

function realserverState({ realserver, account }: Destination, { flows, traffic }: Carried): RealserverState {
  const { active, inactive } = realserver;
  const sum = (of: (role: FlowRole) => number): number => ROLES.reduce((all, role) => all + of(role), 0);
  // Requests that wait for their answers (RADIUS, DNS) have no rows, and count as connections all the same.
  const requests = Math.max(0, active + inactive - sum((role) => account.open(role)));
  const connections = sum((role) => account.opened(role));
  return {
    ...state.realserverState(realserver, { ...flows, control: flows.control + requests }),
    traffic: { connections, ...traffic },
  };
}
