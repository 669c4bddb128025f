/**
 * Flows and what they owe the balancer: a new one gets its realserver and its row, and one that ends gives both back.
 * Rows name their realserver by a number. A control connection has an entry in the balancer besides.
 */
import { assign, closed, opened } from "../assign.ts";
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import { DESTINATION, DESTINATION_PREFIX, IPV6, KIND, PORTS } from "../flow/key.ts";
import type { RelatedEntry } from "../flow/related.ts";
import * as rows from "../flow/rows.ts";
import { CLASH, type FlowTable, FULL } from "../flow/table.ts";
import { State } from "../flow/tcp-state.ts";
import { Tally } from "../metrics.ts";
import { hasVip, type Realserver, realPort, roleOf, type Service } from "../service.ts";
import type { Ms, Port } from "../units.ts";
import { Address } from "../wire/address.ts";
import * as tcp from "../wire/tcp.ts";
import { type Account, bytesOf, ROLES } from "./account.ts";
import { Side } from "./batch.ts";
import type { Controls } from "./controls.ts";
import { type Destination, Destinations, isPersonal } from "./destinations.ts";
import { source, sourceAddress, transportOf } from "./ends.ts";
import { isLand, isMartian, isWithinHost } from "./origin.ts";
import { Ending, endings, Reason } from "./reason.ts";
import { openingKey } from "./request-port.ts";
import { VirtualServices } from "./virtual.ts";

/** Marks of a row, beside those of its role. */
export const CONTROL = ROLES.control;
/** The balancer has an entry of it. */
const ENTRY = ROLES.control | ROLES.related;
/** Counted among its realserver's inactive connections: not established. */
const INACTIVE = 8;
/** Forwarding methods other than NAT. */
export const DIRECT = 16;
export const TUNNEL = 32;
/** No reply was seen, and none need be. */
export const REPLIES_UNSEEN = 64;
/** Somebody reads what it carries. */
export const READ = 128;
const METHODS = { nat: 0, dr: DIRECT, tunnel: TUNNEL } as const;
/** A control connection in one of these announces nothing any more. */
const OVER: readonly number[] = [State.TIME_WAIT, State.CLOSE, State.LAST_ACK];

const REFUSALS = {
  "no-service": Reason.NO_SERVICE,
  "no-realserver": Reason.NO_REALSERVER,
  "no-control-connection": Reason.NO_CONTROL_CONNECTION,
  "port-not-declared": Reason.PORT_NOT_DECLARED,
} as const;
const refusalOf = (reason: string): number => REFUSALS[reason as keyof typeof REFUSALS] ?? Reason.NO_REALSERVER;

/** Told of connections that the balancer has an entry of: control connections and related ones. */
export interface FlowObserver {
  /** `related`: what announced it, if anything did. */
  opened(entry: ConnectionEntry, related: RelatedEntry | null): void;
  /** Bytes of its IP packets, by direction. */
  closed(entry: ConnectionEntry, original: number, reply: number): void;
}

export class Flows {
  declare readonly table: FlowTable;
  declare private readonly balancer: Balancer;
  declare private readonly controls: Controls;
  declare private readonly observer: FlowObserver | undefined;
  readonly #destinations = new Destinations();
  #virtual: VirtualServices;
  /** By service, as of its destinations. */
  #personal: readonly boolean[];
  /** By id, for control connections and related ones. */
  readonly #entries = new Map<number, ConnectionEntry>();
  readonly ended = new Tally(endings);
  readonly #words = new Int32Array(4);

  constructor(balancer: Balancer, table: FlowTable, controls: Controls, observer?: FlowObserver) {
    this.table = table;
    this.observer = observer;
    this.balancer = balancer;
    this.controls = controls;
    this.#virtual = new VirtualServices(balancer.services);
    this.#personal = balancer.services.map(isPersonal);
    this.#destinations.update(balancer.services);
  }

  /** The balancer's services have changed. Flows stay with their realservers. */
  update(): void {
    const { services } = this.balancer;
    this.#virtual = new VirtualServices(services);
    this.#personal = services.map(isPersonal);
    this.#destinations.update(services);
  }

  /** The realserver that `Output.destination` names. */
  destination(number: number): Realserver {
    return this.#destinations.at(number).realserver;
  }

  /** Who is served by flow `id`. */
  destinationOf(id: number): Destination {
    return this.#destinations.at(this.table.rows[(id << rows.ROW_SHIFT) + rows.INNER_PORT]! & 0xffff);
  }

  destinations(): Iterable<Destination> {
    return this.#destinations;
  }

  /** What those have carried that are neither configured nor have flows any more. */
  get past(): Account {
    return this.#destinations.past;
  }

  /** The balancer's entry of a control connection, or of a related one. */
  entry(id: number): ConnectionEntry | null {
    return this.#entries.get(id) ?? null;
  }

  /** Why nobody can have sent what has the key at `at` and came from `side`; 0: somebody can. */
  objection(keys: Int32Array, at: number, side: number): number {
    if (isWithinHost(keys, at)) return 0;
    if (isLand(keys, at)) return Reason.LAND;
    // Realservers that have the VIP send as it, and a host that cannot tell sides has them among all others.
    const own = side === Side.CLIENT && this.#virtual.hasSource(keys, at);
    return own || isMartian(keys, at) ? Reason.MARTIAN_SOURCE : 0;
  }

  /** A new flow for the key at `at`, in `state`: its id, or ~reason. */
  readonly open = (keys: Int32Array, at: number, hash: number, state: number, now: Ms): number => {
    const index = this.#virtual.find(keys, at);
    if (index < 0) return ~Reason.NO_SERVICE;
    const service = this.balancer.services[index]!;
    const port = (keys[at + PORTS]! & 0xffff) as Port;
    const role = roleOf(service.spec, port);
    if (role === "control") return this.#openControl(service, keys, at, hash, state, now);
    const client = this.#personal[index]! ? sourceAddress(keys, at) : ANYONE;
    const realserver = assign(service, role, transportOf(keys, at), client, port, now);
    if (typeof realserver === "string") return ~refusalOf(realserver);
    const direct = hasVip(realserver);
    const { number } = realserver;
    const words = direct ? this.#virtualWords(keys, at) : this.#destinations.at(number).words;
    const to = direct ? port : realPort(service.spec, realserver, port);
    const id = this.#add(number, role, words, to, keys, at, hash, state, now);
    if (id < 0) return id;
    const row = id << rows.ROW_SHIFT;
    const inactive = isInactive(state, this.table.rows[row + rows.KIND]!);
    if (inactive) this.table.rows[row + rows.KIND]! |= INACTIVE << rows.MARKS_SHIFT;
    opened(service, role, realserver, client, now, inactive);
    return id;
  };

  /** Of direct routing and tunnelling: the realserver answers as the VIP. */
  #virtualWords(keys: Int32Array, at: number): Int32Array {
    const words = this.#words;
    for (let i = 0; i < 3; i++) words[i] = keys[at + DESTINATION_PREFIX + i]!;
    words[3] = keys[at + DESTINATION]!;
    return words;
  }

  /** A SYN says nothing of what will be asked: who had a truncated answer goes where it came from. */
  #openControl(service: Service, keys: Int32Array, at: number, hash: number, state: number, now: Ms): number {
    const transport = transportOf(keys, at);
    const client = source(keys, at);
    const opens = service.spec.helper?.requests?.opening !== undefined;
    const affinity = opens ? { recall: [openingKey(client.address)] } : null;
    // The service's own object, which all of its connections share.
    const virtual = { address: service.spec.address, port: (keys[at + PORTS]! & 0xffff) as Port };
    const entry = this.balancer.admit(transport, client, virtual, now, affinity);
    if (typeof entry === "string") return ~refusalOf(entry);
    const id = this.take(entry, keys, at, hash, state, now);
    if (id >= 0) this.#read(id, entry, now);
    return id;
  }

  /** Where its replies may take another way, what they announce may never be seen: its data ports are opened besides. */
  #read(id: number, entry: ConnectionEntry, now: Ms): void {
    if (hasVip(entry.realserver)) this.balancer.group(entry, null, now);
    this.controls.open(id, entry);
    this.table.rows[(id << rows.ROW_SHIFT) + rows.KIND]! |= READ << rows.MARKS_SHIFT;
  }

  /** Flow `id` is read no more. */
  unread(id: number): void {
    this.table.rows[(id << rows.ROW_SHIFT) + rows.KIND]! &= ~(READ << rows.MARKS_SHIFT);
    this.controls.close(id);
  }

  /**
   * A flow for `entry` of the balancer: its id; or ~reason, and the entry is closed. The key is that of packets which
   * its client sends.
   */
  take(
    entry: ConnectionEntry,
    keys: Int32Array,
    at: number,
    hash: number,
    state: number,
    now: Ms,
    related: RelatedEntry | null = null,
  ): number {
    const { realserver, role, real } = entry;
    const words = Int32Array.from(real.address.words);
    const id = this.#add(realserver.number, role, words, real.port, keys, at, hash, state, now);
    if (id < 0) {
      this.balancer.close(entry, now);
      return id;
    }
    this.#entries.set(id, entry);
    this.account(id, state);
    this.observer?.opened(entry, related);
    return id;
  }

  #add(
    number: number,
    role: ConnectionEntry["role"],
    words: Int32Array,
    port: Port,
    keys: Int32Array,
    at: number,
    hash: number,
    state: number,
    now: Ms,
  ): number {
    const { family, realserver, account } = this.#destinations.at(number);
    if ((family === 6) !== ((keys[at + KIND]! & IPV6) !== 0)) return ~Reason.FAMILY_MISMATCH;
    let id = this.table.add(keys, at, hash, words, port, number, state);
    if (id === FULL) {
      const victim = this.table.victim();
      if (victim === 0) return ~Reason.TABLE_FULL;
      this.end(victim, Ending.EVICTED, now);
      id = this.table.add(keys, at, hash, words, port, number, state);
    }
    if (id === CLASH) return ~Reason.CLASH;
    const asVip = words[3] === keys[at + DESTINATION] ? methodOf(realserver, keys[at + KIND]! & 0xff) : 0;
    const row = id << rows.ROW_SHIFT;
    this.table.rows[row + rows.KIND] = this.table.rows[row + rows.KIND]! | ((ROLES[role] | asVip) << rows.MARKS_SHIFT);
    account.begin(ROLES[role]);
    return id;
  }

  /** Something was heard of entry `id`, which is in `state` now. */
  enter(id: number, state: number): void {
    this.table.enter(id, state);
    this.account(id, state);
  }

  /** Entry `id` is in `state` now: established connections are active, others inactive, as IPVS counts them. */
  account(id: number, state: number): void {
    const { rows: table } = this.table;
    const row = id << rows.ROW_SHIFT;
    const kind = table[row + rows.KIND]!;
    if ((kind & (CONTROL << rows.MARKS_SHIFT)) !== 0 && OVER.includes(state)) this.#silence(id);
    const inactive = isInactive(state, kind);
    const marked = (kind & (INACTIVE << rows.MARKS_SHIFT)) !== 0;
    if (inactive === marked) return;
    table[row + rows.KIND] = kind ^ (INACTIVE << rows.MARKS_SHIFT);
    const { realserver } = this.#destinations.at(table[row + rows.INNER_PORT]! & 0xffff);
    realserver.active += inactive ? -1 : 1;
    realserver.inactive += inactive ? 1 : -1;
  }

  /** What this control connection announced, and nobody opened yet, is gone with it. */
  #silence(id: number): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) this.balancer.related.removeMaster(entry.handle);
  }

  /** Entry `id` leaves the table. */
  readonly end = (id: number, ending: number, now: Ms): void => {
    const { table } = this;
    const row = id << rows.ROW_SHIFT;
    const marks = table.rows[row + rows.KIND]! >>> rows.MARKS_SHIFT;
    const { account, service, realserver, personal } = this.destinationOf(id);
    account.end(marks, table.rows, row);
    if ((marks & ENTRY) !== 0) {
      // Active again for a moment, as the balancer supposes, which takes it out of the account.
      this.account(id, State.ESTABLISHED);
      const entry = this.#entries.get(id)!;
      this.observer?.closed(entry, bytesOf(table.rows, row, rows.ORIGINAL), bytesOf(table.rows, row, rows.REPLY));
      this.balancer.close(entry, now);
      this.#entries.delete(id);
      this.controls.close(id);
    } else {
      const role = (marks & ROLES.data) === 0 ? "plain" : "data";
      const client = personal ? this.#clientOf(id) : ANYONE;
      closed(service, role, realserver, client, now, (marks & INACTIVE) !== 0);
    }
    table.remove(id);
    this.ended.count(ending);
  };

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

const isInactive = (state: number, kind: number): boolean =>
  state !== State.ESTABLISHED && (kind & 0xff) === tcp.PROTOCOL;

/** Marks of its flows, as far as they tell how packets go. */
function methodOf({ method = "nat" }: Realserver, protocol: number): number {
  const seen = method === "nat" || protocol !== tcp.PROTOCOL;
  return METHODS[method] | (seen ? 0 : REPLIES_UNSEEN);
}
