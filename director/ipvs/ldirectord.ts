/** The virtual services of an ldirectord.cf as rules (ldirectord(8)). */
import type { Transport } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { type Problem, quote } from "../config/problem.ts";
import type { Imported } from "./dump.ts";
import type { PlacedRule } from "./line.ts";
import type { VirtualService } from "./rule.ts";
import { problemOf, Trouble, type Word } from "./trouble.ts";
import { addressOf, hostPortOf, markOf, netmaskOf, persistenceOf, schedulerIn, weightOf } from "./values.ts";

export function readLdirectord(text: string, file: string): Imported {
  const reader = new LdirectordReader(file);
  reader.read(text);
  return reader;
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

const METHODS: Readonly<Record<string, "nat" | "dr" | "tunnel">> = { gate: "dr", masq: "nat", ipip: "tunnel" };
/** ldirectord's own default. */
const SCHEDULER = "wrr";
const MOST_REALSERVERS = 256;

class LdirectordReader implements Imported {
  readonly rules: PlacedRule[] = [];
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  read(text: string): void {
    for (const section of this.#sections(text)) this.#attempt(() => this.#section(section));
  }

  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      this.problems.push(problemOf(this.#file, error));
    }
  }

  #warn(at: Word, message: string, remedy: string): void {
    this.warnings.push(problemOf(this.#file, new Trouble(at, message, remedy)));
  }

  /** What is indented belongs to the virtual service above it. */
  #sections(text: string): Section[] {
    const sections: Section[] = [];
    for (const [index, line] of text.split("\n").entries()) {
      if (/^\s*(#|$)/.test(line)) continue;
      this.#attempt(() => {
        const directive = readDirective(line, index + 1);
        const { key } = directive;
        if (/^virtual6?$/.test(key.text)) sections.push({ virtual: directive, directives: [] });
        else if (key.column > 1) belongTo(sections, directive);
        else if (/^fallback6?$/.test(key.text)) this.#warn(key, "the fallback is not taken over", SORRY);
        // Everything else before the services is about checks and the process.
      });
    }
    return sections;
  }

  #section({ virtual, directives }: Section): void {
    const last = (key: string): Word | null => directives.findLast((one) => one.key.text === key)?.value ?? null;
    const service = virtualService(virtual.value, last("protocol"));
    const persistent = last("persistent");
    const netmask = last("netmask");
    const family = "mark" in service ? service.family : service.address.family;
    const scheduler = last("scheduler") ?? { ...virtual.key, text: SCHEDULER };
    this.rules.push({
      at: virtual.key,
      rule: {
        verb: "add-service",
        service,
        scheduler: schedulerIn(scheduler),
        persistence: persistent === null ? null : persistenceOf(persistent),
        netmask: persistent === null || netmask === null ? null : netmaskOf(netmask, family),
      },
    });
    for (const directive of directives) {
      if (/^real6?$/.test(directive.key.text)) this.#attempt(() => this.#realServers(service, directive));
      else this.#report(directive);
    }
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
      this.rules.push({
        at: key,
        rule: { verb: "add-server", service, server, method: forwarding, weight: plain },
      });
    }
  }

  #report({ key, value }: Directive): void {
    if (/^fallback6?$/.test(key.text)) this.#warn(key, `fallback ${value.text} is not taken over`, SORRY);
    else if (key.text === "checktype" && !/^(on|off)$/.test(value.text)) {
      this.#warn(key, `checktype ${quote(value.text)} is not taken over`, 'write it as the service\'s "check"');
    }
  }
}

const SORRY = 'there is no sorry server here; "scheduler: fo" with a lighter realserver is nearest';

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

function virtualService(value: Word, protocol: Word | null): VirtualService {
  if (/^\d+$/.test(value.text)) return markOf(value, 4);
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
