/** What changes from one configuration to the next, a sentence a line. */
import { isDeepStrictEqual } from "node:util";
import { rangeText } from "../../core/units.ts";
import type { Config, HelperConfig, RealserverConfig, ServiceConfig } from "../config.ts";
import { keyOf } from "./document.ts";

export function difference(before: Config, after: Config): string[] {
  return [
    ...changes(servicesOf(before), servicesOf(after), ({ name }) => name, {
      comes: serviceComes,
      goes: ({ name }) => [`service ${name} goes: nobody new; what it has ends by itself`],
      stays: serviceStays,
    }),
    ...changes(before.helpers, after.helpers, ({ name }) => name, {
      comes: ({ name }) => [`helper ${name} comes`],
      goes: ({ name }) => [`helper ${name} goes`],
      stays: helperStays,
    }),
    ...settings(before, after),
  ];
}

const servicesOf = ({ services, groups }: Config): readonly ServiceConfig[] => [...services, ...groups];

interface Sentences<T> {
  readonly comes: (one: T) => readonly string[];
  readonly goes: (one: T) => readonly string[];
  readonly stays: (before: T, after: T) => readonly string[];
}

function changes<T>(
  before: readonly T[],
  after: readonly T[],
  key: (one: T) => string,
  { comes, goes, stays }: Sentences<T>,
): string[] {
  const known = new Map(before.map((one) => [key(one), one]));
  const wanted = new Set(after.map(key));
  return [
    ...before.filter((one) => !wanted.has(key(one))).flatMap(goes),
    ...after.flatMap((one) => {
      const earlier = known.get(key(one));
      return earlier === undefined ? comes(one) : stays(earlier, one);
    }),
  ];
}

const portsText = ({ ports }: ServiceConfig): string => ports.map(rangeText).join(", ");

const serviceComes = (service: ServiceConfig): string[] => [
  `service ${service.name} comes: ${service.vip} ${portsText(service)}, scheduler ${service.scheduler}` +
    (service.helper === null ? "" : `, helper ${service.helper.name}`),
  ...service.realservers.map((one) => realserverComes(service.name, one)),
];

const realserverComes = (service: string, one: RealserverConfig): string =>
  `service ${service}: realserver ${keyOf(one)} comes, with weight ${one.weight}${one.sorry ? ", as a sorry server" : ""}`;

function serviceStays(before: ServiceConfig, after: ServiceConfig): string[] {
  const { name } = after;
  const said = (what: string, of: (service: ServiceConfig) => string): string[] =>
    of(before) === of(after) ? [] : [`service ${name}: ${what} ${of(before)} becomes ${of(after)}`];
  return [
    ...said("address", ({ vip }) => vip.toString()),
    ...said("ports", portsText),
    ...said("helper", ({ helper }) => helper?.name ?? "none"),
    ...said("scheduler", ({ scheduler }) => scheduler),
    ...said("persistence", ({ persistence }) => (persistence === 0 ? "none" : `${persistence / 1000} s`)),
    ...said("originates", ({ originates }) => originates.map(rangeText).join(", ") || "nothing"),
    ...said("persistenceNetmask", ({ persistenceNetmask }) => String(persistenceNetmask ?? "none")),
    ...said("mark", ({ mark }) => mark ?? "none"),
    ...checkChanges(before, after),
    ...changes(before.realservers, after.realservers, keyOf, {
      comes: (one) => [realserverComes(name, one)],
      goes: (one) => [`service ${name}: realserver ${keyOf(one)} goes: nobody new; what it has ends by itself`],
      stays: (earlier, later) => realserverStays(name, earlier, later),
    }),
  ];
}

function checkChanges({ check: before }: ServiceConfig, { name, check: after }: ServiceConfig): string[] {
  if (isDeepStrictEqual(plain(before), plain(after))) return [];
  const [was, is] = [before, after].map((check) => check?.kind ?? "none");
  return [`service ${name}: check ${was === is ? `${is} changes` : `${was} becomes ${is}`}`];
}

function realserverStays(service: string, before: RealserverConfig, after: RealserverConfig): string[] {
  const named = `service ${service}: realserver ${keyOf(after)}`;
  const sentences: string[] = [];
  if (before.weight !== after.weight) {
    const drained = after.weight === 0 ? ": nobody new" : "";
    sentences.push(`${named}: weight ${before.weight} becomes ${after.weight}${drained}`);
  }
  for (const key of ["method", "sorry", "announces", "passivePorts"] as const) {
    if (!isDeepStrictEqual(String(before[key]), String(after[key])) || !samePorts(before, after, key)) {
      sentences.push(`${named}: ${key} changes, for who comes from then on`);
    }
  }
  return sentences;
}

const samePorts = (before: RealserverConfig, after: RealserverConfig, key: keyof RealserverConfig): boolean =>
  key !== "passivePorts" || isDeepStrictEqual(before.passivePorts, after.passivePorts);

const helperStays = (before: HelperConfig, after: HelperConfig): string[] =>
  isDeepStrictEqual(plain(before), plain(after)) ? [] : [`helper ${after.name} changes, for who comes from then on`];

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const SETTINGS = ["related", "timeouts", "backend", "log", "control", "watch"] as const;

function settings(before: Config, after: Config): string[] {
  return SETTINGS.filter((key) => !isDeepStrictEqual(plain(before[key]), plain(after[key]))).map((key) => {
    return `${key}: ${JSON.stringify(before[key])} becomes ${JSON.stringify(after[key])}`;
  });
}
