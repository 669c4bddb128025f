/** Services in the kernel (service-rules.ts): their rules follow the configuration and the realservers' health. */
import { spawnSync } from "node:child_process";
import type { Config } from "../../config.ts";
import { emptied, numberOf, serviceRules } from "./service-rules.ts";

/** Runs nft(8): what it prints, or null when it fails. */
type Nft = (options: readonly string[]) => string | null;

export const runNft: Nft = (options) => {
  const { status, stdout } = spawnSync("nft", options);
  return status === 0 ? stdout.toString() : null;
};

export class ServiceOffload {
  readonly #nft: Nft;
  readonly #failed: () => void;
  readonly #down = new Set<string>();
  /** Numbers of realservers, by name: chains and counters keep them. */
  readonly #numbers = new Map<string, number>();
  #config: Config | null = null;

  /** `failed`: told when nft does not take the rules; then the engine has all services. */
  constructor(nft: Nft, failed: () => void) {
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
    this.#nft([emptied.join("; ")]);
    return Object.fromEntries(this.#connections());
  }

  /** By the realserver's name: how many there have been. */
  #connections(): ReadonlyMap<string, number> {
    const told = this.#nft(["-j", "list", "counters", "table", "inet", "kindred"]);
    if (told === null) return new Map();
    const { nftables } = JSON.parse(told) as { readonly nftables: readonly Listed[] };
    const packets = new Map(
      nftables.flatMap(({ counter }) => (counter ? [[numberOf(counter.name), counter.packets]] : [])),
    );
    return new Map([...this.#numbers].map(([name, number]) => [name, packets.get(number) ?? 0]));
  }

  #write(): void {
    if (this.#config === null) return;
    const { services, groups } = this.#config;
    const rules = serviceRules([...services, ...groups], {
      number: (service, realserver) => this.#number(nameOf(service, realserver)),
      takes: (service, realserver) => !this.#down.has(nameOf(service, realserver)),
    });
    if (this.#nft([rules]) !== null) return;
    // Better none than those of before: one of them may be the one that had to go.
    this.withdraw();
    this.#failed();
  }

  #number(name: string): number {
    const number = this.#numbers.get(name) ?? this.#numbers.size + 1;
    this.#numbers.set(name, number);
    return number;
  }
}

interface Listed {
  readonly counter?: { readonly name: string; readonly packets: number };
}

const nameOf = (service: string, realserver: string): string => `${service}.${realserver}`;
