/**
 * Services that the kernel spreads by itself, as rules for nft(8):
 *
 *   client -> VIP:80    its first        to a realserver: each in turn (numgen), or by the client's address (jhash)
 *                       the rest         to the same one, by conntrack, also when that gets nothing new any more
 *                       another's first  where services persist: to who is in the client's set, for as long as it is in it
 *
 * A client is put into its realserver's set by its first packet, and each one that follows lets the set's time begin
 * anew: it stays for that time after its last packet. Sets of who takes nothing new are emptied, so that a client is never
 * in two.
 *
 * What nftables cannot say stays in the engine: whoever reads connections or counts them, several services as one, cutting
 * the connections of one that is dead, and methods other than NAT. So does a service while none of its realservers takes
 * anything: the engine says so to its clients.
 */
import { realserverKey } from "../../../core/service.ts";
import type { PortRange } from "../../../core/units.ts";
import { Address } from "../../../core/wire/address.ts";
import type { RealserverConfig, ServiceConfig } from "../../config/types.ts";

const TABLE = "inet kindred";
/** The chain that all its rules are in, and the one that sees every packet of clients who are to stay. */
export const SERVICES = "services";
export const STAYS = "stays";
/** The beginning of the names of realservers' own chains and counters, of the chains that keep clients, of their sets. */
const REALSERVER = "to";
const KEEPER = "keep";
const CLIENTS = "stay";
/** Clients of a set at most. */
const MOST_CLIENTS = 1 << 18;
/** More turns in a cycle than this are no rule to read. */
const MOST_TURNS = 256;
/** Whom a client that is drained is taken to be connected to, in seconds after its last packet. */
const DRAINED = 10;

/** Whether nftables can do all that `service` asks for. */
export function fitsKernel(service: ServiceConfig): boolean {
  const { vip, helper, mark, scheduler, check, realservers } = service;
  const turns = turnsIn(realservers.map(({ weight }) => weight));
  // A client's realserver is known again by its address.
  const addresses = new Set(realservers.map(({ address }) => address.toString()));
  return (
    helper === null &&
    mark === null &&
    check?.onFailure !== "drop" &&
    (scheduler === "rr" || scheduler === "sh" || (scheduler === "wrr" && turns <= MOST_TURNS)) &&
    (service.persistence === 0 || addresses.size === realservers.length) &&
    realservers.every(({ method, address }) => method === "nat" && address.family === vip.family)
  );
}

/** `number`: of a realserver of a service, always the same. `takes`: it gets new connections. */
interface RuleOptions {
  number(service: string, realserver: string): number;
  takes(service: string, realserver: string): boolean;
}

/** Commands that leave every service to the engine. */
export const emptied: readonly string[] = [SERVICES, STAYS].map((chain) => `flush chain ${TABLE} ${chain}`);

/** One transaction: the rules of `services`, in place of those that there were. */
export function serviceRules(services: readonly ServiceConfig[], options: RuleOptions): string {
  return [...emptied, ...services.filter(fitsKernel).flatMap((service) => rulesOf(service, options))].join("; ");
}

interface Numbered extends RealserverConfig {
  readonly number: number;
}

/** A service's realservers, by what they get. */
interface Shares {
  /** New clients. */
  readonly taking: readonly Numbered[];
  /** Nobody but clients that they have. */
  readonly drained: readonly Numbered[];
  /** All that there are. */
  readonly all: readonly Numbered[];
}

function sharesOf({ name, realservers }: ServiceConfig, { number, takes }: RuleOptions): Shares {
  const all = realservers.map((one) => ({ ...one, number: number(name, realserverKey(one)) }));
  const up = all.filter((one) => takes(name, realserverKey(one)));
  const willing = up.filter(({ weight }) => weight > 0);
  const usual = willing.filter(({ sorry }) => !sorry);
  return { all, taking: usual.length > 0 ? usual : willing, drained: up.filter(({ weight }) => weight === 0) };
}

function rulesOf(service: ServiceConfig, options: RuleOptions): string[] {
  const shares = sharesOf(service, options);
  const { taking } = shares;
  if (taking.length === 0) return [];
  if (service.persistence > 0) return persistentRules(service, shares);
  return [...taking.flatMap((one) => chainOf(service, one)), ...firstsOf(service).map(spread(service, taking))];
}

/** Those that are known are asked for before it is anybody's turn. */
function persistentRules(service: ServiceConfig, { all, taking, drained }: Shares): string[] {
  const keeping = [...taking, ...drained];
  const { family } = service.vip;
  const ip = keyword(service.vip);
  const staying = (one: Numbered, seconds: number): string => {
    return `update @${clientsOf(family, one)} { ${clientOf(service)} timeout ${seconds}s }`;
  };
  const forHowLong = (one: Numbered): number =>
    drained.includes(one) ? DRAINED : Math.ceil(service.persistence / 1000);
  const kept = keeping.map(({ address, number }) => `${address} : goto ${KEEPER}${number}`).join(", ");
  return [
    ...all.map((one) => `add set ${TABLE} ${clientsOf(family, one)} { ${setOf(family)} }`),
    ...all.filter((one) => !taking.includes(one)).map((one) => `flush set ${TABLE} ${clientsOf(family, one)}`),
    ...keeping.flatMap((one) => chainOf(service, one, `${staying(one, forHowLong(one))} `)),
    ...keeping.flatMap((one) => chain(`${KEEPER}${one.number}`, staying(one, forHowLong(one)))),
    ...firstsOf(service).flatMap((first) => [
      ...keeping.map((one) => {
        const known = `${clientOf(service)} @${clientsOf(family, one)}`;
        return `add rule ${TABLE} ${SERVICES} ${first} ${known} goto ${chainName(one.number)}`;
      }),
      spread(service, taking)(first),
    ]),
    ...packetsOf(service).map((packet) => `add rule ${TABLE} ${STAYS} ${packet} ct reply ${ip} saddr vmap { ${kept} }`),
  ];
}

/** What each of the service's packets from clients is known by: of a transport, its ports. */
function packetsOf({ vip, ports }: ServiceConfig): string[] {
  const transports = new Set(ports.map(({ transport }) => transport));
  return [...transports].map((transport) => {
    const own = ports.filter((range) => range.transport === transport);
    return `${keyword(vip)} daddr ${vip} ${transport} dport ${portsText(own)}`;
  });
}

/**
 * A new connection's first. Of TCP nothing else will do: a connection that conntrack forgot must not be spread once more,
 * its next packet is nobody's.
 */
const firstsOf = (service: ServiceConfig): string[] =>
  packetsOf(service).map((packet) =>
    packet.includes(" tcp dport ") ? `${packet} tcp flags & (fin | syn | rst | ack) == syn` : packet,
  );

/** A rule for who is not known yet. */
const spread =
  ({ vip, scheduler }: ServiceConfig, taking: readonly Numbered[]) =>
  (first: string): string => {
    const turns = scheduler === "wrr" ? turnsOf(taking.map(({ weight }) => weight)) : taking.map((_, i) => i);
    const choice = scheduler === "sh" ? `jhash ${keyword(vip)} saddr` : "numgen inc";
    const map = turns.map((turn, i) => `${i} : goto ${chainName(taking[turn]!.number)}`).join(", ");
    return `add rule ${TABLE} ${SERVICES} ${first} ${choice} mod ${turns.length} vmap { ${map} }`;
  };

/** Leads to a realserver, and counts. `before`: what else is to be done with the first packet. */
function chainOf({ vip, ports }: ServiceConfig, { address, port, number }: Numbered, before = ""): string[] {
  const name = chainName(number);
  // Without a port of its own it is the one that the client connected to. One of its own has but a service of one port.
  const matched = port === null ? "" : `meta l4proto ${ports[0]!.transport} `;
  const to = port === null ? address : `${address.family === 4 ? address : `[${address}]`}:${port}`;
  const rule = `${matched}${before}counter name ${name} dnat ${keyword(vip)} to ${to}`;
  return [`add counter ${TABLE} ${name}`, ...chain(name, rule)];
}

const chain = (name: string, rule: string): string[] => [
  `add chain ${TABLE} ${name}`,
  `flush chain ${TABLE} ${name}`,
  `add rule ${TABLE} ${name} ${rule}`,
];

const keyword = ({ family }: Address): "ip" | "ip6" => (family === 4 ? "ip" : "ip6");

function portsText(ports: readonly PortRange[]): string {
  const all = ports.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`));
  return all.length === 1 ? all[0]! : `{ ${all.join(", ")} }`;
}

/** The set of a realserver's clients: what a director that was killed left in it is of the same kind. */
const clientsOf = (family: 4 | 6, { number }: Numbered): string => `${CLIENTS}${family}_${number}`;
const setOf = (family: 4 | 6): string => `type ipv${family}_addr; size ${MOST_CLIENTS}; flags dynamic, timeout;`;

/** The client, or its network. */
function clientOf({ vip, persistenceNetmask }: ServiceConfig): string {
  const source = `${keyword(vip)} saddr`;
  return persistenceNetmask === null ? source : `${source} & ${ALL_BITS[vip.family].network(persistenceNetmask)}`;
}

const ALL_BITS = {
  4: Address.parse("255.255.255.255")!,
  6: Address.parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")!,
};

/** Its counter's name too. */
const chainName = (number: number): string => `${REALSERVER}${number}`;

/** The realserver's number; null: that is no counter of one. */
export const numberOf = (counter: string): number | null =>
  counter.startsWith(REALSERVER) ? Number(counter.slice(REALSERVER.length)) : null;

/** A cycle of smooth weighted round robin, as the engine's: whose turn it is. */
function turnsOf(weights: readonly number[]): number[] {
  const total = turnsIn(weights);
  const divisor = sumOf(weights) / total;
  const steps = weights.map((weight) => weight / divisor);
  const credit = steps.map(() => 0);
  return Array.from({ length: total }, () => {
    for (const [i, step] of steps.entries()) credit[i]! += step;
    const turn = credit.indexOf(Math.max(...credit));
    credit[turn]! -= total;
    return turn;
  });
}

/** Turns of a cycle in which each has as many as its weight says. */
const turnsIn = (weights: readonly number[]): number =>
  sumOf(weights) / (weights.reduce(greatestCommonDivisor, 0) || 1);

const sumOf = (weights: readonly number[]): number => weights.reduce((sum, weight) => sum + weight, 0);

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));
