/**
 * Which realserver a new connection goes to, and the account of who has how many: for those that the balancer keeps
 * entries of, and for the packet engine's flows, whose entries are rows of its own table.
 */
import type { Affinity } from "./helper/api.ts";
import type { Realserver, Role, Service } from "./service.ts";
import { inRange, later, type Ms, type Port, seconds, type Transport } from "./units.ts";
import type { Address } from "./wire/address.ts";

/** How long what was found out of requests is known, unless the helper says otherwise. */
const MEMORY_TIMEOUT = seconds(300);
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

/** Affinity, then persistence, then the scheduler. */
function choose(service: Service, client: Address, now: Ms, affinity: Affinity | null): Realserver | null {
  if (affinity?.only !== undefined) return designated(service, affinity.only, now);
  const known = recalled(service, now, affinity) ?? templated(service, client, now);
  const realserver = known ?? pick(service, client, now, NOBODY, affinity?.hash);
  // Of one that is drained nothing is remembered anew: what it has begun it ends, and that is all.
  if (realserver !== null && realserver.weight > 0 && affinity?.remember !== undefined) {
    remember(service, realserver, affinity.remember, affinity.ttl, now);
  }
  return realserver;
}

/** A conversation goes on with who began it, also when he is drained: nobody else knows of it. */
function recalled({ memory }: Service, now: Ms, affinity: Affinity | null): Realserver | null {
  const realserver = affinity === null ? null : memory.recall(affinity.recall, now);
  return realserver?.up === true ? realserver : null;
}

/** A client stays with one that is drained only while it has connections there. */
function templated({ templates }: Service, client: Address, now: Ms): Realserver | null {
  const realserver = templates?.find(client, now) ?? null;
  if (realserver === null || !realserver.up) return null;
  return realserver.weight > 0 || templates?.isOpen(client) === true ? realserver : null;
}

/** Nobody takes its place: another would answer that it is not the one. */
function designated({ realservers }: Service, address: Address, now: Ms): Realserver | null {
  return realservers.find((one) => one.address.equals(address) && one.up && now >= one.suspectUntil) ?? null;
}

/** What was found out of `realserver`'s requests goes to it: `keys` lead to it for `ttl`. */
export function remember(
  { memory }: Service,
  realserver: Realserver,
  keys: readonly string[],
  ttl: Ms | undefined,
  now: Ms,
): void {
  memory.remember(keys, realserver, ttl ?? MEMORY_TIMEOUT, now);
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
  realserver.up && realserver.weight > 0 && (refused === NOBODY || !refused.has(realserver));

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
  if (realserver.removed && realserver.active + realserver.inactive === 0) service.pins.purge(realserver);
}

/** Whether a data port is one of those where the realserver has said its data connections go. */
const declares = ({ passivePorts }: Realserver, transport: Transport, port: Port): boolean =>
  passivePorts === null || inRange(passivePorts, transport, port);
