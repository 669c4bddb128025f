/**
 * Who serves whom, and who may connect to what: services, schedulers, persistence, port groups, affinity and related
 * entries. Pure; the socket path and the packet engine are thin callers of it.
 *
 *   admit      client -> virtual            a new connection gets its realserver
 *   announce   control says "connect to me" a related entry, or the reason why not
 *   place      the host has a listener      from now on it can be met
 *   claim      opener -> what it was told   the related connection, to its control connection's realserver
 *   close      a connection ended           and what it announced and nobody opened is gone
 *   change     services come, change and go while connections run (core/change.ts)
 */
import { assign, closed, lost, opened, pick, remember } from "./assign.ts";
import { changeServices, forget, makeServices } from "./change.ts";
import type { HashSeed } from "./flow/key.ts";
import {
  type Gone,
  type GoneReason,
  type Passed,
  type RelatedEntry,
  type RelatedLimits,
  RelatedTable,
} from "./flow/related.ts";
import { type Handle, Slots } from "./flow/slots.ts";
import type { Affinity, Announcement, Connection, Limits, Offer, OfferForm } from "./helper/api.ts";
import { judge, judgeOffer } from "./helper/judge.ts";
import { endsAt, type Realserver, type Role, roleOf, type Service, type ServiceSpec, servesPort } from "./service.ts";
import type { Direction, Endpoint, Ms, Port, PortRange, Transport } from "./units.ts";
import { later, opposite } from "./units.ts";
import type { Address } from "./wire/address.ts";

export interface ConnectionEntry extends Connection {
  readonly handle: Handle;
  readonly transport: Transport;
  readonly service: Service;
  readonly role: Role | "related";
  realserver: Realserver;
  real: Endpoint;
  source?: Endpoint;
  /** Its control connection, if it is a related one. */
  readonly master: Handle | null;
  /** A helper made a port group of it; the group lasts as long as this connection, and its time after. */
  pinned: boolean;
  /** Realservers that refused this connection. */
  readonly refused: Set<Realserver>;
}

export interface BalancerOptions {
  readonly limits: RelatedLimits;
  /** From the host's randomness, for schedulers that hash. Clients see whom they get, and can find it out. */
  readonly seed: number;
  /** The same, for what must not be found out: an attacker must not be able to choose hash collisions. */
  readonly keys?: HashSeed;
  /** Told of related entries that leave unused. Absent: nobody wants to hear of them. */
  readonly gone?: Gone;
  /** Told of those that were offered and never seen, of which no entry is made then; absent: `gone` is. */
  readonly passed?: Passed;
}

export class Balancer {
  /** As they are now: always the same array. */
  readonly services: readonly Service[];
  readonly #services: Service[];
  /** Their ports in numbers (`rangesOf`), and all of them, of whatever address (`portsOf`). */
  #ranges: Int32Array;
  #ports: Uint8Array;
  readonly #seed: number;
  readonly related: RelatedTable;
  readonly connections = new Slots<ConnectionEntry>();
  #ids = 0;

  constructor(specs: readonly ServiceSpec[], { limits, seed, keys, gone, passed }: BalancerOptions) {
    this.#seed = seed;
    this.#services = makeServices(specs, seed);
    this.services = this.#services;
    this.#ranges = rangesOf(this.#services);
    this.#ports = portsOf(this.#services);
    this.related = new RelatedTable(limits, gone ?? null, keys, passed);
  }

  /** From now on `specs` are served. Who stays keeps its connections, and what they announced. */
  change(specs: readonly ServiceSpec[]): void {
    changeServices(this.#services, specs, this.#seed);
    this.#ranges = rangesOf(this.#services);
    this.#ports = portsOf(this.#services);
  }

  /** Whether `realserver` serves: false, and it gets nothing new, and nobody is led back to it. */
  mark(service: Service, realserver: Realserver, up: boolean): void {
    realserver.up = up;
    if (!up) forget(service, realserver);
  }

  /** Forgets who was served by `realserver`: how many. Open connections stay. */
  forget(service: Service, realserver: Realserver): number {
    return forget(service, realserver);
  }

  /** Asked for each port that is tried for what was announced: nothing is made for it, and hardly a service looked at. */
  serviceAt(transport: Transport, address: Address, port: Port): Service | null {
    if (((this.#ports[port >>> 3]! >>> (port & 7)) & 1) === 0) return null;
    const ranges = this.#ranges;
    const { low } = address;
    for (let i = 0; i < ranges.length; i += RANGE) {
      if (ranges[i] !== low || ranges[i + FIRST]! > port || ranges[i + LAST]! < port) continue;
      const service = this.#services[ranges[i + SERVICE]!]!;
      if (service.spec.address.equals(address) && servesPort(service.spec, transport, port)) return service;
    }
    return null;
  }

  /** A new connection of `client` to `virtual`: its entry, or why it is turned away. */
  admit(
    transport: Transport,
    client: Endpoint,
    virtual: Endpoint,
    now: Ms,
    affinity: Affinity | null = null,
  ): ConnectionEntry | string {
    const service = this.serviceAt(transport, virtual.address, virtual.port);
    if (service === null) return "no-service";
    const role = roleOf(service.spec, virtual.port);
    const realserver = assign(service, role, transport, client.address, virtual.port, now, affinity);
    if (typeof realserver === "string") return realserver;
    const ends = endsAt(service, realserver, virtual);
    const entry = this.connections.add((handle) => ({
      handle,
      transport,
      service,
      role,
      client,
      virtual: ends.virtual,
      realserver,
      real: ends.real,
      master: null,
      pinned: role === "data",
      refused: new Set(),
    }));
    opened(service, role, realserver, client.address, now);
    return entry;
  }

  /** The realserver refused the connection, or did not answer: the next one, or null when all were tried. */
  reschedule(entry: ConnectionEntry, now: Ms): Realserver | null {
    // Only its own realserver will do; and a closed data port, which clients choose, says nothing about a realserver.
    if (entry.role === "related" || entry.role === "data") return null;
    entry.refused.add(entry.realserver);
    lost(entry.service, entry.realserver, now);
    const { service, role, client } = entry;
    const next = pick(service, client.address, now, entry.refused);
    if (next === null) return null;
    closed(service, role, entry.realserver, client.address, now);
    entry.realserver = next;
    entry.real = endsAt(service, next, entry.virtual).real;
    opened(service, role, next, client.address, now);
    return next;
  }

  /** What follows from `realserver`'s answer goes to it: requests that recall one of `keys`, for `ttl`. */
  remember(service: Service, realserver: Realserver, keys: readonly string[], ttl: Ms | undefined, now: Ms): void {
    remember(service, realserver, keys, ttl, now);
  }

  /** `realserver` of `service` does not answer any more: others are chosen while there are any. */
  lost(service: Service, realserver: Realserver, now: Ms): void {
    lost(service, realserver, now);
  }

  /** `speaker` of `control` announced a connection: its entry, not yet in place, or why it is refused. */
  announce(
    control: ConnectionEntry,
    announcement: Announcement,
    speaker: Direction,
    limits: Limits,
    now: Ms,
  ): RelatedEntry | string {
    if (this.connections.get(control.handle) !== control) return "control-closed";
    const refused = judge(announcement, speaker, control, control.realserver.announces);
    if (refused !== null) return refused;
    const { opener, from, to } = announcement;
    const ttl = announcement.ttl ?? limits.ttl;
    const entry: RelatedEntry = {
      id: ++this.#ids,
      row: 0,
      master: control.handle,
      kind: announcement.kind,
      transport: announcement.transport,
      opener,
      from: { address: endOf(control, opener).address, port: from.port },
      target: { address: endOf(control, opposite(opener)).address, port: to.port as Endpoint["port"] },
      seen: null,
      uses: announcement.uses,
      leaves: announcement.leaves ?? null,
      other: null,
      ttl,
      expires: later(now, ttl),
      state: "reserved",
    };
    return this.related.reserve(entry, control.client.address, limits.pending) ?? entry;
  }

  /**
   * As `announce`, in numbers: the row in `related` of what the realserver of `control` offers. 0: something speaks
   * against it, and `announce` says what.
   */
  offer(control: ConnectionEntry, offer: Offer, form: OfferForm, { pending, ttl }: Limits, now: Ms): number {
    if (!this.connections.holds(control.handle, control)) return 0;
    const { virtual, real, realserver } = control;
    if (virtual.address.family !== real.address.family) return 0;
    if (judgeOffer(offer, form, control, realserver.announces) !== null) return 0;
    return this.related.offer(control, form, offer.port, pending, ++this.#ids, now, ttl);
  }

  place(entry: RelatedEntry, seen: Endpoint): boolean {
    return this.related.place(entry, seen);
  }

  revoke(entry: RelatedEntry, reason: GoneReason = "revoked"): void {
    this.related.remove(entry, reason);
  }

  /**
   * `from` connected to `seen`: the related connection it opens, or why it may not. `leavesAs`: the port of the VIP that
   * one opened by the realserver comes from; the socket path's own listener otherwise. `opener`: on whose side `from` is,
   * where the host can tell.
   */
  claim(
    transport: Transport,
    seen: Endpoint,
    from: Endpoint,
    now: Ms,
    leavesAs?: (entry: RelatedEntry, master: ConnectionEntry) => Port,
    opener?: Direction,
  ): { readonly related: RelatedEntry; readonly connection: ConnectionEntry } | string {
    const related = this.related.claim(transport, seen, from, now, opener);
    if (typeof related === "string") return related;
    const master = this.connections.get(related.master);
    if (master === null) return "control-closed";
    const fromClient = related.opener === "original";
    const { service, realserver } = master;
    const connection = this.connections.add((handle) => ({
      handle,
      transport,
      service,
      role: "related" as const,
      client: fromClient ? from : related.target,
      virtual: fromClient ? seen : { address: master.virtual.address, port: leavesAs?.(related, master) ?? seen.port },
      realserver,
      real: fromClient ? related.target : from,
      master: related.master,
      pinned: false,
      refused: new Set<Realserver>(),
    }));
    opened(service, "related", realserver, connection.client.address, now);
    return { related, connection };
  }

  /** `real` of `service` opens a connection to `client` by itself, which leaves as `virtual`. */
  originate(
    service: Service,
    transport: Transport,
    client: Endpoint,
    virtual: Endpoint,
    real: Endpoint,
    now: Ms,
  ): ConnectionEntry {
    const realserver = service.realservers.find(({ address }) => address.equals(real.address))!;
    const connection = this.connections.add((handle) => ({
      handle,
      transport,
      service,
      role: "related" as const,
      client,
      virtual,
      realserver,
      real,
      master: null,
      pinned: false,
      refused: new Set<Realserver>(),
    }));
    opened(service, "related", realserver, client.address, now);
    return connection;
  }

  /**
   * Makes a port group of this client's connections to the service's data ports: they go where its control connection
   * went. Returns the ports: those asked for, else the realserver's passive range, else the service's data ports.
   */
  group(control: ConnectionEntry, ports: readonly PortRange[] | null, now: Ms): readonly PortRange[] {
    const { service, realserver, client } = control;
    if (!control.pinned) service.pins.opened(client.address, realserver, now);
    control.pinned = true;
    if (ports !== null) return ports;
    if (realserver.passivePorts !== null) return [realserver.passivePorts];
    return service.spec.ports.filter(({ first, last }) => first !== last || roleOf(service.spec, first) === "data");
  }

  close(entry: ConnectionEntry, now: Ms): void {
    if (this.connections.remove(entry.handle) === null) return;
    this.related.removeMaster(entry.handle);
    const { service, role, realserver, client } = entry;
    closed(service, role, realserver, client.address, now);
    if (entry.pinned && role === "control") service.pins.closed(client.address, realserver, now);
  }

  /** Runs what time brings: expiry of related entries, templates and pins. Call it about once a second. */
  advance(now: Ms): void {
    this.related.advance(now);
    for (const { templates, pins } of this.services) {
      templates?.advance(now);
      pins.advance(now);
    }
  }
}

/** In `rangesOf`: the last word of the service's address stands first. */
const FIRST = 1;
const LAST = 2;
const SERVICE = 3;
const RANGE = 4;

/** The ranges of ports of all services, in their order. */
const rangesOf = (services: readonly Service[]): Int32Array =>
  Int32Array.from(
    services.flatMap(({ spec }, i) => spec.ports.flatMap(({ first, last }) => [spec.address.low, first, last, i])),
  );

/** A bit for each port that any of them has. */
function portsOf(services: readonly Service[]): Uint8Array {
  const ports = new Uint8Array(0x10000 / 8);
  for (const { spec } of services) {
    for (const { first, last } of spec.ports) {
      for (let port: number = first; port <= last; port++) ports[port >>> 3]! |= 1 << (port & 7);
    }
  }
  return ports;
}

const endOf = (connection: Connection, side: Direction): Endpoint =>
  side === "original" ? connection.client : connection.real;
