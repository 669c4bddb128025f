/** Virtual services and their realservers, as both paths see them. */
import type { AffinityMemory } from "./flow/affinity.ts";
import type { PersistenceTable } from "./flow/persistence.ts";
import type { Helper } from "./helper/api.ts";
import type { Scheduler, SchedulerName } from "./schedule/scheduler.ts";
import type { Endpoint, Ms, Port, PortRange, Transport } from "./units.ts";
import { endpointText, inRange } from "./units.ts";
import type { Address } from "./wire/address.ts";

/**
 * How packets reach a realserver, as in ipvsadm: `nat` (-m), `dr` (direct routing, -g: the packet as it is, to the
 * realserver's link address), `tunnel` (-i: the packet as it is, in another).
 */
export type Method = "nat" | "dr" | "tunnel";

export interface RealserverSpec {
  readonly address: Address;
  /** Absent: `nat`. The others are of the packet path. */
  readonly method?: Method;
  /** null: the port that the client connected to. */
  readonly port: Port | null;
  /** 0: takes no new clients (quiesced, as in ipvsadm). */
  readonly weight: number;
  /** It serves only whom none of the others will (keepalived's sorry server). Absent: no. */
  readonly sorry?: boolean;
  /** Addresses it may announce beside its own. */
  readonly announces: readonly Address[];
  /** Where its data connections go when the helper cannot read the control connection (FTPS). */
  readonly passivePorts: PortRange | null;
}

export interface ServiceSpec {
  readonly name: string;
  /** The VIP. */
  readonly address: Address;
  /** More than one port makes a port group: all of a client's connections go to one realserver. */
  readonly ports: readonly PortRange[];
  readonly helper: Helper | null;
  /** Ports (of `ports`) whose connections the helper reads. The others of a service with a helper are data ports. */
  readonly controlPorts: readonly Port[];
  readonly scheduler: SchedulerName;
  /** How long a client stays with its realserver after its last connection. 0: each connection is scheduled. */
  readonly persistence: Ms;
  /** Bits of the client's network that persist together; null: single clients. */
  readonly persistencePrefix: number | null;
  /**
   * Services of the same mark are one port group, each with a helper of its own: a client of one goes to the realserver of
   * that address in the others (what LVS does with a firewall mark). Absent: it stands by itself.
   */
  readonly mark?: string;
  /**
   * Ports at clients that realservers may connect to by themselves, leaving as the VIP (ident, tcp/113).
   * What is not listed, and was not announced, goes nowhere.
   */
  readonly originates?: readonly PortRange[];
  readonly realservers: readonly RealserverSpec[];
}

/** One realserver of one service: its specification and what it carries now. */
export interface Realserver extends RealserverSpec {
  readonly key: string;
  weight: number;
  /** Open connections, control and related. */
  active: number;
  inactive: number;
  /** Set while a pick must pass it over. */
  available: boolean;
  /** False: it is known not to serve, and gets nothing new. */
  up: boolean;
  /** It is a realserver of its service no more, and ends what it has. */
  removed: boolean;
  /** It refused a connection lately: until then it is chosen only when nobody else is left. */
  suspectUntil: Ms;
  /** By which the packet engine's rows and `Output.destination` name it (core/engine/destinations.ts); -1: it has none. */
  number: number;
  /** Those of the connection before: nearly always the next one's, too. */
  ends: Ends | null;
}

/** The ends of connections to a realserver; those that have the same share them. */
interface Ends {
  readonly spec: ServiceSpec;
  readonly virtual: Endpoint;
  readonly real: Endpoint;
}

/** `core/change.ts` alone changes what it is; it is the same object as long as its name is configured. */
export interface Service {
  spec: ServiceSpec;
  readonly realservers: Realserver[];
  scheduler: Scheduler;
  /** The other services of its mark. */
  companions: readonly Service[];
  /** Made by connections, where the service is persistent. */
  templates: PersistenceTable<Realserver> | null;
  /** Made by helpers (`group`): lets a client's data connections to the data ports in. */
  readonly pins: PersistenceTable<Realserver>;
  readonly memory: AffinityMemory<Realserver>;
}

/** What a port of a service is for. */
export type Role = "control" | "data" | "plain";

export function roleOf({ helper, controlPorts }: ServiceSpec, port: Port): Role {
  if (helper === null) return "plain";
  return controlPorts.includes(port) ? "control" : (helper.others ?? "data");
}

export function servesPort({ ports }: ServiceSpec, transport: Transport, port: Port): boolean {
  for (const range of ports) if (inRange(range, transport, port)) return true;
  return false;
}

/** More than one port: then one realserver for each client, always. */
export const isPortGroup = ({ ports }: Pick<ServiceSpec, "ports">): boolean =>
  ports.length > 1 || ports.some(({ first, last }) => first !== last);

export const realserverKey = ({ address, port }: RealserverSpec): string =>
  port === null ? address.toString() : endpointText({ address, port });

/** Does it take packets for the VIP as they are? */
export const hasVip = ({ method = "nat" }: RealserverSpec): boolean => method !== "nat";

/** The ends of a connection to `virtual` that `realserver` of the service gets. */
export function endsAt({ spec }: Service, realserver: Realserver, virtual: Endpoint): Ends {
  const { ends } = realserver;
  if (ends !== null && ends.spec === spec && sameEnd(ends.virtual, virtual)) return ends;
  realserver.ends = { spec, virtual, real: realEndpoint(spec, realserver, virtual) };
  return realserver.ends;
}

const sameEnd = (one: Endpoint, other: Endpoint): boolean =>
  one.port === other.port && one.address.equals(other.address);

/** Where a connection to `virtual` goes at `realserver`. */
export const realEndpoint = (spec: ServiceSpec, realserver: RealserverSpec, virtual: Endpoint): Endpoint =>
  hasVip(realserver) ? virtual : { address: realserver.address, port: realPort(spec, realserver, virtual.port) };

/** Data ports of a group keep their number. */
export function realPort(spec: ServiceSpec, { port }: RealserverSpec, virtualPort: Port): Port {
  if (port === null) return virtualPort;
  const role = roleOf(spec, virtualPort);
  return role === "control" || (role === "plain" && !isPortGroup(spec)) ? port : virtualPort;
}
