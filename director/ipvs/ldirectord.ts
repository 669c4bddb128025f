/** The virtual services of an ldirectord.cf as rules (ldirectord(8)). */
import type { Transport } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { nearest } from "../config/nearest.ts";
import { quote } from "../config/problem.ts";
import { type Imported, Reading } from "./reading.ts";
import type { VirtualService } from "./rule.ts";
import { plainWords, type ScriptCheck, scriptCheck } from "./script-check.ts";
import { Trouble, type Word } from "./trouble.ts";
import { addressOf, hostPortOf, markOf, netmaskOf, persistenceOf, schedulerIn, weightOf } from "./values.ts";

export function readLdirectord(text: string, file: string): Imported {
  const reading = new Reading(file);
  new LdirectordReader(reading).read(text);
  return reading;
}

/** `key=value`, and where each stands. */
interface Directive {
  readonly key: Word;
  readonly value: Word;
}

interface Section {
  readonly virtual: Directive;
  readonly directives: Directive[];
}

interface Fallback {
  readonly at: Word;
  readonly address: Address;
  readonly port: number;
  readonly method: "nat" | "dr" | "tunnel";
}

const FALLBACK = /^fallback6?$/;

/** Of each service, and of all (ldirectord(8)); of how they are checked it is told once. */
const OF_CHECKS = [
  ...["checktype", "checkcommand", "checkinterval", "checktimeout", "checkcount", "checkport", "failurecount"],
  ...["negotiatetimeout", "quiescent", "readdquiescent", "request", "receive", "service", "servicename", "httpmethod"],
  ...["virtualhost", "login", "passwd", "database", "secret", "load"],
];
const NOT_HERE = ["fallbackcommand", "ops", "callback", "emailalert", "execute", "monitorfile"];
const OF_PROCESS = [
  ...OF_CHECKS,
  ...["autoreload", "logfile", "supervised", "fork", "cleanstop", "smtp", "maintenancedir"],
  ...["emailalertfreq", "emailalertfrom", "emailalertstatus"],
];
const OF_SERVICE = [
  ...OF_CHECKS,
  ...["scheduler", "persistent", "netmask", "protocol", "fallback", "fallback6", "cleanstop", "smtp"],
  ...["emailalertfreq", "emailalertfrom", "emailalertstatus"],
];

const METHODS: Readonly<Record<string, "nat" | "dr" | "tunnel">> = { gate: "dr", masq: "nat", ipip: "tunnel" };
/** ldirectord's own default. */
const SCHEDULER = "wrr";
const MOST_REALSERVERS = 256;

class LdirectordReader {
  readonly #reading: Reading;
  /** Those that stand before the services, for those of their family that have none of their own. */
  readonly #usual = new Map<4 | 6, Fallback>();
  /** What else stands there, by key. */
  readonly #global = new Map<string, Directive>();

  readonly #told = new Set<Word>();

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  read(text: string): void {
    for (const section of this.#sections(text)) this.#reading.attempt(() => this.#section(section));
  }

  /** What is indented belongs to the virtual service above it. */
  #sections(text: string): Section[] {
    const sections: Section[] = [];
    for (const [index, line] of text.split("\n").entries()) {
      if (/^\s*(#|$)/.test(line)) continue;
      this.#reading.attempt(() => {
        const directive = readDirective(line, index + 1);
        const { key } = directive;
        if (/^virtual6?$/.test(key.text)) sections.push({ virtual: directive, directives: [] });
        else if (key.column > 1) belongTo(sections, directive);
        else if (FALLBACK.test(key.text)) this.#usual.set(key.text.endsWith("6") ? 6 : 4, this.#fallback(directive));
        else this.#global.set(key.text, directive);
      });
    }
    // Most of it is about the process.
    for (const directive of this.#global.values()) this.#report(directive, OF_PROCESS);
    return sections;
  }

  #section({ virtual, directives }: Section): void {
    const last = (key: string): Word | null => directives.findLast((one) => one.key.text === key)?.value ?? null;
    const service = virtualService(virtual, last("protocol"));
    const persistent = last("persistent");
    const netmask = last("netmask");
    const family = "mark" in service ? service.family : service.address.family;
    const check = "mark" in service ? null : externalCheck((key) => (last(key) ?? this.#global.get(key)?.value)?.text);
    const scheduler = last("scheduler") ?? { ...virtual.key, text: SCHEDULER };
    this.#reading.rules.push({
      at: virtual.key,
      rule: {
        verb: "add-service",
        service,
        scheduler: schedulerIn(scheduler),
        persistence: persistent === null ? null : persistenceOf(persistent),
        netmask: persistent === null || netmask === null ? null : netmaskOf(netmask, family),
        ...(check === null ? {} : { check }),
      },
    });
    for (const directive of directives) {
      if (/^real6?$/.test(directive.key.text)) this.#reading.attempt(() => this.#realServers(service, directive));
      else this.#report(directive, OF_SERVICE);
    }
    if (check === null) this.#reportCheck(virtual, directives);
    const own = directives.findLast(({ key }) => FALLBACK.test(key.text));
    this.#reading.attempt(() => {
      const fallback = own === undefined ? this.#usual.get(family) : this.#fallback(own);
      if (fallback !== undefined) this.#sorryServer(service, fallback);
    });
  }

  /** `127.0.0.1:80 gate`: the director's own page, mostly, which no forwarding method leads to but connecting to it. */
  #fallback({ key, value }: Directive): Fallback {
    const [host, word] = wordsOf(value);
    const named = word === undefined ? "nat" : METHODS[word.text];
    if (named === undefined) throw new Trouble(word!, `${quote(word!.text)} is no method`, "write gate, masq or ipip");
    const { address, port } = hostPortOf(host!);
    if (isLoopback(address)) this.#reading.warn(host!, `${address} is the director itself`, ONLY_SOCKETS);
    return { at: key, address, port, method: isLoopback(address) ? "nat" : named };
  }

  #sorryServer(service: VirtualService, { at, address, port, method }: Fallback): void {
    const own = "mark" in service ? 0 : service.port;
    const server = { address, port: method === "nat" && !("mark" in service) ? port : own };
    this.#reading.rules.push({ at, rule: { verb: "add-server", service, server, method, weight: 1, sorry: true } });
  }

  /** `10.0.0.1:80 masq 2`, `10.0.0.2->10.0.0.7:80 gate`; what a check asks may follow. */
  #realServers(service: VirtualService, { key, value }: Directive): void {
    const [hosts, method, weight] = wordsOf(value);
    const forwarding = METHODS[method?.text ?? ""];
    if (forwarding === undefined) {
      throw new Trouble(method ?? value, `${quote(method?.text ?? "")} is no method`, "write gate, masq or ipip");
    }
    const own = "mark" in service ? 0 : service.port;
    for (const { address, port } of realServers(hosts!)) {
      const server = { address, port: forwarding === "nat" && !("mark" in service) ? port : own };
      const plain = weight === undefined || weight.text.startsWith('"') ? 1 : weightOf(weight);
      this.#reading.rules.push({
        at: key,
        rule: { verb: "add-server", service, server, method: forwarding, weight: plain },
      });
    }
  }

  /** What of it does not mean anything here; `known` may stand there. */
  #report({ key, value }: Directive, known: readonly string[]): void {
    const said = `${key.text}=${value.text}`;
    if (said === "quiescent=no") {
      this.#reading.warn(key, "quiescent=no is not taken over", 'write "onFailure: drop" in the service\'s "check"');
    } else if (NOT_HERE.includes(key.text)) {
      this.#reading.warn(key, `${quote(key.text)} is not taken over`, "ldirectord(8) says what it does");
    } else if (!known.includes(key.text)) {
      const meant = nearest(key.text, known);
      const remedy = meant === null ? "ldirectord(8) lists its directives" : `did you mean "${meant}"?`;
      this.#reading.warn(key, `${quote(key.text)} is nothing of ldirectord's`, remedy);
    }
  }

  /** Its own, that of all, or what ldirectord does where nothing is said; each told once. */
  #reportCheck(virtual: Directive, directives: readonly Directive[]): void {
    const said = directives.findLast(({ key }) => key.text === "checktype") ?? this.#global.get("checktype");
    const { text } = said?.value ?? { text: "negotiate" };
    const at = said?.key ?? virtual.key;
    if (/^(on|off)$/.test(text) || this.#told.has(at)) return;
    this.#told.add(at);
    this.#reading.warn(at, `checktype ${quote(text)} is not taken over`, 'write it as the service\'s "check"');
  }
}

const ONLY_SOCKETS = "run on the socket path, or name a server that packets can be sent to";

const isLoopback = ({ family, words }: Address): boolean =>
  family === 4 ? words[3] >>> 24 === 127 : words.every((word, i) => word === (i === 3 ? 1 : 0));

/** Seconds: ldirectord's own. */
const CHECK_INTERVAL = 10;
const CHECK_TIMEOUT = 5;

/** A program that is told the virtual service and the realserver; null: that is not how it is checked. */
function externalCheck(said: (key: string) => string | undefined): ScriptCheck | null {
  const command = plainWords(said("checkcommand")?.replace(/^"(.*)"$/, "$1") ?? "/bin/true");
  if (said("checktype") !== "external" || command === null || command.length === 0) return null;
  const seconds = (key: string, otherwise: number): number =>
    /^[1-9]\d{0,4}$/.test(said(key) ?? "") ? Number(said(key)) : otherwise;
  const told = ["{vip}", "{virtualPort}", "{address}", "{port}"];
  const [interval, timeout] = [seconds("checkinterval", CHECK_INTERVAL), seconds("checktimeout", CHECK_TIMEOUT)];
  return scriptCheck([...command, ...told], interval, timeout);
}

function readDirective(line: string, number: number): Directive {
  const match = /^(\s*)([^=\s]+)(\s*=\s*)(.*?)\s*$/.exec(line);
  if (match === null) {
    const at = { text: line.trim(), line: number, column: line.length - line.trimStart().length + 1 };
    throw new Trouble(at, `${quote(at.text)} is no directive`, "write key=value");
  }
  const [, indent, key, equals, value] = match;
  const column = indent!.length + 1;
  return {
    key: { text: key!, line: number, column },
    value: { text: value!, line: number, column: column + key!.length + equals!.length },
  };
}

function belongTo(sections: readonly Section[], directive: Directive): void {
  const section = sections.at(-1);
  if (section !== undefined) return void section.directives.push(directive);
  throw new Trouble(directive.key, "indented, but below no virtual service", "remove the spaces before it");
}

const wordsOf = (value: Word): Word[] =>
  [...value.text.matchAll(/"[^"]*"|[^\s,]+/g)].map(({ 0: text, index }) => ({
    text,
    line: value.line,
    column: value.column + index,
  }));

function virtualService({ key, value }: Directive, protocol: Word | null): VirtualService {
  if (/^\d+$/.test(value.text)) return markOf(value, key.text.endsWith("6") ? 6 : 4);
  const both = hostPortOf(value);
  const name = protocol?.text ?? (both.port === 53 ? "udp" : "tcp");
  if (name !== "tcp" && name !== "udp") {
    throw new Trouble(protocol!, `${quote(name)} does not go with an address`, "write tcp or udp");
  }
  return { transport: name satisfies Transport, ...both };
}

function realServers(word: Word): { address: Address; port: number }[] {
  const arrow = word.text.indexOf("->");
  if (arrow < 0) return [hostPortOf(word)];
  const from = addressOf({ ...word, text: word.text.slice(0, arrow) });
  const to = hostPortOf({ ...word, text: word.text.slice(arrow + 2), column: word.column + arrow + 2 });
  const count = to.address.words[3] - from.words[3] + 1;
  if (from.family !== 4 || to.address.family !== 4 || count < 1 || count > MOST_REALSERVERS) {
    throw new Trouble(word, `${quote(word.text)} is no range of addresses`, "write it as in 10.0.0.2->10.0.0.7:80");
  }
  return Array.from({ length: count }, (_, i) => ({ address: Address.ipv4(from.words[3] + i), port: to.port }));
}
