/** Services in the kernel (service-rules.ts): their rules follow the configuration and the realservers' health. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import type { Config } from "../../config.ts";
import { type ClientSets, emptied, numberOf, serviceRules } from "./service-rules.ts";

/** What nft(8) prints, or why it failed: what it says, and of which rule. */
type Told = { readonly printed: string } | { readonly reason: string };
type Nft = (options: readonly string[], input?: string) => Told;

/** `input`: commands, of any length (an argument has no more than 128 KiB), for `-f -`. */
export const runNft: Nft = (options, input = "") => {
  const { status, stdout, stderr, error } = spawnSync("nft", options, { input });
  if (status === 0) return { printed: stdout.toString() };
  const said = stderr?.toString().split("\n").slice(0, 2).join(": ").slice(0, MOST_SAID);
  return { reason: said || (error as NodeJS.ErrnoException | undefined)?.code || `exit status ${status}` };
};
const COMMANDS = ["-f", "-"];
/** Characters of what nft says, which goes into the log. */
const MOST_SAID = 400;

export class ServiceOffload {
  readonly #nft: Nft;
  readonly #failed: (reason: string) => void;
  readonly #down = new Set<string>();
  /** Numbers of realservers, by name: chains and counters keep them. */
  readonly #numbers = new Map<string, number>();
  #config: Config | null = null;
  /** As the last transaction left them. */
  #sets: ClientSets = new Map();

  /** `failed`: told why, when nft does not take the rules; then the engine has all services until the next `update`. */
  constructor(nft: Nft, failed: (reason: string) => void) {
    this.#nft = nft;
    this.#failed = failed;
  }

  /** From now on the services are those of `config`. Connections that there are stay where they are. */
  update(config: Config): void {
    this.#config = config;
    this.#write();
  }

  /** The realserver is known to serve, or not to. */
  mark(service: string, realserver: string, up: boolean): void {
    const name = nameOf(service, realserver);
    if (this.#down.has(name) !== up) return;
    if (up) this.#down.delete(name);
    else this.#down.add(name);
    this.#write();
  }

  /** New connections are the engine's. Returns how many there were, by `SERVICE.REALSERVER`. */
  withdraw(): Readonly<Record<string, number>> {
    this.#config = null;
    this.#nft(COMMANDS, emptied.join("\n"));
    return Object.fromEntries(this.#connections());
  }

  /** By the realserver's name: how many there have been. */
  #connections(): ReadonlyMap<string, number> {
    const told = this.#nft(["-j", "list", "counters", "table", "inet", "kindred"]);
    if (!("printed" in told)) return new Map();
    const { nftables } = JSON.parse(told.printed) as { readonly nftables: readonly Listed[] };
    const packets = new Map(
      nftables.flatMap(({ counter }) => (counter ? [[numberOf(counter.name), counter.packets]] : [])),
    );
    return new Map([...this.#numbers].map(([name, number]) => [name, packets.get(number) ?? 0]));
  }

  #write(): void {
    if (this.#config === null) return;
    const { services, groups } = this.#config;
    const options = {
      number: (service: string, realserver: string) => this.#number(nameOf(service, realserver)),
      takes: (service: string, realserver: string) => !this.#down.has(nameOf(service, realserver)),
    };
    const { rules, sets } = serviceRules([...services, ...groups], options, this.#sets);
    const told = this.#nft(COMMANDS, rules);
    if ("printed" in told) {
      this.#sets = sets;
      return;
    }
    // Better none than those of before: one of them may be the one that had to go.
    this.withdraw();
    this.#failed(told.reason);
  }

  /** By the name, so that the next director, after one that was killed, finds each realserver's clients in its own set. */
  #number(name: string): number {
    const number = this.#numbers.get(name) ?? createHash("sha256").update(name).digest().readUIntBE(0, 6);
    this.#numbers.set(name, number);
    return number;
  }
}

interface Listed {
  readonly counter?: { readonly name: string; readonly packets: number };
}

const nameOf = (service: string, realserver: string): string => `${service}.${realserver}`;
