/**
 * Numbers for realservers, by which rows name them. A realserver keeps its number as long as it is configured, or has
 * connections; then another one may get it. It stands in the realserver itself, since each new flow asks for it: so a
 * balancer has one engine.
 */
import type { Realserver, Service } from "../service.ts";
import { Account } from "./account.ts";

const MOST = 0x10000;

/** One realserver of one service. */
export interface Destination {
  readonly service: Service;
  readonly realserver: Realserver;
  readonly words: Int32Array;
  readonly family: 4 | 6;
  /** Whether the service's choice hangs on the client's address, or it remembers it. */
  personal: boolean;
  readonly account: Account;
}

export class Destinations {
  /** Of those that are known no more. */
  readonly past = new Account();
  readonly #all: (Destination | null)[] = [];
  readonly #free: number[] = [];

  /** `services` are those that there are now. */
  update(services: readonly Service[]): void {
    for (const [number, destination] of this.#all.entries()) {
      if (destination === null) continue;
      const { realserver } = destination;
      if (!realserver.removed || realserver.active + realserver.inactive > 0) continue;
      this.past.add(destination.account);
      realserver.number = -1;
      this.#all[number] = null;
      this.#free.push(number);
    }
    for (const service of services) for (const realserver of service.realservers) this.#know(service, realserver);
  }

  /** Those that are configured, or have connections, or had some when the services last changed. */
  *[Symbol.iterator](): Generator<Destination> {
    for (const destination of this.#all) if (destination !== null) yield destination;
  }

  /** One that rows name, or that is configured. */
  at(number: number): Destination {
    return this.#all[number]!;
  }

  #know(service: Service, realserver: Realserver): void {
    const personal = isPersonal(service);
    if (realserver.number >= 0) {
      this.#all[realserver.number]!.personal = personal;
      return;
    }
    const number = this.#free.pop() ?? this.#all.length;
    if (number >= MOST) throw new RangeError("more than 65536 realservers");
    const { address } = realserver;
    realserver.number = number;
    this.#all[number] = {
      service,
      realserver,
      words: Int32Array.from(address.words),
      family: address.family,
      personal,
      account: new Account(),
    };
  }
}

export const isPersonal = ({ spec, templates }: Service): boolean =>
  spec.helper !== null || templates !== null || spec.scheduler === "sh" || spec.scheduler === "maglev";
