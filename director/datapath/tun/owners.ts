/** Whose a connection is that the kernel translates. */
import { realserverKey } from "../../../core/service.ts";
import { inRange, type Port, type PortRange } from "../../../core/units.ts";
import type { Address } from "../../../core/wire/address.ts";
import type { ServiceConfig } from "../../config/types.ts";
import type { KernelFlow } from "./conntrack.ts";

/** A realserver of a service. */
export interface Owner {
  /** Of both, one and the same after every change of the configuration. */
  readonly name: string;
  readonly service: string;
  readonly realserver: string;
  /** What the kernel has of it: all connections to the service's ports, or those that its helper announced. */
  readonly role: "plain" | "related";
  readonly ports: readonly PortRange[];
  /** null: the port that the client connected to. */
  readonly port: Port | null;
}

export const ownerName = (service: string, realserver: string): string => `${service} ${realserver}`;

export class Owners {
  /** By VIP and realserver's address: the latest configured first. */
  readonly #all = new Map<string, readonly Owner[]>();

  /** They come before those that there were, which stay: connections outlast what is configured. */
  update(services: readonly ServiceConfig[]): void {
    const latest = new Map<string, Owner[]>();
    for (const service of services) {
      for (const realserver of service.realservers) {
        const pair = pairOf(service.vip, realserver.address);
        latest.set(pair, [...(latest.get(pair) ?? []), ownerOf(service, realserver)]);
      }
    }
    for (const [pair, owners] of latest) {
      const names = new Set(owners.map(({ name }) => name));
      const before = this.#all.get(pair) ?? [];
      this.#all.set(pair, [...owners, ...before.filter(({ name }) => !names.has(name))]);
    }
  }

  /** null: it is no service's, but somebody else's on this host. */
  of(flow: KernelFlow): Owner | null {
    const owners = this.#all.get(pairOf(flow.virtual.address, flow.real.address)) ?? [];
    return owners.find((one) => isSpread(one, flow)) ?? owners.find(({ role }) => role === "related") ?? null;
  }
}

function ownerOf({ name, ports, helper }: ServiceConfig, one: ServiceConfig["realservers"][number]): Owner {
  const realserver = realserverKey(one);
  const role = helper === null ? "plain" : "related";
  return { name: ownerName(name, realserver), service: name, realserver, role, ports, port: one.port };
}

const isSpread = ({ role, ports, port }: Owner, { transport, virtual, real }: KernelFlow): boolean =>
  role === "plain" &&
  ports.some((range) => inRange(range, transport, virtual.port)) &&
  real.port === (port ?? virtual.port);

const pairOf = (vip: Address, real: Address): string => `${vip} ${real}`;
