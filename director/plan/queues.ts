/**
 * What leaves first when a device cannot send all: shares of its rate (what CBQ was used for), and urgency by TOS. Both
 * stand on HTB, and nftables says which packet belongs to which class: `meta priority` names it.
 */
import { atDirector } from "./director.ts";
import type { Farm } from "./farm.ts";
import { keyword, portsByTransport, portsText } from "./nft.ts";
import { chain, nftTable, queueClass, rootQueue, type Step } from "./step.ts";
import { MARKS } from "./wish.ts";

const TABLE = "kindred_queues";
const ALL = "1:1";
/** A packet of Ethernet: the least that a class sends at once. */
const PACKET = 1514;

/** After source NAT: replies have the VIP again. */
const AFTER_NAT = "type filter hook postrouting priority srcnat + 50";

const replies = (farm: Farm, name: string): string[] =>
  farm.services
    .filter((service) => service.name === name)
    .flatMap(({ vip, ports }) =>
      portsByTransport(ports).map((one) => `${keyword(vip)} saddr ${vip} ${one.transport} sport ${portsText(one)}`),
    );

interface Class {
  readonly id: string;
  readonly why: string;
  readonly percent: number;
  readonly urgency: number;
}

function queues(front: string, rate: string, classes: readonly Class[], rest: string): Step[] {
  return [
    atDirector(`${front} keeps what it cannot send, class by class`, rootQueue(front, ["htb", "default", minor(rest)])),
    atDirector(`${rate} in all`, queueClass(front, "1:", ALL, ["htb", "rate", rate, "ceil", rate])),
    ...classes.map(({ id, why, percent, urgency }) => {
      const quantum = String(PACKET * Math.max(1, percent));
      const kind = ["htb", "rate", part(rate, percent), "ceil", rate, "prio", String(urgency), "quantum", quantum];
      return atDirector(why, queueClass(front, ALL, id, kind));
    }),
  ];
}

const minor = (id: string): string => id.slice(id.indexOf(":") + 1);

const UNITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };

/** `percent` of a rate such as `10mbit`, in bits a second. */
export function part(rate: string, percent: number): string {
  const [, count, unit] = /^(\d+)(\w+)$/.exec(rate)!;
  return `${Math.max(8, Math.floor((Number(count) * UNITS[unit!]! * percent) / 100))}bit`;
}

/** Each service its share, and what nobody else uses. */
export function bandwidth(farm: Farm): Step[] {
  const front = farm.wish.front!;
  const shares = [...farm.wish.shares];
  // Classes are numbered in hexadecimal (tc(8)).
  const idOf = (index: number): string => `1:${(index + 0x10).toString(16)}`;
  const rest = idOf(shares.length);
  const classes = shares.map(([name, percent], index) => ({
    id: idOf(index),
    why: `${percent} % for ${name}, and what the others do not use`,
    percent,
    urgency: 0,
  }));
  const left = 100 - shares.reduce((sum, [, percent]) => sum + percent, 0);
  classes.push({ id: rest, why: "what belongs to no service", percent: Math.max(1, left), urgency: 0 });
  const rules = shares.flatMap(([name], index) =>
    replies(farm, name).map((match) => `oifname "${front}" ${match} meta priority set ${idOf(index)}`),
  );
  return [
    ...queues(front, farm.wish.rate!, classes, rest),
    atDirector("replies of a service belong to its class", nftTable(TABLE, [chain("postrouting", AFTER_NAT, rules)])),
  ];
}

const URGENT = "1:10";
const ORDINARY = "1:20";
const PATIENT = "1:30";

/** Rates are what a class gets in any case; so nobody starves while the urgent do not fill the device by themselves. */
const URGENCIES: readonly Class[] = [
  { id: URGENT, why: "what is urgent leaves first", percent: 80, urgency: 0 },
  { id: ORDINARY, why: "then what is not marked", percent: 10, urgency: 1 },
  { id: PATIENT, why: "then what can wait", percent: 10, urgency: 2 },
];

/** RFC 3246 (EF), RFC 1349 (TOS: minimize delay, maximize throughput), RFC 3662 (CS1). */
export function urgency(farm: Farm): Step[] {
  const front = farm.wish.front!;
  const out = `oifname "${front}"`;
  const marking = [...farm.wish.marks].flatMap(([name, mark]) =>
    replies(farm, name).map(
      (match) => `${out} ${match} ${match.startsWith("ip6") ? "ip6" : "ip"} dscp set ${hex(MARKS[mark])}`,
    ),
  );
  const classes = (["ip", "ip6"] as const).flatMap((ip) => [
    `${out} ${ip} dscp { ${hex(MARKS["low-delay"])}, ${hex(MARKS.ef)} } meta priority set ${URGENT}`,
    `${out} ${ip} dscp { ${hex(MARKS.throughput)}, ${hex(MARKS.bulk)} } meta priority set ${PATIENT}`,
  ]);
  return [
    ...queues(front, farm.wish.rate!, URGENCIES, ORDINARY),
    atDirector(
      "marks of services, and the class of each mark",
      nftTable(TABLE, [chain("postrouting", AFTER_NAT, [...marking, ...classes])]),
    ),
  ];
}

const hex = (dscp: number): string => `0x${dscp.toString(16).padStart(2, "0")}`;

export function queueProblems({ services, wish }: Farm): string[] {
  const named = wish.topology === "lvc-bandwidth" ? [...wish.shares.keys()] : [...wish.marks.keys()];
  const problems = named
    .filter((name) => !services.some((service) => service.name === name))
    .map((name) => `"${name}" is no service; there are ${services.map((service) => service.name).join(", ")}`);
  const all = [...wish.shares.values()].reduce((sum, percent) => sum + percent, 0);
  if (all > 100) problems.push(`--share: ${all} % in all; give at most 100 %`);
  return problems;
}
