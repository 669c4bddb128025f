/** A service as nftables rules see it: ports of one transport, and a number for each unit of weight. */
import type { Port } from "../../core/units.ts";
import type { RealserverConfig, ServiceConfig } from "../config/types.ts";
import type { Farm } from "./farm.ts";
import { keyword, type Ports, portsByTransport, portsText, sourceNetwork } from "./nft.ts";

/** What one rule is about. */
export interface Part {
  readonly service: ServiceConfig;
  readonly ports: Ports;
  /** These ports become the realserver's own where it has one. */
  readonly mapped: boolean;
}

export const partsOf = ({ services }: Farm): Part[] => services.flatMap(parts);

function parts(service: ServiceConfig): Part[] {
  const only = mappedPort(service);
  if (only === null) return portsByTransport(service.ports).map((ports) => ({ service, ports, mapped: false }));
  const isIt = ({ first, last }: { first: Port; last: Port }): boolean => first === only && last === only;
  return [true, false].flatMap((mapped) =>
    portsByTransport(service.ports.filter((range) => isIt(range) === mapped)).map((ports) => ({
      service,
      ports,
      mapped,
    })),
  );
}

/** A realserver's port stands for the service's only one, or for that of its control connections; null: it has none. */
export function mappedPort({ ports, controlPorts, realservers }: ServiceConfig): Port | null {
  if (realservers.every(({ port }) => port === null)) return null;
  const [range] = ports;
  if (ports.length === 1 && range!.first === range!.last) return range!.first;
  return controlPorts[0] ?? null;
}

/** The port that all of a service's realservers have; null: the client's. */
export function commonPort({ realservers }: ServiceConfig): Port | null {
  const given = new Set(realservers.map(({ port }) => port));
  return given.size === 1 ? [...given][0]! : null;
}

/** What the ports are called at the realserver. */
export const portsThere = ({ service, ports, mapped }: Part): string => {
  const own = mapped ? commonPort(service) : null;
  return own === null ? portsText(ports) : String(own);
};

export const forVip = ({ service: { vip }, ports }: Part): string =>
  `${keyword(vip)} daddr ${vip} ${ports.transport} dport ${portsText(ports)}`;

/** Who takes connections. */
export const takers = ({ realservers }: ServiceConfig): readonly RealserverConfig[] =>
  realservers.filter(({ weight }) => weight > 0);

/** `in-turn`: the n-th connection. `by-connection`: the same for all packets of one, with nothing to remember. */
export type Turns = "in-turn" | "by-connection";

/** `numgen inc mod 3 map { 0 : a, 1-2 : b }`: as many numbers as it has weight. A single realserver needs no choice. */
export function chosen(part: Part, turns: Turns, value: (real: RealserverConfig) => string): string {
  const reals = takers(part.service);
  if (reals.length === 1) return value(reals[0]!);
  let first = 0;
  const elements = reals.map((real) => {
    const last = first + real.weight - 1;
    const numbers = first === last ? `${first}` : `${first}-${last}`;
    first = last + 1;
    return `${numbers} : ${value(real)}`;
  });
  return `${choice(part, turns, first)} map { ${elements.join(", ")} }`;
}

/** The same in every rule: all ports of a group find the same realserver. */
const SEED = "0x6b696e64";

function choice({ service, ports }: Part, turns: Turns, total: number): string {
  const { persistence, persistenceNetmask, scheduler, vip } = service;
  const client = `${keyword(vip)} saddr`;
  const stays = persistence > 0 || scheduler === "sh" || scheduler === "maglev";
  if (!stays && turns === "in-turn") return `numgen inc mod ${total}`;
  if (!stays) return `jhash ${client} . ${ports.transport} sport mod ${total} seed ${SEED}`;
  const network = persistenceNetmask === null ? client : sourceNetwork(vip.family, persistenceNetmask);
  return `jhash ${network} mod ${total} seed ${SEED}`;
}
