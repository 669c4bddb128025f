/** The virtual servers of a keepalived.conf as rules (keepalived.conf(5)). VRRP stays with keepalived. */

import { isDeepStrictEqual } from "node:util";
import type { Transport } from "../../core/units.ts";
import { nearest } from "../config/nearest.ts";
import { quote } from "../config/problem.ts";
import { readBlocks, type Statement } from "./blocks.ts";
import { type Imported, Reading } from "./reading.ts";
import type { RealServer, Rule, VirtualService } from "./rule.ts";
import { ofEach, plainWords, type ScriptCheck, scriptCheck } from "./script-check.ts";
import { Trouble, type Word } from "./trouble.ts";
import {
  addressOf,
  DEFAULT_PERSISTENCE,
  markOf,
  netmaskOf,
  persistenceOf,
  schedulerIn,
  weightOf,
  wholeNumber,
} from "./values.ts";

export function readKeepalived(text: string, file: string): Imported {
  const reading = new Reading(file);
  new KeepalivedReader(reading).read(text);
  return reading;
}

type Block = readonly Statement[];
type Method = "nat" | "dr" | "tunnel";

const CHECKS = [
  ...["TCP_CHECK", "HTTP_GET", "SSL_GET", "SMTP_CHECK", "DNS_CHECK", "MISC_CHECK", "UDP_CHECK", "PING_CHECK"],
  ...["FILE_CHECK", "BFD_CHECK"],
];
/** Of the checks, of which each is told by itself, and of VRRP. */
const ELSEWHERE = [
  ...["delay_loop", "delay_before_retry", "retry", "warmup", "virtualhost", "connect_timeout"],
  ...["ip_family", "ha_suspend", "sorry_server_inhibit"],
];
/** Programs that are run when a realserver or a service goes up or down. */
const NOTICES = ["quorum_up", "quorum_down", "notify_up", "notify_down", "smtp_alert"];
const SERVERS = ["virtual_server", "virtual_server_group"];

class KeepalivedReader {
  readonly #reading: Reading;
  readonly #groups = new Map<string, Block>();

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  read(text: string): void {
    this.#reading.attempt(() => {
      const statements = readBlocks(text);
      for (const { words, block } of statements) {
        if (words[0]!.text === "virtual_server_group" && words[1]) this.#groups.set(words[1].text, block ?? []);
        else this.#reading.attempt(() => refuseUnread(words[0]!));
      }
      for (const statement of statements) {
        if (statement.words[0]!.text === "virtual_server") this.#reading.attempt(() => this.#virtualServer(statement));
      }
    });
  }

  #virtualServer({ words, block }: Statement): void {
    const body = block ?? [];
    const settings = new Settings(body);
    const check = miscCheck(body);
    this.#report(body, check === null ? TAKEN_OVER : [...TAKEN_OVER, "MISC_CHECK"]);
    for (const service of this.#services(words, settings)) {
      const rule = addService(service, settings);
      this.#reading.rules.push({ at: words[0]!, rule: check === null ? rule : { ...rule, check } });
      this.#reading.attempt(() => {
        const usual = settings.method("nat", "lb_kind", "lvs_method");
        this.#realServers(service, body, usual);
        this.#sorryServer(service, settings, usual);
      });
    }
  }

  /** One, or those of its group. */
  #services([at, first, second, third]: readonly Word[], settings: Settings): VirtualService[] {
    const transport = settings.transport();
    const family = (third ?? settings.word("ip_family"))?.text === "inet6" ? 6 : 4;
    if (first === undefined) throw new Trouble(at!, "names no virtual service", "write its address and port");
    if (first.text === "fwmark") return [markOf(second ?? at!, family)];
    if (first.text !== "group") return virtualServices(first, second, transport);
    const group = this.#groups.get(second?.text ?? "");
    if (group === undefined) {
      throw new Trouble(second ?? first, `no virtual_server_group ${quote(second?.text ?? "")}`, "write one");
    }
    return group.flatMap(({ words: [one, two] }) =>
      one!.text === "fwmark" ? [markOf(two ?? one!, family)] : virtualServices(one!, two, transport),
    );
  }

  #realServers(service: VirtualService, body: Block, usual: Method): void {
    for (const { words, block } of body) {
      const [at, address, port] = words;
      if (at!.text !== "real_server") continue;
      if (address === undefined) throw new Trouble(at!, "names no realserver", "write its address and port");
      const settings = new Settings(block ?? []);
      const weight = settings.word("weight");
      const method = settings.method(usual, "lvs_method", "lb_kind");
      const server = realServer(address, port, service, method);
      this.#reading.rules.push({
        at: at!,
        rule: { verb: "add-server", service, server, method, weight: weight === null ? 1 : weightOf(weight) },
      });
    }
  }

  #sorryServer(service: VirtualService, settings: Settings, usual: Method): void {
    const statement = settings.statement("sorry_server");
    if (statement === null) return;
    const [at, address, port] = statement.words;
    if (address === undefined) throw new Trouble(at!, "names no server", "write its address and port");
    const method = settings.method(usual, "sorry_server_lvs_method");
    const server = realServer(address, port, service, method);
    this.#reading.rules.push({
      at: at!,
      rule: { verb: "add-server", service, server, method, weight: 1, sorry: true },
    });
  }

  /** What of it does not mean anything here; `known` does. */
  #report(body: Block, known: readonly string[]): void {
    for (const { words, block } of body) {
      const [at] = words;
      const name = at!.text;
      if (name === "real_server") this.#report(block ?? [], known);
      else if (known.includes(name) || ELSEWHERE.includes(name)) continue;
      // Its own default.
      else if (name === "quorum" && words[1]?.text === "1") continue;
      else if (CHECKS.includes(name)) {
        this.#reading.warn(at!, `${name} is not taken over`, 'write it as the service\'s "check"');
      } else {
        this.#reading.warn(at!, `${quote(name)} is not taken over`, remedyFor(name));
      }
    }
  }
}

function remedyFor(name: string): string {
  if (NOTICES.includes(name)) return "nobody runs it here: `kindred ctl events` tells who goes up and down";
  if (name === "alpha") return 'write "initially: down" in the service\'s "check"';
  return "keepalived.conf(5) says what it does";
}

const TAKEN_OVER = [
  ...["lb_algo", "lvs_sched", "lb_kind", "lvs_method", "persistence_timeout", "persistence_granularity"],
  ...["protocol", "weight", "inhibit_on_failure", "sorry_server", "sorry_server_lvs_method"],
];

/** Seconds: keepalived's own. */
const DELAY_LOOP = 60;

/** Of a check here at most so many may fail in a row. */
const MOST_RETRIES = 99;

/** The MISC_CHECK that all of a service's realservers have, each of itself; null: none, or they differ. */
function miscCheck(body: Block): ScriptCheck | null {
  const seconds = (word: Word | undefined, otherwise: number): number =>
    /^[1-9]\d{0,4}$/.test(word?.text ?? "") ? Number(word!.text) : otherwise;
  const interval = seconds(wordsAfter(body, "delay_loop")[0], DELAY_LOOP);
  const checks = body
    .filter(({ words }) => words[0]!.text === "real_server")
    .map(({ words: [, address, port], block }) => {
      const misc = block?.find(({ words }) => words[0]!.text === "MISC_CHECK")?.block ?? [];
      const path = wordsAfter(misc, "misc_path");
      const words = plainWords(path.map(({ text }) => text).join(" "));
      const weighs = misc.some(({ words }) => words[0]!.text === "misc_dynamic");
      if (words === null || words.length === 0 || weighs || address === undefined) return null;
      const command = ofEach(words, { address: addressOf(address), port: seconds(port, 0) });
      const retries = [misc, block!, body].map((one) => wordsAfter(one, "retry")[0]).find((one) => one !== undefined);
      const timeout = seconds(wordsAfter(misc, "misc_timeout")[0], interval);
      return scriptCheck(command, interval, timeout, 1 + Math.min(seconds(retries, 0), MOST_RETRIES));
    });
  const [first] = checks;
  return first !== null && first !== undefined && checks.every((one) => isDeepStrictEqual(one, first)) ? first : null;
}

const wordsAfter = (block: Block, name: string): readonly Word[] =>
  block.find(({ words }) => words[0]!.text === name)?.words.slice(1) ?? [];

/** keywords of one block, each once. */
class Settings {
  readonly #block: Block;

  constructor(block: Block) {
    this.#block = block;
  }

  statement(...names: readonly string[]): Statement | null {
    return this.#block.find(({ words }) => names.includes(words[0]!.text)) ?? null;
  }

  /** The word after the first of `names` that is there. */
  word(...names: readonly string[]): Word | null {
    const statement = this.statement(...names);
    if (statement === null) return null;
    const [at, value] = statement.words;
    if (value === undefined) throw new Trouble(at!, `${at!.text} says nothing`, "write its value on the same line");
    return value;
  }

  transport(): Transport {
    const word = this.word("protocol");
    const name = word?.text.toLowerCase() ?? "tcp";
    if (name === "tcp" || name === "udp") return name;
    throw new Trouble(word!, `${quote(word!.text)} is not forwarded here`, "write TCP or UDP");
  }

  /** The one after the first of `names` that is there, else `usual`. */
  method(usual: Method, ...names: readonly string[]): Method {
    const word = this.word(...names);
    if (word === null) return usual;
    const method = METHODS[word.text.toUpperCase()];
    if (method !== undefined) return method;
    throw new Trouble(word, `${quote(word.text)} is no forwarding method`, "write NAT, DR or TUN");
  }
}

function addService(service: VirtualService, settings: Settings): Rule & { verb: "add-service" | "edit-service" } {
  const family = "mark" in service ? service.family : service.address.family;
  const scheduler = settings.word("lb_algo", "lvs_sched");
  const persistence = settings.statement("persistence_timeout");
  const mask = settings.word("persistence_granularity");
  const persistent = persistence !== null || ("port" in service && service.port === 0);
  return {
    verb: "add-service",
    service,
    scheduler: scheduler === null ? "wlc" : schedulerIn(scheduler),
    persistence: persistent ? secondsOf(persistence) : null,
    netmask: mask === null || !persistent ? null : netmaskOf(mask, family),
  };
}

const METHODS: Readonly<Record<string, Method>> = { NAT: "nat", DR: "dr", TUN: "tunnel" };

const secondsOf = (persistence: Statement | null): number => {
  const word = persistence?.words[1];
  return word === undefined ? DEFAULT_PERSISTENCE : persistenceOf(word);
};

/** An address, or the last number of it as a range: `192.0.2.3-10`. */
function virtualServices(word: Word, port: Word | undefined, transport: Transport): VirtualService[] {
  const number = port === undefined ? 0 : wholeNumber(port, "port", 0, 65535);
  const range = /^(.*?)([\da-fA-F]+)-([\da-fA-F]+)$/.exec(word.text);
  if (range === null) return [{ transport, address: addressOf(word), port: number }];
  const [, before, from, to] = range;
  const base = before!.includes(":") ? 16 : 10;
  const first = Number.parseInt(from!, base);
  const last = Number.parseInt(to!, base);
  if (!(last >= first && last - first < 256)) {
    throw new Trouble(word, `${quote(word.text)} is no range of addresses`, "write it as in 192.0.2.3-10");
  }
  return Array.from({ length: last - first + 1 }, (_, i) => ({
    transport,
    address: addressOf({ ...word, text: `${before}${(first + i).toString(base)}` }),
    port: number,
  }));
}

function realServer(address: Word, port: Word | undefined, service: VirtualService, method: Method): RealServer {
  const own = "mark" in service ? 0 : service.port;
  const given = port === undefined ? 0 : wholeNumber(port, "port", 0, 65535);
  return { address: addressOf(address), port: method === "nat" && !("mark" in service) ? given : own };
}

/** What stands beside the virtual servers is of VRRP and of the process, but for what may hold, or hide, one of them. */
function refuseUnread(at: Word): void {
  const { text } = at;
  if (/^include/.test(text))
    throw new Trouble(at, "other files are not read", "give them one by one, or put them in here");
  if (text.startsWith("@")) {
    throw new Trouble(at, `${quote(text)} holds for some hosts only`, "write it without, or leave the line out");
  }
  const meant = SERVERS.includes(text) ? null : nearest(text, SERVERS);
  if (meant !== null) throw new Trouble(at, `${quote(text)} is nothing of keepalived's`, `did you mean "${meant}"?`);
}
