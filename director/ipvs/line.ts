/** One line of ipvsadm's rules, or one call of it, as a rule. */
import { quote } from "../config/problem.ts";
import { type Options, readOptions } from "./options.ts";
import type { Rule, VirtualService } from "./rule.ts";
import { Trouble, type Word } from "./trouble.ts";
import {
  DEFAULT_PERSISTENCE,
  markOf,
  netmaskOf,
  persistenceOf,
  realOf,
  schedulerIn,
  virtualOf,
  weightOf,
} from "./values.ts";

/** What is odd about a rule that was understood. */
export type Warn = (at: Word, message: string, remedy: string) => void;

/** A rule in a file, where ipvsadm itself takes some of them for granted. */
export interface PlacedRule {
  readonly at: Word;
  readonly rule: Rule;
}

/** Words at spaces and tabs; a comment (`#` first) has none. */
export function wordsOf(text: string, line: number): Word[] {
  if (text.trimStart().startsWith("#")) return [];
  return [...text.matchAll(/[^ \t\r]+/g)].map((match) => ({ text: match[0], line, column: match.index + 1 }));
}

/** Throws Trouble. */
export function readRule(words: readonly Word[], warn: Warn): PlacedRule {
  // A script says "ipvsadm -A …", and -S does not.
  const said = /(^|\/)ipvsadm$/.test(words[0]!.text) ? words.slice(1) : words;
  const options = readOptions(said);
  const verbs = VERBS.filter((verb) => options.has(verb));
  const [verb, another] = verbs;
  const at = said[0] ?? words[0]!;
  if (verb === undefined) throw new Trouble(at, "says nothing to do", `write one of ${VERBS.map((v) => `--${v}`)}`);
  if (another !== undefined) throw new Trouble(options.get(another)!.at, "two things at once", "write two lines");
  checkBelongs(verb, options);
  return { at, rule: RULES[verb](options, at, warn) };
}

const VERBS = ["add-service", "edit-service", "delete-service", "add-server", "edit-server", "delete-server", "clear"];
type Verb =
  | "add-service"
  | "edit-service"
  | "delete-service"
  | "add-server"
  | "edit-server"
  | "delete-server"
  | "clear";

const SERVICE = ["tcp-service", "udp-service", "sctp-service", "fwmark-service", "ipv6"];
const OF_SERVICE = [...SERVICE, "scheduler", "persistent", "netmask", "pe", "ops", "sched-flags"];
const TUNNEL = ["tun-type", "tun-port", "tun-nocsum", "tun-csum", "tun-remcsum"];
const METHODS = ["gatewaying", "ipip", "masquerading"];
const OF_SERVER = [...SERVICE, "real-server", ...METHODS, ...TUNNEL, "weight", "u-threshold", "l-threshold"];

/** The options that go with each (`commands_v_options` of ipvsadm). */
const BELONGS: Readonly<Record<Verb, readonly string[]>> = {
  "add-service": OF_SERVICE,
  "edit-service": OF_SERVICE,
  "delete-service": SERVICE,
  "add-server": OF_SERVER,
  "edit-server": OF_SERVER,
  "delete-server": [...SERVICE, "real-server"],
  clear: [],
};

function checkBelongs(verb: string, options: Options): asserts verb is Verb {
  const allowed = [verb, ...BELONGS[verb as Verb]];
  for (const [name, { at }] of options) {
    if (!allowed.includes(name)) throw new Trouble(at, `--${name} does not go with --${verb}`, "remove it");
  }
}

type Read = (options: Options, at: Word, warn: Warn) => Rule;

const RULES: Readonly<Record<Verb, Read>> = {
  clear: () => ({ verb: "clear" }),
  "add-service": (options, at) => readService("add-service", options, at),
  "edit-service": (options, at) => readService("edit-service", options, at),
  "delete-service": (options, at) => ({ verb: "delete-service", service: readVirtual(options, at) }),
  "add-server": (options, at, warn) => readServer("add-server", options, at, warn),
  "edit-server": (options, at, warn) => readServer("edit-server", options, at, warn),
  "delete-server": (options, at) => ({
    verb: "delete-server",
    service: readVirtual(options, at),
    server: realOf(needed(options, "real-server", at)),
  }),
};

function needed(options: Options, name: string, at: Word): Word {
  const word = options.get(name)?.value;
  if (word) return word;
  throw new Trouble(at, `--${name} is missing`, "add it");
}

function readVirtual(options: Options, at: Word): VirtualService {
  const given = SERVICE.filter((name) => name !== "ipv6" && options.has(name));
  if (given.length !== 1) {
    const message = given.length === 0 ? "names no virtual service" : "names two virtual services";
    throw new Trouble(at, message, "write one of -t ADDRESS:PORT, -u ADDRESS:PORT, -f MARK");
  }
  const [kind] = given;
  const word = options.get(kind!)!.value!;
  if (kind === "tcp-service") return virtualOf("tcp", word);
  if (kind === "udp-service") return virtualOf("udp", word);
  if (kind === "fwmark-service") return markOf(word, options.has("ipv6") ? 6 : 4);
  throw new Trouble(options.get(kind!)!.at, "SCTP is not forwarded here", "remove the service");
}

function readService(verb: "add-service" | "edit-service", options: Options, at: Word): Rule {
  const service = readVirtual(options, at);
  refuseUnknown(options);
  const persistent = options.get("persistent");
  const persistence = persistent === undefined ? null : persistent.value ? persistenceOf(persistent.value) : null;
  if ("port" in service && service.port === 0 && persistent === undefined) {
    throw new Trouble(at, "every port of the VIP, without persistence", "add -p, or a port");
  }
  const mask = options.get("netmask");
  const family = "mark" in service ? service.family : service.address.family;
  if (mask !== undefined && persistent === undefined) {
    throw new Trouble(mask.at, "a netmask without persistence means nothing", "add -p, or remove it");
  }
  const word = options.get("scheduler")?.value;
  return {
    verb,
    service,
    scheduler: word ? schedulerIn(word) : "wlc",
    persistence: persistent === undefined ? null : (persistence ?? DEFAULT_PERSISTENCE),
    netmask: mask?.value ? netmaskOf(mask.value, family) : null,
  };
}

/** What would change how clients are served, and that no configuration here can say. */
function refuseUnknown(options: Options): void {
  const ops = options.get("ops");
  if (ops !== undefined) {
    const remedy = 'remove it; "helper: dns" and "helper: radius" schedule each request by itself';
    throw new Trouble(ops.at, "there is no scheduling packet by packet here", remedy);
  }
  const engine = options.get("pe");
  if (engine !== undefined) {
    const remedy = 'remove it; "helper: sip" reads calls';
    throw new Trouble(engine.at, `no persistence engine ${quote(engine.value!.text)}`, remedy);
  }
  const flags = options.get("sched-flags");
  if (flags !== undefined) {
    throw new Trouble(flags.at, "schedulers take no flags here", "remove it: sh and mh pass over who is down anyway");
  }
}

function readServer(verb: "add-server" | "edit-server", options: Options, at: Word, warn: Warn): Rule {
  const service = readVirtual(options, at);
  const server = realOf(needed(options, "real-server", at));
  const method = readMethod(options);
  for (const name of ["u-threshold", "l-threshold"]) {
    const threshold = options.get(name);
    if (threshold === undefined || Number(threshold.value!.text) === 0) continue;
    warn(threshold.at, "a realserver's connections are not limited here", "a lower weight gives it fewer");
  }
  const word = options.get("weight")?.value;
  // With direct routing and tunnels the realserver is the VIP: its port is the service's (ipvsadm.c).
  const port = method === "nat" || "mark" in service ? server.port : service.port;
  return { verb, service, server: { ...server, port }, method, weight: word ? weightOf(word) : 1 };
}

function readMethod(options: Options): "nat" | "dr" | "tunnel" {
  const given = [...options.keys()].filter((name) => METHODS.includes(name));
  if (given.length > 1) throw new Trouble(options.get(given[1]!)!.at, "two forwarding methods", "remove one");
  const tunnel = given[0] === "ipip";
  for (const name of TUNNEL) {
    const option = options.get(name);
    if (option === undefined) continue;
    if (!tunnel) throw new Trouble(option.at, `--${name} is of tunnels only`, "add -i, or remove it");
    if (option.value?.text === "ipip") continue;
    throw new Trouble(option.at, "tunnels are IPIP here", "remove it, or write --tun-type ipip");
  }
  return tunnel ? "tunnel" : given[0] === "masquerading" ? "nat" : "dr";
}
