/** Two samples as lines: what there is, and how much of it came a second between the two. */
import type { FlowCounts, RealserverCondition, RealserverState } from "../../control/operated.ts";
import { inert } from "../../inert.ts";
import { conditionColours } from "../lists.ts";
import type { Sample } from "./sample.ts";
import { type Cell, columns, type Line, lasted, rate, short } from "./text.ts";

/** By which the realservers stand: those with most first, or as they are configured. */
export const sorts = { c: "configured", f: "flows", n: "new/s", s: "state" } as const;
export type Sort = keyof typeof sorts;

export interface Looked {
  /** null: nothing was looked at before. */
  readonly before: Sample | null;
  readonly now: Sample;
  readonly sort: Sort;
}

export interface View {
  readonly head: readonly Line[];
  /** The first line is that of the names. */
  readonly realservers: readonly Line[];
  readonly refusals: readonly Line[];
}

const BOLD = 1;
const YELLOW = 33;

export function viewOf(looked: Looked): View {
  return { head: headOf(looked), realservers: realserversOf(looked), refusals: refusalsOf(looked) };
}

// --- the whole --------------------------------------------------------------------------------------------------------

function headOf({ before, now }: Looked): Line[] {
  const { status, services, counts, at } = now;
  const backend = status.backend === undefined ? "" : ` (${status.backend})`;
  const flows = sumOf(services.flatMap(({ realservers }) => realservers.map(({ flows }) => flows)));
  const each = rates(before, now);
  const announced = `${each("expected.")} announced, ${each("related.", GONE)} of these came`;
  const bytes =
    counts["traffic.bytes.original"] === undefined
      ? ""
      : `, ${each("traffic.bytes.original")} bytes in, ${each("traffic.bytes.reply")} out`;
  const up = lasted(at - Date.parse(status.since));
  return [
    [{ text: "kindred", sgr: BOLD }, { text: `   ${status.path} path${backend}, up ${up}, ${inert(status.file)}` }],
    labelled("flows", `${total(flows)}: ${flowsText(flows)}`),
    labelled("a second", `${each("connections.")} connections, ${announced}, ${each("refused.")} refused${bytes}`),
    labelled("announced", waitingText(now)),
    ...clientsOf(now),
  ];
}

const labelled = (label: string, text: string): Line => [{ text: label.padEnd(10), sgr: BOLD }, { text }];

const ROLES = ["control", "related", "data", "plain"] as const;

const sumOf = (all: readonly FlowCounts[]): FlowCounts => {
  const sum = (role: keyof FlowCounts): number => all.reduce((before, flows) => before + flows[role], 0);
  return { control: sum("control"), related: sum("related"), data: sum("data"), plain: sum("plain") };
};

const total = (flows: FlowCounts): number => ROLES.reduce((all, role) => all + flows[role], 0);

const flowsText = (flows: FlowCounts): string => ROLES.map((role) => `${flows[role]} ${role}`).join(", ");

/** Announced connections that nobody opened are counted beside those that came. */
const GONE: ReadonlySet<string> = new Set(["expired", "replaced", "revoked", "control-closed", "unavailable"]);

/** How many a second of the counters whose names begin so, but for `without`. */
function rates(before: Sample | null, now: Sample): (prefix: string, without?: ReadonlySet<string>) => string {
  const sum = ({ counts }: Sample, prefix: string, without: ReadonlySet<string>): number =>
    Object.entries(counts)
      .filter(([name]) => name.startsWith(prefix) && !without.has(name.slice(prefix.length)))
      .reduce((all, [, count]) => all + count, 0);
  return (prefix, without = new Set()) => {
    if (before === null) return "-";
    return rate(aSecond(sum(before, prefix, without), sum(now, prefix, without), before, now));
  };
}

/** Counters begin anew when the director does. */
const aSecond = (earlier: number, later: number, before: Sample, now: Sample): number =>
  (Math.max(0, later - earlier) * 1000) / Math.max(1, now.at - before.at);

function waitingText({ related: { items, next } }: Sample): string {
  if (items.length === 0) return "none that has not come";
  const kinds = new Map<string, number>();
  for (const { kind } of items) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const each = [...kinds].map(([kind, count]) => `${count} ${inert(kind)}`).join(", ");
  return `${items.length}${next === null ? "" : " or more"} that have not come: ${each}`;
}

/** Of a path that has clients wait: said when any does. */
function clientsOf({ status: { waiting = 0, heldBytes = 0 } }: Sample): Line[] {
  const clients = waiting === 0 ? [] : [`${waiting} clients for their turn`];
  const bytes = heldBytes === 0 ? [] : [`${short(heldBytes)} bytes of control connections`];
  const said = [...clients, ...bytes].join(", ");
  return said === ""
    ? []
    : [
        [
          { text: "waiting".padEnd(10), sgr: BOLD },
          { text: said, sgr: YELLOW },
        ],
      ];
}

// --- realservers ------------------------------------------------------------------------------------------------------

interface Row {
  readonly service: string;
  readonly one: RealserverState;
  readonly flows: number;
  /** A second; null: the path counts none, or there is nothing to compare with. */
  readonly connections: number | null;
  readonly bytes: { readonly original: number; readonly reply: number } | null;
}

function realserversOf(looked: Looked): Line[] {
  const rows = sorted(rowsOf(looked), looked.sort);
  const counted = rows.some(({ one }) => one.traffic !== undefined);
  const names = ["SERVICE", "REALSERVER", "STATE", "WEIGHT", ...(counted ? COUNTED : UNCOUNTED)];
  const head = names.map((text, i): Cell => ({ text, sgr: BOLD, right: i > 2 }));
  return columns([head, ...rows.map((row) => cellsOf(row, counted))]);
}

const UNCOUNTED = ["FLOWS", ...ROLES.map((role) => role.toUpperCase())];
const COUNTED = ["FLOWS", "CONTROL", "NEW/S", "IN/S", "OUT/S"];

function rowsOf({ before, now }: Looked): Row[] {
  const earlier = new Map(
    before?.services.flatMap(({ name, realservers }) => realservers.map((one) => [`${name} ${one.realserver}`, one])),
  );
  return now.services.flatMap(({ name: service, realservers }) =>
    realservers.map((one): Row => {
      const was = earlier.get(`${service} ${one.realserver}`)?.traffic;
      const row = { service, one, flows: total(one.flows) };
      const { traffic } = one;
      if (before === null || was === undefined || traffic === undefined)
        return { ...row, connections: null, bytes: null };
      const each = (earlier: number, later: number): number => aSecond(earlier, later, before, now);
      const bytes = {
        original: each(was.bytes.original, traffic.bytes.original),
        reply: each(was.bytes.reply, traffic.bytes.reply),
      };
      return { ...row, connections: each(was.connections, traffic.connections), bytes };
    }),
  );
}

/** What asks for attention first. */
const BY_STATE: readonly RealserverCondition[] = ["down", "removed", "quiesced", "up"];

const ORDERS: Readonly<Record<Sort, (a: Row, b: Row) => number>> = {
  c: () => 0,
  f: (a, b) => b.flows - a.flows,
  n: (a, b) => (b.connections ?? 0) - (a.connections ?? 0),
  s: (a, b) => BY_STATE.indexOf(a.one.condition) - BY_STATE.indexOf(b.one.condition),
};

/** Those that are alike stay as they are configured. */
const sorted = (rows: readonly Row[], sort: Sort): Row[] => [...rows].sort(ORDERS[sort]);

function cellsOf({ service, one, flows, connections, bytes }: Row, counted: boolean): Cell[] {
  const { realserver, condition, weight, sorry } = one;
  const sgr = conditionColours[condition];
  const number = (text: string): Cell => ({ text, right: true });
  const perSecond = (n: number | null | undefined): Cell => number(n === null || n === undefined ? "-" : rate(n));
  return [
    { text: inert(service) },
    { text: inert(realserver) },
    { text: sorry ? `${condition}, sorry` : condition, ...(sgr === undefined ? {} : { sgr }) },
    number(String(weight)),
    number(short(flows)),
    ...(counted
      ? [number(short(one.flows.control)), perSecond(connections), perSecond(bytes?.original), perSecond(bytes?.reply)]
      : ROLES.map((role) => number(short(one.flows[role])))),
  ];
}

// --- refusals ---------------------------------------------------------------------------------------------------------

const REFUSED = "refused.";

/** By reason, the most frequent first: those of the moment, then those since it began. */
function refusalsOf({ before, now }: Looked): Line[] {
  const reasons = Object.entries(now.counts)
    .filter(([name]) => name.startsWith(REFUSED))
    .map(([name, count]) => {
      const each = before === null ? 0 : aSecond(before.counts[name] ?? 0, count, before, now);
      return { reason: name.slice(REFUSED.length), count, each };
    })
    .sort((a, b) => b.each - a.each || b.count - a.count);
  if (reasons.length === 0) return [[{ text: "nothing was refused" }]];
  const head: Cell[] = [
    { text: "REFUSED BECAUSE", sgr: BOLD },
    { text: "A SECOND", sgr: BOLD, right: true },
    { text: "SINCE IT RUNS", sgr: BOLD, right: true },
  ];
  const rows = reasons.map(({ reason, count, each }): Cell[] => [
    { text: inert(reason), ...(each > 0 ? { sgr: YELLOW } : {}) },
    { text: before === null ? "-" : rate(each), right: true },
    { text: String(count), right: true },
  ]);
  return columns([head, ...rows]);
}
