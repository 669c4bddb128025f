/** What can be listed, and in which columns. */

import type { Event } from "../control/events.ts";
import type {
  ConnectionState,
  FlowCounts,
  RealserverState,
  RelatedState,
  ServiceState,
  TemplateState,
} from "../control/operated.ts";
import type { Column } from "./output.ts";

export interface RealserverRow extends RealserverState {
  readonly service: string;
}

const sum = ({ control, related, data, plain }: FlowCounts): number => control + related + data + plain;
const GREEN = 32;
const YELLOW = 33;
const RED = 31;
/** SGR codes. */
export const conditionColours: Readonly<Record<string, number>> = {
  up: GREEN,
  quiesced: YELLOW,
  removed: YELLOW,
  down: RED,
};
const byCondition = (text: string): number | null => conditionColours[text] ?? null;

export const services: readonly Column<ServiceState>[] = [
  { name: "service", cell: ({ name }) => name },
  { name: "vip", cell: ({ vip }) => vip },
  { name: "ports", cell: ({ ports }) => ports.join(" ") },
  { name: "scheduler", cell: ({ scheduler }) => scheduler },
  { name: "helper", cell: ({ helper }) => helper },
  { name: "persistence", cell: ({ persistence }) => (persistence === 0 ? null : `${persistence / 1000}s`), wide: true },
  { name: "state", cell: ({ removed }) => (removed ? "removed" : "up"), colour: byCondition, wide: true },
  {
    name: "realservers",
    cell: ({ realservers }) =>
      `${realservers.filter(({ condition }) => condition === "up").length}/${realservers.length}`,
  },
  { name: "flows", cell: ({ realservers }) => realservers.reduce((all, { flows }) => all + sum(flows), 0) },
];

export const realservers: readonly Column<RealserverRow>[] = [
  { name: "service", cell: ({ service }) => service },
  { name: "realserver", cell: ({ realserver }) => realserver },
  { name: "state", cell: ({ condition }) => condition, colour: byCondition },
  { name: "weight", cell: ({ weight }) => weight },
  { name: "sorry", cell: ({ sorry }) => (sorry ? "yes" : null) },
  { name: "method", cell: ({ method }) => method, wide: true },
  { name: "active", cell: ({ active }) => active },
  { name: "inactive", cell: ({ inactive }) => inactive, wide: true },
  { name: "control", cell: ({ flows }) => flows.control },
  { name: "related", cell: ({ flows }) => flows.related },
  { name: "data", cell: ({ flows }) => flows.data },
  { name: "plain", cell: ({ flows }) => flows.plain },
  { name: "connections", cell: ({ traffic }) => traffic?.connections ?? null, wide: true },
  { name: "packets in", cell: ({ traffic }) => traffic?.packets.original ?? null, wide: true },
  { name: "packets out", cell: ({ traffic }) => traffic?.packets.reply ?? null, wide: true },
  { name: "bytes in", cell: ({ traffic }) => traffic?.bytes.original ?? null, wide: true },
  { name: "bytes out", cell: ({ traffic }) => traffic?.bytes.reply ?? null, wide: true },
];

export const connections: readonly Column<ConnectionState>[] = [
  { name: "proto", cell: ({ transport }) => transport },
  { name: "role", cell: ({ role }) => role },
  { name: "service", cell: ({ service }) => service },
  { name: "client", cell: ({ client }) => client },
  { name: "virtual", cell: ({ virtual }) => virtual },
  { name: "real", cell: ({ real }) => real },
  { name: "realserver", cell: ({ realserver }) => realserver, wide: true },
  { name: "handle", cell: ({ handle }) => handle, wide: true },
  { name: "control", cell: ({ control }) => control, wide: true },
];

export const related: readonly Column<RelatedState>[] = [
  { name: "proto", cell: ({ transport }) => transport },
  { name: "kind", cell: ({ kind }) => kind },
  { name: "service", cell: ({ service }) => service },
  { name: "from", cell: ({ from }) => from },
  { name: "to", cell: ({ seen }) => seen },
  { name: "target", cell: ({ target }) => target },
  { name: "state", cell: ({ state }) => state },
  { name: "expires", cell: ({ expires }) => `${Math.ceil(expires / 1000)}s` },
  { name: "realserver", cell: ({ realserver }) => realserver, wide: true },
  { name: "opener", cell: ({ opener }) => opener, wide: true },
  { name: "id", cell: ({ id }) => id, wide: true },
  { name: "control", cell: ({ control }) => control, wide: true },
];

export const templates: readonly Column<TemplateState>[] = [
  { name: "service", cell: ({ service }) => service },
  { name: "client", cell: ({ client }) => client },
  { name: "realserver", cell: ({ realserver }) => realserver },
  { name: "active", cell: ({ active }) => active },
  { name: "expires", cell: ({ active, expires }) => (active > 0 ? null : `${Math.ceil(expires / 1000)}s`) },
];

export const counters: readonly Column<readonly [name: string, count: number]>[] = [
  { name: "counter", cell: ([name]) => name },
  { name: "count", cell: ([, count]) => count },
];

const REST: ReadonlySet<string> = new Set(["time", "level", "event", "reason"]);

export const refusals: readonly Column<Event>[] = [
  { name: "time", cell: ({ time }) => time },
  { name: "event", cell: ({ event }) => event },
  { name: "reason", cell: (event) => String(event["reason"] ?? "-") },
  {
    name: "about",
    cell: (event) =>
      Object.entries(event)
        .filter(([name, value]) => !REST.has(name) && value !== null && value !== undefined)
        .map(([name, value]) => `${name}=${value}`)
        .join(" "),
  },
];
