/** What the balancer holds, as plain data a page at a time. */
import type { Balancer, ConnectionEntry } from "../../core/balancer.ts";
import type { RelatedEntry } from "../../core/flow/related.ts";
import type { Realserver, Service } from "../../core/service.ts";
import { endpointText, type Ms, type PartialEndpoint, rangeText } from "../../core/units.ts";
import type {
  ConnectionState,
  FlowCounts,
  Page,
  Query,
  RealserverCondition,
  RealserverState,
  RelatedState,
  Scope,
  ServiceState,
  TemplateState,
} from "../control/operated.ts";

export type { TemplateState } from "../control/operated.ts";

type Counts = { -readonly [role in keyof FlowCounts]: number };

/** Services as configured; and those that are configured no more, or have such realservers, while these have flows. */
export function services(balancer: Balancer): ServiceState[] {
  const flows = new Map<Service, Map<Realserver, Counts>>();
  for (const service of balancer.services) {
    flows.set(service, new Map(service.realservers.map((one) => [one, none()])));
  }
  for (const { service, realserver, role } of balancer.connections) {
    const realservers = flows.get(service) ?? new Map<Realserver, Counts>();
    const counts = realservers.get(realserver) ?? none();
    counts[role]++;
    flows.set(service, realservers.set(realserver, counts));
  }
  return [...flows].map(([service, realservers]) => ({
    ...describe(service),
    removed: !balancer.services.includes(service),
    realservers: [...realservers].map(([realserver, counts]) => realserverState(realserver, counts)),
  }));
}

const none = (): Counts => ({ control: 0, related: 0, data: 0, plain: 0 });

export const describe = ({ spec }: Service): Omit<ServiceState, "removed" | "realservers"> => ({
  name: spec.name,
  vip: spec.address.toString(),
  ports: spec.ports.map(rangeText),
  helper: spec.helper?.name ?? null,
  scheduler: spec.scheduler,
  persistence: spec.persistence,
});

export function realserverState(realserver: Realserver, flows: FlowCounts): RealserverState {
  const { key, weight, method = "nat", sorry = false, active, inactive } = realserver;
  return { realserver: key, condition: conditionOf(realserver), sorry, weight, method, active, inactive, flows };
}

function conditionOf({ removed, up, weight }: Realserver): RealserverCondition {
  if (removed) return "removed";
  if (!up) return "down";
  return weight === 0 ? "quiesced" : "up";
}

/** Looked at one after the other: null is not what was asked for. A page may begin at a `place`. */
export type Look<T> = { readonly place: number; readonly item: T } | null;

export function pageOf<T>(looks: Iterable<Look<T>>, limit: number): Page<T> {
  const items: T[] = [];
  for (const look of looks) {
    if (look === null) continue;
    if (items.length === limit) return { items, next: look.place };
    items.push(look.item);
  }
  return { items, next: null };
}

/** In the order of their slots: what is there all the time is on one page, whatever comes and goes meanwhile. */
export function* connections({ connections }: Balancer, query: Query): Generator<Look<ConnectionState>> {
  const wanted = matching(query);
  for (const [place, entry] of connections.from(query.after)) {
    yield wanted(entry) ? { place, item: connectionState(entry) } : null;
  }
}

const connectionState = (entry: ConnectionEntry): ConnectionState => ({
  handle: entry.handle,
  service: entry.service.spec.name,
  transport: entry.transport,
  role: entry.role,
  client: endpointText(entry.client),
  virtual: endpointText(entry.virtual),
  real: endpointText(entry.real),
  realserver: entry.realserver.key,
  control: entry.master,
});

function matching({ role, client, ...scope }: Query): (entry: ConnectionEntry) => boolean {
  const inside = inScope(scope);
  return (entry) =>
    inside(entry) &&
    (role === undefined || entry.role === role) &&
    (client === undefined || entry.client.address.toString() === client);
}

export const inScope =
  ({ service, realserver }: Scope): ((entry: Pick<ConnectionEntry, "service" | "realserver">) => boolean) =>
  (entry) =>
    (service === undefined || entry.service.spec.name === service) &&
    (realserver === undefined || entry.realserver.key === realserver);

/** In the order of their numbers. */
export function* related({ related, connections }: Balancer, query: Query, now: Ms): Generator<Look<RelatedState>> {
  const wanted = matching(query);
  for (const entry of related) {
    const control = entry.id < query.after ? null : connections.get(entry.master);
    const shown = control !== null && wanted({ ...control, role: "related" });
    yield shown ? { place: entry.id, item: relatedState(entry, control, now) } : null;
  }
}

const relatedState = (entry: RelatedEntry, { service, realserver }: ConnectionEntry, now: Ms): RelatedState => ({
  id: entry.id,
  control: entry.master,
  service: service.spec.name,
  realserver: realserver.key,
  kind: entry.kind,
  transport: entry.transport,
  opener: entry.opener,
  from: partialText(entry.from),
  seen: entry.seen === null ? null : endpointText(entry.seen),
  target: endpointText(entry.target),
  state: entry.state,
  expires: Math.max(0, Math.round(entry.expires - now)),
});

function partialText({ address, port }: PartialEndpoint): string {
  const host = address === null ? "*" : address.family === 6 ? `[${address}]` : address.toString();
  return `${host}:${port ?? "*"}`;
}

/** `after` is how many there were before. */
export function* templates(
  balancer: Balancer,
  which: "templates" | "pins",
  query: Query,
  now: Ms,
): Generator<Look<TemplateState>> {
  let place = -1;
  for (const { spec, [which]: table } of balancer.services) {
    for (const { client, realserver, active, expires } of table ?? []) {
      const item = { service: spec.name, client, realserver: realserver.key, active, expires: left(expires, now) };
      yield sameTemplate(item, query) && ++place >= query.after ? { place, item } : null;
    }
  }
}

const left = (expires: Ms, now: Ms): number => Math.max(0, Math.round(expires - now));

const sameTemplate = (state: TemplateState, { service, realserver, client }: Query): boolean =>
  (service === undefined || state.service === service) &&
  (realserver === undefined || state.realserver === realserver) &&
  (client === undefined || state.client === client);

/** Forgets who was served by those in `scope`; how many. */
export function forget(balancer: Balancer, { service: name, realserver: key }: Scope): number {
  let forgotten = 0;
  for (const service of balancer.services) {
    if (name !== undefined && service.spec.name !== name) continue;
    for (const realserver of service.realservers) {
      if (key === undefined || realserver.key === key) forgotten += balancer.forget(service, realserver);
    }
  }
  return forgotten;
}
