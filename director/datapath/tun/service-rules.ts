/**
 * Services that the kernel spreads by itself, as rules for nft(8):
 *
 *   client -> VIP:80    its first        to a realserver: each in turn (numgen), or by the client's address (jhash)
 *                       the rest         to the same one, by conntrack, also when that gets nothing new any more
 *                       another's first  where services persist: to who is in the client's set, for as long as it is in it
 *
 * A client is put into its realserver's set by its first packet, and each one that follows lets the set's time begin
 * anew: it stays for that time after its last packet. A connection to another realserver puts it nowhere: the set of one
 * that stops taking clients is emptied, one that is drained has whoever is in no other's, so that a client is never in two.
 *
 * What nftables cannot say stays in the engine: whoever reads connections or counts them, several services as one, cutting
 * the connections of one that is dead, and methods other than NAT. So does a service while none of its realservers takes
 * anything: the engine says so to its clients.
 */
import { stayOf } from "../../../core/change.ts";
import { isPortGroup, realserverKey } from "../../../core/service.ts";
import type { PortRange } from "../../../core/units.ts";
import { Address } from "../../../core/wire/address.ts";
import type { RealserverConfig, ServiceConfig } from "../../config/types.ts";

export const TABLE = "inet kindred";
/** The chain that all its rules are in, and the one that sees every packet of clients who are to stay. */
export const SERVICES = "services";
export const STAYS = "stays";
/** The chain that sees every packet there is, translated already: each of its rules costs each of them something. */
export const TRANSLATED = "translated";
/**
 * The sets of addresses that the kernel translates for us: whatever else it translates is not ours to mark. Of a set whose
 * size is known it finds an element a tenth of a microsecond earlier, with 256 KiB for it.
 */
export const VIPS = { 4: "ours4", 6: "ours6" } as const;
export const MOST_VIPS = 16_384;
/**
 * The chain that drops what claims to be from this host itself, and the set of devices that it is asked of: the kernel does
 * not look there any more (setup.ts). By their numbers, since a device that is renamed takes its settings along. (Directors
 * before this one had `entrances`, by name.)
 */
export const SOURCES = "sources";
export const ENTRANCES = "doors";
export const addEntrances = `add set ${TABLE} ${ENTRANCES} { type iface_index; }`;
export const toSources = `iif @${ENTRANCES} jump ${SOURCES}`;
/** A bit of the mark of what the kernel translates: the rules that lead here are not for it (setup.ts). */
export const MARK = "0x1000000";
/**
 * The beginning of the names of realservers' own chains and counters, of the counters of clients that their sets had no room
 * for, of the chains that keep clients, of their sets.
 */
export const REALSERVER = "to";
export const FULL = "full";
const KEEPER = "keep";
const CLIENTS = "stay";
/** Clients of a set at most: the engine has those for whom it has no room. */
export const MOST_CLIENTS = 1 << 18;
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
    (staySeconds(service) === 0 || addresses.size === realservers.length) &&
    realservers.every(({ method, address }) => method === "nat" && address.family === vip.family)
  );
}

/** How long clients stay, in seconds, as with the engine; 0: each connection is spread. */
const staySeconds = (service: ServiceConfig): number =>
  service.persistence > 0 || isPortGroup(service) ? Math.ceil(stayOf(service) / 1000) : 0;

/** `number`: of a realserver of a service, always the same. `takes`: it gets new connections. */
interface RuleOptions {
  number(service: string, realserver: string): number;
  takes(service: string, realserver: string): boolean;
}

/** What is ours goes no further in the chain: none of its first packets got past the same question (offload.ts). */
const marked = (family: 4 | 6, vips = `@${VIPS[family]}`): string =>
  `ct status dnat ct original ${family === 4 ? "ip" : "ip6"} daddr ${vips} meta mark set meta mark or ${MARK} accept`;
/** The only VIP of a family is compared before the set is asked, which has those of before, too. */
const onlyVips = (services: readonly ServiceConfig[]): string[] =>
  ([4, 6] as const).flatMap((family) => {
    const vips = services.flatMap(({ vip }) => (vip.family === family ? [vip.toString()] : []));
    const [vip, ...others] = new Set(vips);
    return vip !== undefined && others.length === 0 ? [marked(family, vip)] : [];
  });
const toStays = `ct status dnat ct direction original jump ${STAYS}`;

/** Commands that leave every service to the engine. `first`: of the packets that are translated. */
const emptiedWith = (...first: readonly string[]): readonly string[] => [
  ...[SERVICES, STAYS, TRANSLATED].map((chain) => `flush chain ${TABLE} ${chain}`),
  ...[...first, marked(4), marked(6), toSources].map((rule) => `add rule ${TABLE} ${TRANSLATED} ${rule}`),
];
export const emptied = emptiedWith();

/** A set of clients: whose they are, and what it gets of them: new ones, those that it has, nothing. */
export interface ClientSet {
  readonly service: string;
  readonly realserver: string;
  readonly gets: "new" | "its own" | "none";
  /** Bits of the clients' networks; null: each is known by its address. */
  readonly prefix: number | null;
}

/** By their names; null: of a director before this one. */
export type ClientSets = ReadonlyMap<string, ClientSet | null>;

/** One transaction, a command a line: the rules of `services`, in place of those that there were with the sets `before`. */
export function serviceRules(
  services: readonly ServiceConfig[],
  options: RuleOptions,
  before: ClientSets = new Map(),
): { readonly rules: string; readonly sets: ReadonlyMap<string, ClientSet> } {
  const shared = services.filter(fitsKernel).map((service) => [service, sharesOf(service, options)] as const);
  const sets = new Map(shared.flatMap(([service, shares]) => setsOf(service, shares)));
  const rules = [
    ...emptiedWith(...(sets.size > 0 ? [toStays] : []), ...onlyVips(services)),
    ...shared.flatMap(([service, shares]) => rulesOf(service, shares)),
    ...flushed(sets, before),
  ];
  return { rules: rules.join("\n"), sets };
}

function setsOf(service: ServiceConfig, { all, taking, drained }: Shares): [string, ClientSet][] {
  if (staySeconds(service) === 0) return [];
  return all.map((one) => {
    const gets = taking.includes(one) ? "new" : drained.includes(one) ? "its own" : "none";
    const whose = { service: service.name, realserver: realserverKey(one), prefix: service.persistenceNetmask };
    return [clientsOf(service.vip.family, one), { ...whose, gets }];
  });
}

/** Sets whose realserver takes nobody now; of one that was drained before, those stay who are connected. */
const flushed = (sets: ClientSets, before: ClientSets): string[] =>
  [...new Set([...before.keys(), ...sets.keys()])]
    .filter((name) => {
      const gets = sets.get(name)?.gets;
      return gets !== "new" && !(gets === "its own" && before.get(name)?.gets === "its own");
    })
    .map(flush);

/** The command that empties the set. */
export const flush = (set: string): string => `flush set ${TABLE} ${set}`;

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

function rulesOf(service: ServiceConfig, shares: Shares): string[] {
  const { taking } = shares;
  if (staySeconds(service) > 0) return persistentRules(service, shares);
  if (taking.length === 0) return [];
  return [...taking.flatMap((one) => chainOf(service, one)), ...firstsOf(service).map(spread(service, taking))];
}

/** Those that are known are asked for before it is anybody's turn; where it is nobody's, the engine answers the others. */
function persistentRules(service: ServiceConfig, shares: Shares): string[] {
  const { all, taking, drained } = shares;
  const keeping = [...taking, ...drained];
  const { family } = service.vip;
  const sets = all.map((one) => `add set ${TABLE} ${clientsOf(family, one)} { ${setOf(family)} }`);
  if (keeping.length === 0) return sets;
  const known = (one: Numbered): string => `${clientOf(service)} @${clientsOf(family, one)}`;
  const staying = (one: Numbered): string => {
    const seconds = drained.includes(one) ? DRAINED : staySeconds(service);
    return `update @${clientsOf(family, one)} { ${clientOf(service)} timeout ${seconds}s }`;
  };
  const kept = keeping.map((one) => `${one.address} : goto ${keeperName(one)}`).join(", ");
  return [
    ...sets,
    ...keeping.flatMap((one) => [
      `add counter ${TABLE} ${fullName(one)}`,
      // nft goes on to the second rule where the set of the first is full.
      ...chainOf(service, one, `${staying(one)} `, [`counter name ${fullName(one)}`]),
    ]),
    ...taking.flatMap((one) => chain(keeperName(one), `${known(one)} ${staying(one)}`)),
    ...drained.flatMap((one) =>
      chain(keeperName(one), ...taking.map((other) => `${known(other)} return`), staying(one)),
    ),
    ...firstsOf(service).flatMap((first) => [
      ...keeping.map((one) => `add rule ${TABLE} ${SERVICES} ${first} ${known(one)} goto ${chainName(one)}`),
      ...(taking.length > 0 ? [spread(service, taking)(first)] : []),
    ]),
    ...translatedOf(service).map(
      (packet) => `add rule ${TABLE} ${STAYS} ${packet} ${keyword(service.vip)} daddr vmap { ${kept} }`,
    ),
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
 * The same where they have the realserver's address, and may have its port, already. A rule for each range: nft (1.0.6)
 * lists sets of these ports in a way that it cannot read again.
 */
const translatedOf = ({ vip, ports }: ServiceConfig): string[] =>
  ports.map((range) => {
    const to = `ct original ${keyword(vip)} daddr ${vip}`;
    return `${to} meta l4proto ${range.transport} ct original proto-dst ${portsText([range])}`;
  });

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
    const map = turns.map((turn, i) => `${i} : goto ${chainName(taking[turn]!)}`).join(", ");
    return `add rule ${TABLE} ${SERVICES} ${first} ${choice} mod ${turns.length} vmap { ${map} }`;
  };

/** Leads to a realserver, and counts. `before`: what else is to be done with the first packet; `after`: if that fails. */
function chainOf(
  { vip, ports }: ServiceConfig,
  realserver: Numbered,
  before = "",
  after: readonly string[] = [],
): string[] {
  const { address, port } = realserver;
  const name = chainName(realserver);
  // Without a port of its own it is the one that the client connected to. One of its own has but a service of one port.
  const matched = port === null ? "" : `meta l4proto ${ports[0]!.transport} `;
  const to = port === null ? address : `${address.family === 4 ? address : `[${address}]`}:${port}`;
  const rule = `${matched}${before}counter name ${name} dnat ${keyword(vip)} to ${to}`;
  return [`add counter ${TABLE} ${name}`, ...chain(name, rule, ...after)];
}

const chain = (name: string, ...rules: readonly string[]): string[] => [
  `add chain ${TABLE} ${name}`,
  `flush chain ${TABLE} ${name}`,
  ...rules.map((rule) => `add rule ${TABLE} ${name} ${rule}`),
];

const keyword = ({ family }: Address): "ip" | "ip6" => (family === 4 ? "ip" : "ip6");

function portsText(ports: readonly PortRange[]): string {
  const all = ports.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`));
  return all.length === 1 ? all[0]! : `{ ${all.join(", ")} }`;
}

/** The set of a realserver's clients: what a director that was killed left in it is of the same kind. */
const clientsOf = (family: 4 | 6, { number }: Numbered): string => `${CLIENTS}${family}_${number}`;
/** Whether a set has that name. */
export const isClients = (name: string): boolean => name.startsWith(CLIENTS);
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

/** The name of a realserver's counter, of connections or of those for whose clients there was no room. */
export const counterOf = (number: number, what: typeof REALSERVER | typeof FULL): string => `${what}${number}`;
/** Its counter's name too. */
const chainName = ({ number }: Numbered): string => counterOf(number, REALSERVER);
const fullName = ({ number }: Numbered): string => counterOf(number, FULL);
const keeperName = ({ number }: Numbered): string => `${KEEPER}${number}`;

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
