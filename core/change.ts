/**
 * Services that change while connections run over them. A service is known by its name, a realserver by its address,
 * port and method; who stays is the same object as before, so that its connections notice nothing.
 *
 *   comes      takes new connections as the scheduler sees fit
 *   stays      with a new weight, scheduler or persistence, perhaps; what clients have is theirs
 *   goes       gets nothing new, and nobody is led back to it; its connections, and what they announce, end by themselves
 *   by another method, it goes and comes at once, and whoever would be led back to the old is led to the new
 */
import { AffinityMemory } from "./flow/affinity.ts";
import { PersistenceTable } from "./flow/persistence.ts";
import { createScheduler } from "./schedule/scheduler.ts";
import {
  isPortGroup,
  type Method,
  type Realserver,
  type RealserverSpec,
  realserverKey,
  type Service,
  type ServiceSpec,
} from "./service.ts";
import { type Ms, seconds } from "./units.ts";

/** How long a port group lasts after its last connection, unless the service says otherwise (LVS's classic 300 s). */
const GROUP_TIMEOUT = seconds(300);
const MEMORY_CAPACITY = 100_000;

/** How long clients stay, where they do. */
export const stayOf = ({ persistence }: Pick<ServiceSpec, "persistence">): Ms =>
  persistence > 0 ? persistence : GROUP_TIMEOUT;

/** What is scheduled request by request is grouped by what the helper recalls. */
const isPersistent = (spec: ServiceSpec): boolean =>
  spec.persistence > 0 || ((isPortGroup(spec) || spec.mark !== undefined) && spec.helper?.requests === undefined);

/** Services of the same mark learn of one another. */
function acquaint(services: readonly Service[]): void {
  for (const service of services) {
    const { mark } = service.spec;
    service.companions =
      mark === undefined ? [] : services.filter((other) => other !== service && other.spec.mark === mark);
  }
}

export function makeServices(specs: readonly ServiceSpec[], seed: number): Service[] {
  const services = specs.map((spec) => makeService(spec, seed));
  acquaint(services);
  return services;
}

function makeService(spec: ServiceSpec, seed: number): Service {
  const realservers = spec.realservers.map(makeRealserver);
  const scheduler = createScheduler(spec.scheduler, seed);
  scheduler.update(realservers);
  const stay = stayOf(spec);
  return {
    spec,
    realservers,
    scheduler,
    companions: [],
    templates: isPersistent(spec) ? new PersistenceTable<Realserver>(stay, spec.persistencePrefix) : null,
    pins: new PersistenceTable<Realserver>(stay, null),
    memory: new AffinityMemory<Realserver>(MEMORY_CAPACITY),
  };
}

const makeRealserver = (spec: RealserverSpec): Realserver => ({
  ...spec,
  key: realserverKey(spec),
  active: 0,
  inactive: 0,
  available: true,
  up: true,
  removed: false,
  suspectUntil: 0 as Ms,
  number: -1,
  ends: null,
});

/** `services` become `specs`, in their order. */
export function changeServices(services: Service[], specs: readonly ServiceSpec[], seed: number): void {
  const known = new Map(services.map((service) => [service.spec.name, service]));
  const next = specs.map((spec) => {
    const service = known.get(spec.name);
    known.delete(spec.name);
    if (service === undefined) return makeService(spec, seed);
    changeService(service, spec, seed);
    return service;
  });
  for (const gone of known.values()) {
    changeRealservers(gone, []);
    gone.companions = [];
  }
  services.splice(0, services.length, ...next);
  acquaint(services);
}

function changeService(service: Service, spec: ServiceSpec, seed: number): void {
  const before = service.spec;
  service.spec = spec;
  if (before.scheduler !== spec.scheduler) service.scheduler = createScheduler(spec.scheduler, seed);
  changeRealservers(service, spec.realservers);
  const stay = stayOf(spec);
  service.pins.retime(stay);
  if (!isPersistent(spec)) service.templates = null;
  else if (service.templates === null || before.persistencePrefix !== spec.persistencePrefix) {
    service.templates = new PersistenceTable<Realserver>(stay, spec.persistencePrefix);
  } else service.templates.retime(stay);
}

const methodOf = ({ method = "nat" }: RealserverSpec): Method => method;

function changeRealservers(service: Service, specs: readonly RealserverSpec[]): void {
  const { realservers } = service;
  const known = new Map(realservers.map((realserver) => [realserver.key, realserver]));
  const heirs = new Map<Realserver, Realserver>();
  const next = specs.map((spec) => {
    const realserver = known.get(realserverKey(spec));
    if (realserver === undefined) return makeRealserver(spec);
    if (methodOf(realserver) !== methodOf(spec)) {
      // Who is connected goes on by the method it began with; whether the server is up is not a question of that.
      const heir = { ...makeRealserver(spec), up: realserver.up };
      heirs.set(realserver, heir);
      return heir;
    }
    known.delete(realserver.key);
    return Object.assign(realserver, { method: "nat", sorry: false }, spec);
  });
  for (const gone of known.values()) {
    gone.removed = true;
    const heir = heirs.get(gone);
    if (heir === undefined) forget(service, gone);
    else bequeath(service, gone, heir);
  }
  realservers.splice(0, realservers.length, ...next);
  service.scheduler.update(realservers);
}

/** The same server by another method: its clients come again. Data connections follow their control connection. */
function bequeath({ templates, pins, memory }: Service, realserver: Realserver, heir: Realserver): void {
  templates?.bequeath(realserver, heir);
  pins.bequeathIdle(realserver, heir);
  memory.bequeath(realserver, heir);
}

/**
 * Nobody is led back to `realserver`: how many would have been. A client that has a control connection there keeps its
 * port group, since its data connections go nowhere else.
 */
export function forget({ templates, pins, memory }: Service, realserver: Realserver): number {
  return (templates?.purge(realserver) ?? 0) + pins.purgeIdle(realserver) + memory.purge(realserver);
}
