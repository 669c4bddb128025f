/** What the kernel carries for the services, added to what the engine does. */
import { addTraffic, noTraffic, type Traffic } from "../../../core/engine/account.ts";
import { endpointText } from "../../../core/units.ts";
import { Address } from "../../../core/wire/address.ts";
import { endpoint } from "../../config/formats.ts";
import type { ConnectionState, Page, Query, RealserverState, Scope, ServiceState } from "../../control/operated.ts";
import type { Conntrack, KernelFlow } from "./conntrack.ts";

/** Places of its connections in a list come after all those of the engine's. */
export const KERNEL = 2 ** 32;

interface Ended {
  connections: number;
  readonly traffic: Traffic;
}

type Source = Pick<Conntrack, "list" | "ended" | "remove">;

export class KernelFlows {
  readonly #conntrack: Source;
  /** By VIP and realserver's address. */
  readonly #ended = new Map<string, Ended>();

  constructor(conntrack: Source) {
    this.#conntrack = conntrack;
  }

  /** Call it now and then: what ended is told once, and kept by the kernel for a while only. */
  advance(): void {
    for (const flow of this.#conntrack.ended()) {
      const key = pairOf(flow.virtual.address.toString(), flow.real.address.toString());
      const ended = this.#ended.get(key) ?? { connections: 0, traffic: noTraffic() };
      ended.connections++;
      addTraffic(ended.traffic, flow.traffic);
      this.#ended.set(key, ended);
    }
  }

  /** `states` with what the kernel carries, too. */
  added(states: readonly ServiceState[]): ServiceState[] {
    this.advance();
    const flows = this.#conntrack.list();
    const taken = new Set<string>();
    return states.map((service) => ({
      ...service,
      realservers: service.realservers.map((one) => {
        if (!owns(states, service, one)) return one;
        const pair = pairOf(service.vip, addressOf(one.realserver));
        // One that was removed and came back is two: what has ended counts for the first.
        const ended = taken.has(pair) ? undefined : this.#ended.get(pair);
        const its = taken.has(pair) ? [] : flows.filter((flow) => pairOfFlow(flow) === pair);
        taken.add(pair);
        return withKernel(one, its, ended);
      }),
    }));
  }

  /** All that was carried, of all there ever was. */
  traffic(): Traffic {
    this.advance();
    const all = noTraffic();
    for (const { traffic } of this.#ended.values()) addTraffic(all, traffic);
    for (const { traffic } of this.#conntrack.list()) addTraffic(all, traffic);
    return all;
  }

  /** VIPs and realservers that it carries something between. */
  addresses(): string[] {
    const ends = this.#conntrack.list().flatMap(({ virtual, real }) => [virtual.address, real.address]);
    return [...new Set(ends.map(String))];
  }

  /** Those that `query` asks for, from `query.after` on, which is a place of the kernel's. */
  page(states: readonly ServiceState[], query: Query): Page<ConnectionState> {
    const all = this.#placed(states, query).filter(
      ({ role, client }) =>
        (query.role === undefined || query.role === role) &&
        (query.client === undefined || addressOf(client) === query.client),
    );
    const from = query.after - KERNEL;
    const items = all.slice(from, from + query.limit);
    return { items, next: from + items.length < all.length ? query.after + items.length : null };
  }

  /** Ends those in `scope`; how many. */
  drop(states: readonly ServiceState[], scope: Scope): number {
    const handles = new Set(this.#placed(states, scope).map(({ handle }) => handle));
    const flows = this.#conntrack.list().filter(({ id }) => handles.has(KERNEL + id));
    for (const flow of flows) this.#conntrack.remove(flow);
    return flows.length;
  }

  #placed(states: readonly ServiceState[], scope: Scope): ConnectionState[] {
    return this.#conntrack.list().flatMap((flow) => {
      const state = connectionOf(states, flow);
      if (state === null || flow.over) return [];
      const wanted =
        (scope.service === undefined || scope.service === state.service) &&
        (scope.realserver === undefined || scope.realserver === state.realserver);
      return wanted ? [state] : [];
    });
  }
}

const pairOf = (vip: string, real: string): string => `${vip} ${real}`;
const pairOfFlow = ({ virtual, real }: KernelFlow): string =>
  pairOf(virtual.address.toString(), real.address.toString());

/** Of `192.0.2.1:21`, `[2001:db8::1]:21`, or an address alone. */
export function addressOf(text: string): string {
  const both = endpoint(text);
  return "port" in both ? both.address.toString() : (Address.parse(text)?.toString() ?? text);
}

/** Of services with the same VIP and realserver, what was announced is one's that has a helper. */
function owns(states: readonly ServiceState[], service: ServiceState, { realserver }: RealserverState): boolean {
  return ownerOf(states, service.vip, addressOf(realserver)) === service;
}

function ownerOf(states: readonly ServiceState[], vip: string, real: string): ServiceState | undefined {
  return states.find(
    (state) =>
      state.helper !== null &&
      state.vip === vip &&
      state.realservers.some(({ realserver }) => addressOf(realserver) === real),
  );
}

function withKernel(one: RealserverState, all: readonly KernelFlow[], ended: Ended | undefined): RealserverState {
  const traffic = noTraffic();
  if (one.traffic !== undefined) addTraffic(traffic, one.traffic);
  if (ended !== undefined) addTraffic(traffic, ended.traffic);
  for (const flow of all) addTraffic(traffic, flow.traffic);
  const open = all.filter(({ over }) => !over).length;
  const connections = (one.traffic?.connections ?? 0) + all.length + (ended?.connections ?? 0);
  return {
    ...one,
    active: one.active + open,
    inactive: one.inactive + all.length - open,
    flows: { ...one.flows, related: one.flows.related + open },
    traffic: { connections, ...traffic },
  };
}

function connectionOf(states: readonly ServiceState[], flow: KernelFlow): ConnectionState | null {
  const { id, transport, client, virtual, real } = flow;
  const service = ownerOf(states, virtual.address.toString(), real.address.toString());
  const realserver = service?.realservers.find((one) => addressOf(one.realserver) === real.address.toString());
  if (service === undefined || realserver === undefined) return null;
  return {
    handle: KERNEL + id,
    service: service.name,
    transport,
    role: "related",
    client: endpointText(client),
    virtual: endpointText(virtual),
    real: endpointText(real),
    realserver: realserver.realserver,
    control: null,
  };
}
