/**
 * Which realserver a new connection goes to, and the account of who has how many: for those that the balancer keeps
 * entries of, and for the packet engine's flows, whose entries are rows of its own table.
 */
import { AffinityMemory } from "./flow/affinity.ts";
import { PersistenceTable } from "./flow/persistence.ts";
import type { Affinity } from "./helper/api.ts";
import { createScheduler } from "./schedule/scheduler.ts";
import { isPortGroup, type Realserver, type Role, realserverKey, type Service, type ServiceSpec } from "./service.ts";
import { inRange, later, type Ms, type Port, seconds, type Transport } from "./units.ts";
import type { Address } from "./wire/address.ts";

/** How long a port group lasts after its last connection, unless the service says otherwise (LVS's classic 300 s). */
const GROUP_TIMEOUT = seconds(300);
const MEMORY_CAPACITY = 100_000;
/** A realserver that refused a connection is passed over for this long while others are left. */
const SUSPECT_FOR = seconds(2);

/** The realserver for a new connection of `client` to `port`, or why there is none. Nothing is counted yet. */
export function assign(
  service: Service,
  role: Role,
  transport: Transport,
  client: Address,
  port: Port,
  now: Ms,
  affinity: Affinity | null = null,
): Realserver | "no-control-connection" | "no-realserver" | "port-not-declared" {
  const realserver = role === "data" ? service.pins.find(client, now) : choose(service, client, now, affinity);
  if (realserver === null) return role === "data" ? "no-control-connection" : "no-realserver";
  return role === "data" && !declares(realserver, transport, port) ? "port-not-declared" : realserver;
}

export function makeService(spec: ServiceSpec, seed: number): Service {
  const realservers = spec.realservers.map(
    (realserver): Realserver => ({
      ...realserver,
      key: realserverKey(realserver),
      active: 0,
      inactive: 0,
      available: true,
      suspectUntil: 0 as Ms,
    }),
  );
  const scheduler = createScheduler(spec.scheduler, seed);
  scheduler.update(realservers);
  const stay = spec.persistence > 0 ? spec.persistence : GROUP_TIMEOUT;
  // What is scheduled request by request is grouped by what the helper recalls.
  const persistent = spec.persistence > 0 || (isPortGroup(spec) && spec.helper?.requests === undefined);
  return {
    spec,
    realservers,
    scheduler,
    templates: persistent ? new PersistenceTable<Realserver>(stay, spec.persistencePrefix) : null,
    pins: new PersistenceTable<Realserver>(stay, null),
    memory: new AffinityMemory<Realserver>(MEMORY_CAPACITY),
  };
}

/** Affinity, then persistence, then the scheduler. */
function choose(service: Service, client: Address, now: Ms, affinity: Affinity | null): Realserver | null {
  if (affinity?.only !== undefined) return designated(service, affinity.only, now);
  const known =
    (affinity === null ? null : service.memory.recall(affinity.recall, now)) ??
    service.templates?.find(client, now) ??
    null;
  const realserver = known ?? pick(service, client, now, NOBODY, affinity?.hash);
  if (realserver !== null && affinity?.remember !== undefined) {
    remember(service, realserver, affinity.remember, affinity.ttl, now);
  }
  return realserver;
}

/** Nobody takes its place: another would answer that it is not the one. */
function designated({ realservers }: Service, address: Address, now: Ms): Realserver | null {
  return realservers.find((one) => one.address.equals(address) && now >= one.suspectUntil) ?? null;
}

/** What was found out of `realserver`'s requests goes to it: `keys` lead to it for `ttl`. */
export function remember(
  { memory }: Service,
  realserver: Realserver,
  keys: readonly string[],
  ttl: Ms | undefined,
  now: Ms,
): void {
  memory.remember(keys, realserver, ttl ?? GROUP_TIMEOUT, now);
}

/** `realserver` does not answer: it is passed over while others are left, and what it knew is lost. */
export function lost({ memory }: Service, realserver: Realserver, now: Ms): void {
  realserver.suspectUntil = later(now, SUSPECT_FOR);
  memory.purge(realserver);
}

const NOBODY: ReadonlySet<Realserver> = new Set();

/** The scheduler's choice among those not in `refused`; suspects only when nobody else is left. */
export function pick(
  { realservers, scheduler }: Service,
  client: Address,
  now: Ms,
  refused: ReadonlySet<Realserver>,
  text?: string,
): Realserver | null {
  const key = text === undefined ? { client } : { client, text };
  for (const realserver of realservers) {
    realserver.available = now >= realserver.suspectUntil && mayBeChosen(realserver, refused);
  }
  let index = scheduler.pick(realservers, key);
  if (index < 0) {
    for (const realserver of realservers) realserver.available = mayBeChosen(realserver, refused);
    index = scheduler.pick(realservers, key);
  }
  return index < 0 ? null : realservers[index]!;
}

const mayBeChosen = (realserver: Realserver, refused: ReadonlySet<Realserver>): boolean =>
  realserver.weight > 0 && (refused === NOBODY || !refused.has(realserver));

/** A connection of `client` to `realserver` opened. */
export function opened(
  service: Service,
  role: Role | "related",
  realserver: Realserver,
  client: Address,
  now: Ms,
): void {
  realserver.active++;
  if (role === "data") service.pins.opened(client, realserver, now);
  else if (role !== "related") service.templates?.opened(client, realserver, now);
}

export function closed(
  service: Service,
  role: Role | "related",
  realserver: Realserver,
  client: Address,
  now: Ms,
): void {
  realserver.active--;
  if (role === "data") service.pins.closed(client, realserver, now);
  else if (role !== "related") service.templates?.closed(client, realserver, now);
}

/** Whether a data port is one of those where the realserver has said its data connections go. */
const declares = ({ passivePorts }: Realserver, transport: Transport, port: Port): boolean =>
  passivePorts === null || inRange(passivePorts, transport, port);
