/** What the kernel carries for the services, added to what the engine does. */
import { addTraffic, noTraffic, type Traffic } from "../../../core/engine/account.ts";
import { endpointText, type Transport } from "../../../core/units.ts";
import { Address } from "../../../core/wire/address.ts";
import { endpoint } from "../../config/formats.ts";
import type { ServiceConfig } from "../../config/types.ts";
import type { ConnectionState, Page, Query, RealserverState, Scope, ServiceState } from "../../control/operated.ts";
import type { Conntrack, KernelFlow } from "./conntrack.ts";
import { type Owner, Owners, ownerName } from "./owners.ts";

/** Places of its connections in a list come after all those of the engine's. */
export const KERNEL = 2 ** 32;

interface Ended {
  connections: number;
  readonly traffic: Traffic;
}

type Source = Pick<Conntrack, "list" | "ended" | "remove">;
type Owned = readonly [flow: KernelFlow, owner: Owner];

export class KernelFlows {
  readonly #conntrack: Source;
  readonly #owners = new Owners();
  /** By their owners' names. */
  readonly #ended = new Map<string, Ended>();

  constructor(conntrack: Source) {
    this.#conntrack = conntrack;
  }

  /** The services are `services` from now on. Flows of those before remain theirs. */
  update(services: readonly ServiceConfig[]): void {
    this.advance();
    this.#owners.update(services);
  }

  /** Call it now and then: what ended is told once, and kept by the kernel for a while only. */
  advance(): void {
    for (const [flow, owner] of this.#owned(this.#conntrack.ended())) {
      const ended = this.#ended.get(owner.name) ?? { connections: 0, traffic: noTraffic() };
      ended.connections++;
      addTraffic(ended.traffic, flow.traffic);
      this.#ended.set(owner.name, ended);
    }
  }

  /** `states` with what the kernel carries, too. */
  added(states: readonly ServiceState[]): ServiceState[] {
    this.advance();
    const carried = this.#list();
    const taken = new Set<string>();
    return states.map((service) => ({
      ...service,
      realservers: service.realservers.map((one) => {
        const name = ownerName(service.name, one.realserver);
        // One that was removed and came back is two: what there is counts for the first.
        if (taken.has(name)) return one;
        taken.add(name);
        const its = carried.filter(([, owner]) => owner.name === name);
        return withKernel(one, its, this.#ended.get(name));
      }),
    }));
  }

  /** All that was carried, of all there ever was. */
  traffic(): Traffic {
    this.advance();
    const all = noTraffic();
    for (const { traffic } of this.#ended.values()) addTraffic(all, traffic);
    for (const [{ traffic }] of this.#list()) addTraffic(all, traffic);
    return all;
  }

  /** VIPs and realservers that it carries something between. */
  addresses(): string[] {
    const ends = this.#conntrack.list().flatMap(({ virtual, real }) => [virtual.address, real.address]);
    return [...new Set(ends.map(String))];
  }

  /** By the realserver's and service's name: the clients of its connections, one for each that is open. */
  clients(scope: Scope): ReadonlyMap<string, readonly Address[]> {
    const clients = new Map<string, Address[]>();
    for (const [{ client }, { name }] of this.#open(scope)) {
      const its = clients.get(name);
      if (its === undefined) clients.set(name, [client.address]);
      else its.push(client.address);
    }
    return clients;
  }

  /** Those that `query` asks for, from `query.after` on, which is a place of the kernel's. */
  page(query: Query): Page<ConnectionState> {
    const all = this.#placed(query).filter(
      ({ role, client }) =>
        (query.role === undefined || query.role === role) &&
        (query.client === undefined || addressOf(client) === query.client),
    );
    const from = query.after - KERNEL;
    const items = all.slice(from, from + query.limit);
    return { items, next: from + items.length < all.length ? query.after + items.length : null };
  }

  /** Ends those in `scope`, of one transport or of both; how many. */
  drop(scope: Scope, transport: Transport | null = null): number {
    const open = this.#open(scope).filter(([flow]) => transport === null || flow.transport === transport);
    for (const [flow] of open) this.#conntrack.remove(flow);
    return open.length;
  }

  #placed(scope: Scope): ConnectionState[] {
    return this.#open(scope).map(([flow, owner]) => connectionOf(flow, owner));
  }

  #open({ service, realserver }: Scope): Owned[] {
    return this.#list().filter(
      ([{ over }, owner]) =>
        !over &&
        (service === undefined || service === owner.service) &&
        (realserver === undefined || realserver === owner.realserver),
    );
  }

  #list(): Owned[] {
    return this.#owned(this.#conntrack.list());
  }

  /** Without what others on this host have translated. */
  #owned(flows: readonly KernelFlow[]): Owned[] {
    return flows.flatMap((flow) => {
      const owner = this.#owners.of(flow);
      return owner === null ? [] : [[flow, owner] as const];
    });
  }
}

/** Of `192.0.2.1:21`, `[2001:db8::1]:21`, or an address alone. */
export function addressOf(text: string): string {
  const both = endpoint(text);
  return "port" in both ? both.address.toString() : (Address.parse(text)?.toString() ?? text);
}

function withKernel(one: RealserverState, all: readonly Owned[], ended: Ended | undefined): RealserverState {
  const traffic = noTraffic();
  if (one.traffic !== undefined) addTraffic(traffic, one.traffic);
  if (ended !== undefined) addTraffic(traffic, ended.traffic);
  for (const [flow] of all) addTraffic(traffic, flow.traffic);
  const open = all.filter(([{ over }]) => !over);
  const flows = { ...one.flows };
  for (const [, { role }] of open) flows[role]++;
  const connections = (one.traffic?.connections ?? 0) + all.length + (ended?.connections ?? 0);
  return {
    ...one,
    active: one.active + open.length,
    inactive: one.inactive + all.length - open.length,
    flows,
    traffic: { connections, ...traffic },
  };
}

const connectionOf = ({ id, transport, ...ends }: KernelFlow, owner: Owner): ConnectionState => ({
  handle: KERNEL + id,
  service: owner.service,
  transport,
  role: owner.role,
  client: endpointText(ends.client),
  virtual: endpointText(ends.virtual),
  real: endpointText(ends.real),
  realserver: owner.realserver,
  control: null,
});
