/**
 * Related entries on the packet path: where they can be met.
 *
 *   the realserver listens   VIP:port, the realserver's own number where it is free, so that most texts stay as they are
 *   the client listens       where the client said: realservers see clients as they are
 *
 * A realserver that has the VIP says itself where its clients go: there, or nowhere. Two of them may say the same port, to
 * different clients.
 */
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import { KEY } from "../flow/key.ts";
import type { RelatedEntry } from "../flow/related.ts";
import { OUTER_PORTS, ROW_SHIFT, VIRTUAL } from "../flow/rows.ts";
import type { FlowTable } from "../flow/table.ts";
import { mix } from "../schedule/hash.ts";
import { hasVip, roleOf } from "../service.ts";
import type { Endpoint, Port, Transport } from "../units.ts";
import type { Address } from "../wire/address.ts";
import { putKey } from "./ends.ts";

/** As nf_nat_ftp tries. */
const TRIES = 128;
const FIRST = 1024;
const PORTS = 0x10000 - FIRST;

export class Placing {
  declare private readonly balancer: Balancer;
  declare private readonly table: FlowTable | null;
  readonly #key = new Int32Array(KEY);
  #next: number;

  /** `table`: the flows that there are; null: none. */
  constructor(balancer: Balancer, seed: number, table: FlowTable | null = null) {
    this.balancer = balancer;
    this.#next = seed;
    this.table = table;
  }

  /**
   * Where `entry` of `control` can be met; null when there is no place. `below`: that of the entry it adjoins; `answered`: the
   * client's end of the same flow.
   */
  find(
    control: ConnectionEntry,
    entry: RelatedEntry,
    below: Endpoint | null,
    answered: RelatedEntry | null = null,
  ): Endpoint | null {
    if (entry.opener === "reply") return entry.target;
    const { address } = control.virtual;
    const { transport, target } = entry;
    const running = answered === null ? 0 : this.#running(transport, target, answered.target, address);
    if (running !== 0 && this.#free(transport, address, running)) return { address, port: running };
    const any = below === null || hasVip(control.realserver);
    const port = any ? this.port(control, transport, target.port) : this.#above(transport, address, below.port);
    return port === 0 ? null : { address, port };
  }

  /** The same of `port` of the realserver's, in numbers: a port of the virtual service; 0: there is none. */
  readonly port = ({ client, virtual, realserver }: ConnectionEntry, transport: Transport, port: Port): Port | 0 => {
    const { address } = virtual;
    if (hasVip(realserver)) return this.#free(transport, address, port, client.address) ? port : 0;
    const free = this.#free(transport, address, port);
    return free && this.#mayAdjoin(transport, address, port) ? port : this.#search(transport, address, port);
  };

  /** What was offered as `row`. */
  offered(row: number): RelatedEntry {
    return this.balancer.related.entry(row);
  }

  /**
   * The port at which the client knows the flow between these ends, if there is one: an end is said again while its media flow
   * (SIP's 183 and 200, another INVITE).
   */
  #running(transport: Transport, real: Endpoint, client: Endpoint, address: Address): Port | 0 {
    const { table } = this;
    if (table === null) return 0;
    putKey(transport, real, client, this.#key, 0);
    const row = (table.find(this.#key, 0, table.hash(this.#key, 0)) >>> 1) << ROW_SHIFT;
    if (row === 0 || table.rows[row + VIRTUAL] !== address.low) return 0;
    return (table.rows[row + OUTER_PORTS]! & 0xffff) as Port;
  }

  /** Media's port is even, and its reports go to the next (RFC 3550 §11), which is announced after it. */
  #mayAdjoin(transport: Transport, address: Address, port: Port): boolean {
    return transport === "tcp" || (port & 1) === 1 || this.#free(transport, address, (port + 1) as Port);
  }

  #above(transport: Transport, address: Address, below: Port): Port | 0 {
    const port = (below + 1) as Port;
    return this.#free(transport, address, port) ? port : 0;
  }

  /** Even ports stay even, with the next one free as well (RFC 3550 §11). */
  #search(transport: Transport, address: Address, like: Port): Port | 0 {
    for (let tries = 0; tries < TRIES; tries++) {
      this.#next = (this.#next + 1) | 0;
      const port = ((FIRST + (mix(this.#next) % PORTS)) & ~1) | (like & 1);
      const above = Math.min(port + 1, 0xffff) as Port;
      if (this.#free(transport, address, port as Port) && this.#free(transport, address, above)) return port as Port;
    }
    return 0;
  }

  /**
   * Nobody is waited for there (`from` this address, unless that is null), and no service is. Data ports of a group give
   * way: an entry knows its one client.
   */
  readonly #free = (transport: Transport, address: Address, port: Port, from: Address | null = null): boolean => {
    if (port > 0xffff || this.balancer.related.awaits(transport, address, port, from)) return false;
    const service = this.balancer.serviceAt(transport, address, port);
    return service === null || roleOf(service.spec, port) === "data";
  };
}

/** Whether `above` belongs on the port beside that of `entry`, with which it was announced (RTP and RTCP, say). */
export const adjoins = ({ transport, target }: RelatedEntry, above: RelatedEntry): boolean =>
  transport === above.transport && target.port + 1 === above.target.port && target.address.equals(above.target.address);

/** `related` and `answered` are the two ends of a flow. */
export function join(related: RelatedEntry, answered: RelatedEntry): void {
  if (related.opener === "reply") related.other = answered;
  else answered.other = related;
}
