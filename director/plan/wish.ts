/** What the user asks of a plan beside the configuration, read from the command line's texts. */
import { Address } from "../../core/wire/address.ts";

export const TOPOLOGIES = {
  nat: "kindred translates; on the packet path the director is the realservers' gateway",
  dr: "direct routing: the realserver has the VIP, or takes its connections as a transparent proxy",
  tunnel: "IP in IP: the realserver may be in another network",
  "lvc-rr": "nftables balances and hides the clients' addresses; the realservers need nothing",
  "lvc-gateway": "nftables balances; the director is the realservers' gateway",
  "lvc-snat": "nftables balances without state; the realservers put the VIP into their own replies",
  "lvc-dr": "routes chosen by nftables balance; the realservers have the VIP, or are transparent proxies",
  "lvc-bandwidth": "shares of a device's bandwidth for services",
  "lvc-tos": "what is marked as urgent (TOS, DSCP) leaves first",
} as const;
export type Topology = keyof typeof TOPOLOGIES;

export const ACCEPTS = {
  lo: "the VIP on lo, silent to ARP",
  redirect: "nftables redirects what comes for the VIP to the realserver's own sockets",
  tproxy: "TPROXY, to sockets with IP_TRANSPARENT",
  route: "a local route for the VIP",
} as const;
export type Accept = keyof typeof ACCEPTS;

/** DSCP of each, of 6 bits; the first three in the terms of TOS (RFC 1349), which shifts them by two. */
export const MARKS = { "low-delay": 0x04, throughput: 0x02, bulk: 0x08, ef: 0x2e } as const;
export type Mark = keyof typeof MARKS;

export interface Wish {
  /** null: each realserver by its own method. */
  readonly topology: Topology | null;
  /** null: the topology's own. */
  readonly vip: "director" | "nowhere" | null;
  readonly accept: Accept;
  /** The way of a realserver's replies where it could answer by itself. */
  readonly replies: "direct" | "director";
  /** The director's address towards the realservers, at most one of each family. */
  readonly gateways: readonly Address[];
  /** The director's device towards the clients. */
  readonly front: string | null;
  /** Clients are on the realservers' own network. */
  readonly oneNetwork: boolean;
  /** What the device can send, as tc(8) writes it. */
  readonly rate: string | null;
  /** Percent of the rate, by service. */
  readonly shares: ReadonlyMap<string, number>;
  readonly marks: ReadonlyMap<string, Mark>;
}

/** The options as they stand on the command line. */
export interface WishTexts {
  readonly topology?: string;
  readonly vip?: string;
  readonly accept?: string;
  readonly replies?: string;
  readonly gateway?: readonly string[];
  readonly front?: string;
  readonly oneNetwork?: boolean;
  readonly rate?: string;
  readonly share?: readonly string[];
  readonly mark?: readonly string[];
}

/** The wish, or all that is wrong with it, a sentence with its remedy each. */
export function readWish(texts: WishTexts): Wish | string[] {
  const wrong: string[] = [];
  const problem = (text: string): null => {
    wrong.push(text);
    return null;
  };
  const wish: Wish = {
    topology: oneOf("--topology", texts.topology, Object.keys(TOPOLOGIES) as Topology[], problem),
    vip: oneOf("--vip", texts.vip, ["director", "nowhere"], problem),
    accept: oneOf("--accept", texts.accept, Object.keys(ACCEPTS) as Accept[], problem) ?? "lo",
    replies: oneOf("--replies", texts.replies, ["direct", "director"], problem) ?? "direct",
    gateways: gateways(texts.gateway ?? [], problem),
    front: deviceName(texts.front, problem),
    oneNetwork: texts.oneNetwork === true,
    rate: rate(texts.rate, problem),
    shares: byService("--share", texts.share ?? [], percent, problem),
    marks: byService("--mark", texts.mark ?? [], mark, problem),
  };
  return wrong.length === 0 ? wish : wrong;
}

type Problem = (text: string) => null;

function oneOf<const T extends string>(
  option: string,
  text: string | undefined,
  known: readonly T[],
  problem: Problem,
): T | null {
  if (text === undefined) return null;
  return known.find((word) => word === text) ?? problem(`${option}: "${text}" is none; write ${known.join(", ")}`);
}

function gateways(texts: readonly string[], problem: Problem): Address[] {
  const found: Address[] = [];
  for (const text of texts) {
    const address = Address.parse(text);
    if (address === null) problem(`--gateway: "${text}" is no address; write the director's towards the realservers`);
    else if (found.some(({ family }) => family === address.family)) {
      problem(`--gateway: a second IPv${address.family} address, ${text}; write one of each family`);
    } else found.push(address);
  }
  return found;
}

/** The kernel's names are at most 15 bytes; more characters than these nobody uses, and they would need quotes. */
function deviceName(text: string | undefined, problem: Problem): string | null {
  if (text === undefined || /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(text)) return text ?? null;
  return problem(`--front: "${text}" is no device name; \`ip link\` shows them`);
}

function rate(text: string | undefined, problem: Problem): string | null {
  if (text === undefined || /^[1-9]\d{0,8}(k|m|g)?bit$/.test(text)) return text ?? null;
  return problem(`--rate: "${text}" is no rate; write a whole number and bit, kbit, mbit or gbit, as in 100mbit`);
}

function byService<T>(
  option: string,
  texts: readonly string[],
  read: (text: string) => T | null,
  problem: Problem,
): Map<string, T> {
  const found = new Map<string, T>();
  for (const text of texts) {
    const at = text.indexOf("=");
    const value = at > 0 ? read(text.slice(at + 1)) : null;
    const name = text.slice(0, Math.max(0, at));
    if (value === null) problem(`${option}: "${text}" is none; write SERVICE=${EXAMPLES[option]}`);
    else if (found.has(name)) problem(`${option}: ${name} is given twice; remove one of the two`);
    else found.set(name, value);
  }
  return found;
}

const EXAMPLES: Readonly<Record<string, string>> = {
  "--share": "PERCENT, as in web=70",
  "--mark": `${Object.keys(MARKS).join("|")}, as in shell=low-delay`,
};

const percent = (text: string): number | null => (/^([1-9]\d?|100)$/.test(text) ? Number(text) : null);
const mark = (text: string): Mark | null => (Object.hasOwn(MARKS, text) ? (text as Mark) : null);
