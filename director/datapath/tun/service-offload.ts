/** Services in the kernel (service-rules.ts): their rules follow the configuration and the realservers' health. */
import { createHash } from "node:crypto";
import type { Config } from "../../config.ts";
import type { Scope } from "../../control/operated.ts";
import type { Nft } from "./nft.ts";
import {
  type ClientSet,
  type ClientSets,
  counterOf,
  emptied,
  FULL,
  flush,
  isClients,
  REALSERVER,
  serviceRules,
} from "./service-rules.ts";

const COMMANDS = ["-f", "-"];
const TABLE = ["inet", "kindred"];

/** A client that stays with a realserver. */
export interface Staying extends ClientSet {
  /** Its address, or its network's. */
  readonly client: string;
  /** Milliseconds, in steps of a second. */
  readonly expires: number;
}

/** Connections that the engine has because the set of who was to keep their clients was full. */
export interface Overflow {
  readonly service: string;
  readonly realserver: string;
  readonly connections: number;
}

export class ServiceOffload {
  readonly #nft: Nft;
  readonly #failed: (reason: string) => void;
  readonly #down = new Set<string>();
  /** Numbers of realservers, by name: chains and counters keep them. */
  readonly #numbers = new Map<string, number>();
  #config: Config | null = null;
  /** What counters said before the first transaction, of a director that was killed; by their names. */
  #before: ReadonlyMap<string, number> = new Map();
  /** As the last transaction left them. */
  #sets: ReadonlyMap<string, ClientSet> | null = null;
  /** One transaction after the other. What changes while one is made is all in the next, which has not begun yet. */
  #last: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;

  /** `failed`: told why, when nft does not take the rules; then the engine has all services until the next `update`. */
  constructor(nft: Nft, failed: (reason: string) => void) {
    this.#nft = nft;
    this.#failed = failed;
  }

  /** From now on the services are those of `config`. Connections that there are stay where they are. */
  update(config: Config): Promise<void> {
    this.#config = config;
    return this.#write();
  }

  /** The realserver is known to serve, or not to. */
  async mark(service: string, realserver: string, up: boolean): Promise<void> {
    const name = nameOf(service, realserver);
    if (this.#down.has(name) !== up) return;
    if (up) this.#down.delete(name);
    else this.#down.add(name);
    await this.#write();
  }

  /** New connections are the engine's. Returns how many there were, by `SERVICE.REALSERVER`. */
  async withdraw(): Promise<Readonly<Record<string, number>>> {
    this.#config = null;
    await this.#last;
    const told = await this.#nft(COMMANDS, emptied.join("\n"));
    if ("reason" in told) this.#failed(`its rules stay: ${told.reason}`);
    return Object.fromEntries(await this.#counted(REALSERVER));
  }

  /** Who stays with the realservers in `scope`. */
  async *staying(scope: Scope): AsyncGenerator<Staying> {
    for (const [name, set] of this.#setsIn(scope)) {
      for (const one of (await this.#list("list", "set", ...TABLE, name)).flatMap(({ set }) => set?.elem ?? [])) {
        // Who was put in by hand has no timeout.
        const { val, expires = 0 } = typeof one === "string" ? { val: one } : one.elem;
        yield { ...set, client: val, expires: expires * 1000 };
      }
    }
  }

  /** They stay no more; how many those were. */
  async forget(scope: Scope): Promise<number> {
    let forgotten = 0;
    for await (const _ of this.staying(scope)) forgotten++;
    const commands = this.#setsIn(scope).map(([name]) => flush(name));
    const told = await this.#nft(COMMANDS, commands.join("\n"));
    return "printed" in told ? forgotten : 0;
  }

  /** Of realservers whose sets have been full since this director began. */
  async overflows(): Promise<readonly Overflow[]> {
    const sets = [...(this.#sets?.values() ?? [])];
    if (sets.length === 0) return [];
    const counted = await this.#counted(FULL);
    return sets
      .map(({ service, realserver }) => ({
        ...{ service, realserver },
        connections: counted.get(nameOf(service, realserver)) ?? 0,
      }))
      .filter(({ connections }) => connections > 0);
  }

  #setsIn({ service, realserver }: Scope): [string, ClientSet][] {
    return [...(this.#sets ?? [])].filter(
      ([, set]) =>
        (service === undefined || service === set.service) &&
        (realserver === undefined || realserver === set.realserver),
    );
  }

  /** By the realserver's name: how many connections there have been. */
  async #counted(what: Parameters<typeof counterOf>[1]): Promise<ReadonlyMap<string, number>> {
    const counters = await this.#counters();
    const counted = (name: string): number => {
      const [count, before] = [counters.get(name) ?? 0, this.#before.get(name) ?? 0];
      // Less than before: somebody has flushed everything, and it was begun anew.
      return count < before ? count : count - before;
    };
    return new Map([...this.#numbers].map(([name, number]) => [name, counted(counterOf(number, what))]));
  }

  async #counters(): Promise<ReadonlyMap<string, number>> {
    const counters = (await this.#list("list", "counters", "table", ...TABLE)).flatMap(({ counter }) => counter ?? []);
    return new Map(counters.map(({ name, packets }) => [name, packets]));
  }

  /** Nothing where there is nothing of that kind. */
  async #list(...command: readonly string[]): Promise<readonly Listed[]> {
    const told = await this.#nft(["-j", ...command]);
    return "printed" in told ? listedIn(told.printed) : [];
  }

  #write(): Promise<void> {
    this.#next ??= this.#last.then(() => this.#transact());
    this.#last = this.#next;
    return this.#next;
  }

  async #transact(): Promise<void> {
    this.#next = null;
    const config = this.#config;
    if (config === null) return;
    const before = this.#sets ?? (await this.#left());
    const options = {
      number: (service: string, realserver: string) => this.#number(nameOf(service, realserver)),
      takes: (service: string, realserver: string) => !this.#down.has(nameOf(service, realserver)),
    };
    const { rules, sets } = serviceRules([...config.services, ...config.groups], options, before);
    const told = await this.#nft(COMMANDS, rules);
    if ("printed" in told) {
      this.#sets = sets;
      return;
    }
    // Better none than those of before: one of them may be the one that had to go.
    const none = await this.#nft(COMMANDS, emptied.join("\n"));
    if (this.#config === config) this.#config = null;
    this.#failed("printed" in none ? told.reason : `${told.reason}; and those of before stay: ${none.reason}`);
  }

  /** Sets and counts of a director that was killed: some of the sets may be nobody's now. */
  async #left(): Promise<ClientSets> {
    this.#before = await this.#counters();
    const names = (await this.#list("--terse", "list", "sets", "table", ...TABLE)).flatMap(
      ({ set }) => set?.name ?? [],
    );
    return new Map(names.filter(isClients).map((name) => [name, null]));
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
  readonly set?: {
    readonly name: string;
    readonly elem?: readonly (string | { readonly elem: { readonly val: string; readonly expires?: number } })[];
  };
}

/** Nothing, if it is no JSON: there are builds of nft that write none. */
function listedIn(printed: string): readonly Listed[] {
  try {
    return (JSON.parse(printed) as { readonly nftables?: readonly Listed[] }).nftables ?? [];
  } catch {
    return [];
  }
}

const nameOf = (service: string, realserver: string): string => `${service}.${realserver}`;
