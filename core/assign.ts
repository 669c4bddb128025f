/**
 * Which realserver a new connection goes to, and the account of who has how many: for those that the balancer keeps
 * entries of, and for the packet engine's flows, whose entries are rows of its own table.
 */
import type { Affinity } from "./helper/api.ts";
import type { SchedulingKey } from "./schedule/scheduler.ts";
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
  // Of one that is drained, or only steps in, nothing is remembered anew: what it has begun it ends, and that is all.
  const lasting = realserver !== null && realserver.weight > 0 && realserver.sorry !== true;
  if (lasting && affinity?.remember !== undefined) {
    remember(service, realserver, affinity.remember, affinity.ttl, now);
  }
  return realserver;
}

/** A conversation goes on with who began it, also when he is drained: nobody else knows of it. */
function recalled({ memory }: Service, now: Ms, affinity: Affinity | null): Realserver | null {
  const realserver = affinity === null ? null : memory.recall(affinity.recall, now);
  return realserver?.up === true ? realserver : null;
}

/** Where the client is already: in this service, or in another of its mark. */
function templated(service: Service, client: Address, now: Ms): Realserver | null {
  const realserver = service.templates?.find(client, now) ?? null;
  if (mayStay(service, realserver, service, client)) return realserver;
  // Requests that are scheduled one by one go by what their helper recalls.
  if (service.templates === null) return null;
  for (const companion of service.companions) {
    const there = companion.templates?.find(client, now)?.address;
    const same = service.realservers.find(({ address }) => there?.equals(address) === true) ?? null;
    if (mayStay(service, same, companion, client)) return same;
  }
  return null;
}

/**
 * With one that is drained a client stays only while it has connections there, as the service knows that it is known from;
 * with a sorry server, while nobody else is left.
 */
function mayStay(
  { realservers }: Service,
  realserver: Realserver | null,
  { templates }: Service,
  client: Address,
): boolean {
  if (realserver === null || !realserver.up) return false;
  if (realserver.sorry === true && realservers.some((one) => mayBeChosen(one, NOBODY, false))) return false;
  return realserver.weight > 0 || templates?.isOpen(client) === true;
}

/** Nobody takes its place: another would answer that it is not the one. */
function designated({ realservers }: Service, address: Address, now: Ms): Realserver | null {
  return realservers.find((one) => one.address.equals(address) && one.up && now >= one.suspectUntil) ?? null;
}

/** What was found out of `realserver`'s requests goes to it: `keys` lead to it for `ttl`, unless it was removed. */
export function remember(
  { memory }: Service,
  realserver: Realserver,
  keys: readonly string[],
  ttl: Ms | undefined,
  now: Ms,
): void {
  if (!realserver.removed) memory.remember(keys, realserver, ttl ?? MEMORY_TIMEOUT, now);
}

/** `realserver` does not answer: it is passed over while others are left, and what it knew is lost. */
export function lost({ memory }: Service, realserver: Realserver, now: Ms): void {
  realserver.suspectUntil = later(now, SUSPECT_FOR);
  memory.purge(realserver);
}

const NOBODY: ReadonlySet<Realserver> = new Set();

/** The scheduler's choice among those not in `refused`; suspects when nobody else is left, sorry servers after them. */
export function pick(
  service: Service,
  client: Address,
  now: Ms,
  refused: ReadonlySet<Realserver>,
  text?: string,
): Realserver | null {
  const key = text === undefined ? { client } : { client, text };
  let index = pickAmong(service, key, refused, now, false);
  if (index < 0) index = pickAmong(service, key, refused, ENDLESS, false);
  if (index < 0) index = pickAmong(service, key, refused, ENDLESS, true);
  return index < 0 ? null : service.realservers[index]!;
}

/** Later than any realserver is suspected. */
const ENDLESS = Number.POSITIVE_INFINITY as Ms;

/** The place of the scheduler's choice among those that are no suspects at `at`: sorry servers, or those that are none. */
function pickAmong(
  { realservers, scheduler }: Service,
  key: SchedulingKey,
  refused: ReadonlySet<Realserver>,
  at: Ms,
  sorry: boolean,
): number {
  for (const realserver of realservers) {
    realserver.available = at >= realserver.suspectUntil && mayBeChosen(realserver, refused, sorry);
  }
  return scheduler.pick(realservers, key);
}

const mayBeChosen = (realserver: Realserver, refused: ReadonlySet<Realserver>, sorry: boolean): boolean =>
  realserver.up &&
  realserver.weight > 0 &&
  (realserver.sorry === true) === sorry &&
  (refused === NOBODY || !refused.has(realserver));

/** A connection of `client` to `realserver` opened. `inactive`: it is counted among those. */
export function opened(
  service: Service,
  role: Role | "related",
  realserver: Realserver,
  client: Address,
  now: Ms,
  inactive = false,
): void {
  if (inactive) realserver.inactive++;
  else realserver.active++;
  if (role === "data") service.pins.opened(client, realserver, now);
  else if (role !== "related") service.templates?.opened(client, realserver, now);
}

export function closed(
  service: Service,
  role: Role | "related",
  realserver: Realserver,
  client: Address,
  now: Ms,
  inactive = false,
): void {
  if (inactive) realserver.inactive--;
  else realserver.active--;
  if (role === "data") service.pins.closed(client, realserver, now);
  else if (role !== "related") service.templates?.closed(client, realserver, now);
  if (realserver.removed && realserver.active + realserver.inactive === 0) service.pins.purge(realserver);
}

/** Whether a data port is one of those where the realserver has said its data connections go. */
const declares = ({ passivePorts }: Realserver, transport: Transport, port: Port): boolean =>
  passivePorts === null || inRange(passivePorts, transport, port);
