/** `kindred plan` as its users run it, on the hosts of a farm. */

import { rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { KINDRED } from "./director.ts";
import type { Running } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Host } from "./topology.ts";

const LINES = fileURLToPath(new URL("lines.js", import.meta.url));
const ASK = fileURLToPath(new URL("ask.js", import.meta.url));

/** A plan, and the hosts on which it is applied. */
export class Planned {
  readonly #sandbox: Sandbox;
  readonly #hosts: readonly Host[];
  readonly #words: readonly string[];
  readonly #before = new Map<Host, string>();

  constructor(sandbox: Sandbox, config: object, hosts: readonly Host[], words: readonly string[]) {
    const file = sandbox.path(`plan-${hosts.length}-${words.join("").replaceAll(/\W/g, "")}.yaml`);
    writeFileSync(file, stringify(config));
    this.#sandbox = sandbox;
    this.#hosts = hosts;
    this.#words = [process.execPath, KINDRED, "plan", file, ...words];
  }

  async apply(): Promise<void> {
    for (const host of this.#hosts) {
      this.#before.set(host, await stateOf(host));
      // What a plan notes of a namespace would be there for the next one of that number.
      const number = await host.must(["stat", "-L", "-c", "%i", "/proc/self/ns/net"]);
      this.#sandbox.defer(() => rmSync(`/run/kindred/plan-${number.trim()}.json`, { force: true }));
      await host.must([...this.#words, "--apply"]);
    }
    // A second time changes nothing, so it does no harm.
    await this.#hosts[0]!.must([...this.#words, "--apply"]);
  }

  /** Throws unless every host is as it was before. */
  async undo(): Promise<void> {
    for (const host of this.#hosts) {
      await host.must([...this.#words, "--undo"]);
      const after = await stateOf(host);
      const before = this.#before.get(host)!;
      if (after !== before)
        throw new Error(`${host.name} is not as it was before the plan:\n${changed(before, after)}`);
    }
  }
}

/** Lines that only one of the two has. */
function changed(before: string, after: string): string {
  const [then, now] = [before.split("\n"), after.split("\n")];
  const gone = then.filter((line) => !now.includes(line)).map((line) => `- ${line}`);
  return [...gone, ...now.filter((line) => !then.includes(line)).map((line) => `+ ${line}`)].join("\n");
}

const LOOKS = [
  ["nft", "list", "ruleset"],
  ["ip", "rule", "show"],
  ["ip", "-6", "rule", "show"],
  ["ip", "route", "show", "table", "all", "proto", "boot"],
  ["ip", "-6", "route", "show", "table", "all", "proto", "boot"],
  ["ip", "neigh", "show", "proxy"],
  ["ip", "-6", "neigh", "show", "proxy"],
  ["ip", "-o", "address", "show", "scope", "global"],
  ["tc", "qdisc", "show"],
  ["sysctl", "-a", "-r", "ip_forward|all.(forwarding|rp_filter|arp_|send_redirects)|front.(send_red|proxy)"],
];

/** All that a plan may change. */
async function stateOf({ must }: Host): Promise<string> {
  const texts: string[] = [];
  for (const look of LOOKS) texts.push(await must(look));
  return texts.join("");
}

/** A server of lines on each realserver, by the names r1, r2, ...; `at`: the address that it listens on. */
export async function startLines(hosts: readonly Host[], ports: readonly number[], at = "::"): Promise<Running[]> {
  const servers = hosts.map((host, i) => host.start([process.execPath, LINES, `r${i + 1}`, at, ...ports.map(String)]));
  for (const server of servers) {
    for (const port of ports) {
      await server.listening(port);
      await server.listening(port, "udp");
    }
  }
  return servers;
}

export const askCommand = (what: string, host: string, ...numbers: readonly number[]): string[] => [
  process.execPath,
  ASK,
  what,
  host,
  ...numbers.map(String),
];

/** What ask.js says. */
export async function ask<T>({ must }: Host, what: string, host: string, ...numbers: readonly number[]): Promise<T> {
  return JSON.parse(await must(askCommand(what, host, ...numbers))) as T;
}

export interface Answers {
  /** Who gave any, in order. */
  readonly names: readonly string[];
  /** How many each of them gave. */
  readonly counts: readonly number[];
  /** Whom they saw. */
  readonly seen: readonly string[];
}

/** Who answered, `count` times over each transport. */
export async function answers(
  client: Host,
  vip: string,
  port: number,
  count: number,
): Promise<Record<"tcp" | "udp", Answers>> {
  const told = async (what: "tcp" | "udp"): Promise<Answers> => {
    const lines = (await ask<string[]>(client, what, vip, port, count)).map((line) => line.split(" "));
    lines.forEach(([, , ...said], i) => {
      if (said.join(" ") !== `line ${i}`) throw new Error(`${what}: line ${i} was answered by ${said.join(" ")}`);
    });
    const all = lines.map(([name]) => name!);
    const names = [...new Set(all)].sort();
    const counts = names.map((name) => all.filter((one) => one === name).length);
    return { names, counts, seen: [...new Set(lines.map(([, address]) => address!))] };
  };
  return { tcp: await told("tcp"), udp: await told("udp") };
}
