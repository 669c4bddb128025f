/**
 * Services that the kernel spreads by itself, as rules for nft(8):
 *
 *   client -> VIP:80    its SYN      to a realserver: each in turn (numgen), or by the client's address (jhash)
 *                       the rest     to the same one, by conntrack, also when that gets nothing new any more
 *
 * What nftables cannot say stays in the engine: whoever reads connections or counts them, a client's stay after its last
 * connection, several ports or services as one, datagrams (whose flow would go on to a realserver that is dead), cutting
 * the flows of one that is, and methods other than NAT. So does a service while none of its realservers takes anything:
 * the engine says so to its clients.
 */
import { realserverKey } from "../../../core/service.ts";
import type { Port } from "../../../core/units.ts";
import type { RealserverConfig, ServiceConfig } from "../../config/types.ts";

const TABLE = "inet kindred";
/** The chain that all its rules are in, and the beginning of the names of realservers' own chains and counters. */
export const SERVICES = "services";
const REALSERVER = "to";
/** More turns in a cycle than this are no rule to read. */
const MOST_TURNS = 256;

/** Whether nftables can do all that `service` asks for. */
export function fitsKernel(service: ServiceConfig): boolean {
  const { vip, ports, helper, mark, scheduler, persistence, check, realservers } = service;
  const [range] = ports;
  const onePort = ports.length === 1 && range!.transport === "tcp" && range!.first === range!.last;
  const turns = turnsIn(realservers.map(({ weight }) => weight));
  return (
    onePort &&
    helper === null &&
    mark === null &&
    persistence === 0 &&
    check?.onFailure !== "drop" &&
    (scheduler === "rr" || scheduler === "sh" || (scheduler === "wrr" && turns <= MOST_TURNS)) &&
    realservers.every(({ method, address }) => method === "nat" && address.family === vip.family)
  );
}

/** `number`: of a realserver of a service, always the same. `takes`: it gets new connections. */
interface RuleOptions {
  number(service: string, realserver: string): number;
  takes(service: string, realserver: string): boolean;
}

/** One transaction: the rules of `services`, in place of those that there were. */
export function serviceRules(services: readonly ServiceConfig[], options: RuleOptions): string {
  const rules = services.filter(fitsKernel).flatMap((service) => rulesOf(service, options));
  return [`flush chain ${TABLE} ${SERVICES}`, ...rules].join("; ");
}

function rulesOf({ name, vip, ports, scheduler, realservers }: ServiceConfig, options: RuleOptions): string[] {
  const willing = realservers.filter(
    (realserver) => realserver.weight > 0 && options.takes(name, realserverKey(realserver)),
  );
  const usual = willing.filter(({ sorry }) => !sorry);
  const taking = usual.length > 0 ? usual : willing;
  if (taking.length === 0) return [];
  const [ip, port] = [vip.family === 4 ? "ip" : "ip6", ports[0]!.first];
  const chains = taking.map((realserver) => chainName(options.number(name, realserverKey(realserver))));
  const turns = scheduler === "wrr" ? turnsOf(taking.map(({ weight }) => weight)) : taking.map((_, i) => i);
  const choice = scheduler === "sh" ? `jhash ${ip} saddr` : "numgen inc";
  const map = turns.map((turn, i) => `${i} : goto ${chains[turn]}`).join(", ");
  // A connection that conntrack forgot must not be spread once more: its first packet is a SYN, or it is nobody's.
  const first = `${ip} daddr ${vip} tcp dport ${port} tcp flags & (fin | syn | rst | ack) == syn`;
  return [
    ...taking.flatMap((realserver, i) => chainOf(chains[i]!, ip, realserver, port)),
    `add rule ${TABLE} ${SERVICES} ${first} ${choice} mod ${turns.length} vmap { ${map} }`,
  ];
}

function chainOf(name: string, ip: string, { address, port }: RealserverConfig, virtual: Port): string[] {
  const to = address.family === 4 ? `${address}:${port ?? virtual}` : `[${address}]:${port ?? virtual}`;
  return [
    `add counter ${TABLE} ${name}`,
    `add chain ${TABLE} ${name}`,
    `flush chain ${TABLE} ${name}`,
    `add rule ${TABLE} ${name} meta l4proto tcp counter name ${name} dnat ${ip} to ${to}`,
  ];
}

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
