/** Clients that stay with a realserver by a set of nftables, listed as templates of persistence are. */
import { type Ms, seconds } from "../../../core/units.ts";
import { Address } from "../../../core/wire/address.ts";
import type { Page, Query, Scope, TemplateState } from "../../control/operated.ts";
import { KERNEL, type KernelFlows } from "./kernel.ts";
import { ownerName } from "./owners.ts";
import type { ServiceOffload, Staying } from "./service-offload.ts";

/** How long what was read serves the pages that follow. */
const KEPT = seconds(30);

interface Reading {
  readonly scope: string;
  readonly until: Ms;
  readonly all: readonly Staying[];
}

export class StayingClients {
  readonly #spread: Pick<ServiceOffload, "staying">;
  readonly #kernel: Pick<KernelFlows, "clients">;
  /** nft tells whole sets only: of a long list they are read with its first page. */
  #reading: Reading | null = null;

  constructor(spread: Pick<ServiceOffload, "staying">, kernel: Pick<KernelFlows, "clients">) {
    this.#spread = spread;
    this.#kernel = kernel;
  }

  /** Those that `query` asks for, from `query.after` on, which is a place of the kernel's. */
  async page(query: Query, now: Ms): Promise<Page<TemplateState>> {
    const all = (await this.#read(query, now)).filter(
      ({ client }) => query.client === undefined || query.client === client,
    );
    const from = query.after - KERNEL;
    const active = activeIn(this.#kernel, query);
    const items = all.slice(from, from + query.limit).map((one): TemplateState => {
      const { service, client, realserver, expires } = one;
      return { service, client, realserver, active: active(one), expires };
    });
    const more = from + items.length < all.length;
    if (!more) this.#reading = null;
    return { items, next: more ? query.after + items.length : null };
  }

  /** Call it now and then: who asks for no further page says nothing. */
  advance(now: Ms): void {
    if (this.#reading !== null && now >= this.#reading.until) this.#reading = null;
  }

  async #read(query: Query, now: Ms): Promise<readonly Staying[]> {
    this.advance(now);
    const scope = JSON.stringify([query.service, query.realserver]);
    if (query.after > KERNEL && this.#reading?.scope === scope) return this.#reading.all;
    const all: Staying[] = [];
    for await (const one of this.#spread.staying(query)) {
      all.push({ ...one, client: Address.parse(one.client)?.toString() ?? one.client });
    }
    this.#reading = { scope, until: (now + KEPT) as Ms, all };
    return all;
  }
}

/** How many connections a client of a set, or its network, has open with its realserver. */
function activeIn(kernel: Pick<KernelFlows, "clients">, scope: Scope): (one: Staying) => number {
  const clients = kernel.clients(scope);
  const counts = new Map<string, Map<string, number>>();
  return ({ service, realserver, prefix, client }) => {
    const owner = ownerName(service, realserver);
    let known = counts.get(owner);
    if (known === undefined) {
      known = new Map();
      for (const address of clients.get(owner) ?? []) {
        const name = (prefix === null ? address : address.network(prefix)).toString();
        known.set(name, (known.get(name) ?? 0) + 1);
      }
      counts.set(owner, known);
    }
    return known.get(client) ?? 0;
  };
}
