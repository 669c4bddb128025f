/**
 * Related entries on the packet path: where they can be met.
 *
 *   the realserver listens   VIP:port, the realserver's own number where it is free, so that most texts stay as they are
 *   the client listens       where the client said: realservers see clients as they are
 *
 * A realserver that has the VIP says itself where its clients go: there, or nowhere.
 */
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import type { RelatedEntry } from "../flow/related.ts";
import { mix } from "../schedule/hash.ts";
import { hasVip, roleOf } from "../service.ts";
import type { Endpoint, Port, Transport } from "../units.ts";

/** As nf_nat_ftp tries. */
const TRIES = 128;
const FIRST = 1024;
const PORTS = 0x10000 - FIRST;

export class Placing {
  readonly #balancer: Balancer;
  #next: number;

  constructor(balancer: Balancer, seed: number) {
    this.#balancer = balancer;
    this.#next = seed;
  }

  /** Where `entry` of `control` can be met; null when there is no place. `below`: that of the entry it adjoins. */
  find(control: ConnectionEntry, entry: RelatedEntry, below: Endpoint | null): Endpoint | null {
    if (entry.opener === "reply") return entry.target;
    const { address } = control.virtual;
    const { transport, target } = entry;
    if (below !== null) return this.#place(transport, { address, port: (below.port + 1) as Port });
    const own = this.#place(transport, { address, port: target.port });
    return own ?? (hasVip(control.realserver) ? null : this.#search(transport, address, target.port));
  }

  #place(transport: Transport, at: Endpoint): Endpoint | null {
    return this.#free(transport, at) ? at : null;
  }

  /** Even ports stay even, with the next one free as well (RFC 3550 §11). */
  #search(transport: Transport, address: Endpoint["address"], like: Port): Endpoint | null {
    for (let tries = 0; tries < TRIES; tries++) {
      this.#next = (this.#next + 1) | 0;
      const port = ((FIRST + (mix(this.#next) % PORTS)) & ~1) | (like & 1);
      const at = { address, port: port as Port };
      const above = { address, port: Math.min(port + 1, 0xffff) as Port };
      if (this.#free(transport, at) && this.#free(transport, above)) return at;
    }
    return null;
  }

  /** Nobody is waited for there, and no service is. Data ports of a group give way: an entry knows its one client. */
  #free(transport: Transport, at: Endpoint): boolean {
    if (at.port > 0xffff || this.#balancer.related.awaits(transport, at)) return false;
    const service = this.#balancer.serviceAt(transport, at);
    return service === null || roleOf(service.spec, at.port) === "data";
  }
}

/** Where `last` is met, if `entry` adjoins it (RTP and RTCP, say: announced together, on ports side by side); else null. */
export const endBelow = (last: RelatedEntry | null, entry: RelatedEntry): Endpoint | null =>
  last !== null && adjoins(last, entry) ? last.seen : null;

const adjoins = (below: RelatedEntry, { transport, target, master }: RelatedEntry): boolean =>
  below.state !== "gone" &&
  below.master === master &&
  below.transport === transport &&
  below.target.port + 1 === target.port &&
  below.target.address.equals(target.address);
