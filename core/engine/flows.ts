/**
 * Flows and what they owe the balancer: a new one gets its realserver and its row, and one that ends gives both back.
 * Rows name their realserver by a number. A control connection has an entry in the balancer besides.
 */
import { assign, closed, opened } from "../assign.ts";
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import { IPV6, KIND, PORTS } from "../flow/key.ts";
import * as rows from "../flow/rows.ts";
import { CLASH, type FlowTable, FULL } from "../flow/table.ts";
import { State } from "../flow/tcp-state.ts";
import { Tally } from "../metrics.ts";
import { type Realserver, realPort, roleOf, type Service } from "../service.ts";
import type { Ms, Port } from "../units.ts";
import { Address } from "../wire/address.ts";
import * as tcp from "../wire/tcp.ts";
import { destination, source, sourceAddress, transportOf } from "./ends.ts";
import { Ending, endings, Reason } from "./reason.ts";
import { VirtualServices } from "./virtual.ts";

/** Marks of a row. */
const ROLES = { plain: 0, control: 1, data: 2, related: 4 } as const;
export const CONTROL = ROLES.control;
/** The balancer has an entry of it. */
const ENTRY = ROLES.control | ROLES.related;
/** Counted among its realserver's inactive connections: not established. */
const INACTIVE = 8;
/** A control connection in one of these announces nothing any more. */
const OVER: readonly number[] = [State.TIME_WAIT, State.CLOSE, State.LAST_ACK];

const MOST_DESTINATIONS = 0x10000;

/** One realserver of one service. */
interface Destination {
  readonly service: Service;
  readonly realserver: Realserver;
  readonly words: Int32Array;
  readonly family: 4 | 6;
  /** Whether the service's choice hangs on the client's address, or it remembers it. */
  readonly personal: boolean;
}

const REFUSALS = {
  "no-service": Reason.NO_SERVICE,
  "no-realserver": Reason.NO_REALSERVER,
  "no-control-connection": Reason.NO_CONTROL_CONNECTION,
  "port-not-declared": Reason.PORT_NOT_DECLARED,
} as const;
const refusalOf = (reason: string): number => REFUSALS[reason as keyof typeof REFUSALS] ?? Reason.NO_REALSERVER;

export class Flows {
  readonly table: FlowTable;
  readonly #balancer: Balancer;
  readonly #virtual: VirtualServices;
  readonly #destinations: Destination[] = [];
  readonly #numbers = new Map<Realserver, number>();
  /** By service, as of its destinations. */
  readonly #personal: readonly boolean[];
  /** By id, for control connections and related ones. */
  readonly #entries = new Map<number, ConnectionEntry>();
  readonly ended = new Tally(endings);

  constructor(balancer: Balancer, table: FlowTable) {
    this.table = table;
    this.#balancer = balancer;
    this.#virtual = new VirtualServices(balancer.services);
    this.#personal = balancer.services.map(isPersonal);
    for (const service of balancer.services) {
      const personal = isPersonal(service);
      for (const realserver of service.realservers) {
        const { address } = realserver;
        this.#numbers.set(realserver, this.#destinations.length);
        const words = Int32Array.from(address.words);
        this.#destinations.push({ service, realserver, words, family: address.family, personal });
      }
    }
    if (this.#destinations.length > MOST_DESTINATIONS) throw new RangeError("more than 65536 realservers");
  }

  /** The balancer's entry of a control connection, or of a related one. */
  entry(id: number): ConnectionEntry | null {
    return this.#entries.get(id) ?? null;
  }

  /** A new flow for the key at `at`, in `state`: its id, or ~reason. */
  open(keys: Int32Array, at: number, hash: number, state: number, now: Ms): number {
    const index = this.#virtual.find(keys, at);
    if (index < 0) return ~Reason.NO_SERVICE;
    const service = this.#balancer.services[index]!;
    const port = (keys[at + PORTS]! & 0xffff) as Port;
    const role = roleOf(service.spec, port);
    if (role === "control") return this.#openControl(keys, at, hash, state, now);
    const client = this.#personal[index]! ? sourceAddress(keys, at) : ANYONE;
    const realserver = assign(service, role, transportOf(keys, at), client, port, now);
    if (typeof realserver === "string") return ~refusalOf(realserver);
    const { words } = this.#destinations[this.#numbers.get(realserver)!]!;
    const id = this.#add(realserver, role, words, realPort(service.spec, realserver, port), keys, at, hash, state, now);
    if (id < 0) return id;
    opened(service, role, realserver, client, now);
    this.account(id, state);
    return id;
  }

  #openControl(keys: Int32Array, at: number, hash: number, state: number, now: Ms): number {
    const entry = this.#balancer.admit(transportOf(keys, at), source(keys, at), destination(keys, at), now);
    if (typeof entry === "string") return ~refusalOf(entry);
    return this.take(entry, keys, at, hash, state, now);
  }

  /**
   * A flow for `entry` of the balancer: its id; or ~reason, and the entry is closed. The key is that of packets which
   * its client sends.
   */
  take(entry: ConnectionEntry, keys: Int32Array, at: number, hash: number, state: number, now: Ms): number {
    const { realserver, role, real } = entry;
    const words = Int32Array.from(real.address.words);
    const id = this.#add(realserver, role, words, real.port, keys, at, hash, state, now);
    if (id < 0) {
      this.#balancer.close(entry, now);
      return id;
    }
    this.#entries.set(id, entry);
    this.account(id, state);
    return id;
  }

  #add(
    realserver: Realserver,
    role: ConnectionEntry["role"],
    words: Int32Array,
    port: Port,
    keys: Int32Array,
    at: number,
    hash: number,
    state: number,
    now: Ms,
  ): number {
    const number = this.#numbers.get(realserver)!;
    if ((this.#destinations[number]!.family === 6) !== ((keys[at + KIND]! & IPV6) !== 0))
      return ~Reason.FAMILY_MISMATCH;
    let id = this.table.add(keys, at, hash, words, port, number, state);
    if (id === FULL) {
      const victim = this.table.victim();
      if (victim === 0) return ~Reason.TABLE_FULL;
      this.end(victim, Ending.EVICTED, now);
      id = this.table.add(keys, at, hash, words, port, number, state);
    }
    if (id === CLASH) return ~Reason.CLASH;
    const row = id << rows.ROW_SHIFT;
    this.table.rows[row + rows.KIND] = this.table.rows[row + rows.KIND]! | (ROLES[role] << rows.MARKS_SHIFT);
    return id;
  }

  /** Entry `id` is in `state` now: established connections are active, others inactive, as IPVS counts them. */
  account(id: number, state: number): void {
    const { rows: table } = this.table;
    const row = id << rows.ROW_SHIFT;
    const kind = table[row + rows.KIND]!;
    if ((kind & (CONTROL << rows.MARKS_SHIFT)) !== 0 && OVER.includes(state)) this.#silence(id);
    const inactive = state !== State.ESTABLISHED && (kind & 0xff) === tcp.PROTOCOL;
    const marked = (kind & (INACTIVE << rows.MARKS_SHIFT)) !== 0;
    if (inactive === marked) return;
    table[row + rows.KIND] = kind ^ (INACTIVE << rows.MARKS_SHIFT);
    const { realserver } = this.#destinations[table[row + rows.INNER_PORT]! & 0xffff]!;
    realserver.active += inactive ? -1 : 1;
    realserver.inactive += inactive ? 1 : -1;
  }

  /** What this control connection announced, and nobody opened yet, is gone with it. */
  #silence(id: number): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) this.#balancer.related.removeMaster(entry.handle);
  }

  /** Entry `id` leaves the table. */
  end(id: number, ending: number, now: Ms): void {
    const { table } = this;
    const row = id << rows.ROW_SHIFT;
    // Active again for a moment, as those who take it out of the account suppose.
    this.account(id, State.ESTABLISHED);
    const marks = table.rows[row + rows.KIND]! >>> rows.MARKS_SHIFT;
    if ((marks & ENTRY) !== 0) {
      this.#balancer.close(this.#entries.get(id)!, now);
      this.#entries.delete(id);
    } else {
      const { service, realserver, personal } = this.#destinations[table.rows[row + rows.INNER_PORT]! & 0xffff]!;
      const role = (marks & ROLES.data) === 0 ? "plain" : "data";
      closed(service, role, realserver, personal ? this.#clientOf(id) : ANYONE, now);
    }
    table.remove(id);
    this.ended.count(ending);
  }

  #clientOf(id: number): Address {
    const { rows: table, prefixes } = this.table;
    const row = id << rows.ROW_SHIFT;
    const low = table[row + rows.CLIENT]!;
    if ((table[row + rows.KIND]! & IPV6) === 0) return Address.ipv4(low);
    const base = id * rows.PREFIXES + rows.CLIENT_PREFIX;
    return Address.ipv6(prefixes[base]!, prefixes[base + 1]!, prefixes[base + 2]!, low);
  }
}

/** In place of an address that nobody asks for: making one is a good part of what a connection costs. */
const ANYONE = Address.ipv4(0);

const isPersonal = ({ spec, templates }: Service): boolean =>
  spec.helper !== null || templates !== null || spec.scheduler === "sh" || spec.scheduler === "maglev";
