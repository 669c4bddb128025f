/**
 * `GET /metrics`: what Prometheus scrapes, made when it asks. Names and labels of node_exporter's ipvs collector, so that
 * its dashboards and alerts hold here too; and `kindred_*` for what IPVS has not. Labels come from the configuration and
 * from names in the program, never from clients or payload.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { Histogram } from "../durations.ts";
import type { Events } from "./events.ts";
import type { Measured, RealserverState, RelatedState, ServiceState } from "./operated.ts";
import type { Operator } from "./operator.ts";

/** Values of one label that are told apart; the rest is "other". */
const MOST_VALUES = 100;
const PAGE = 10_000;

/** Ends of related entries that nobody opened. */
const GONE: ReadonlySet<string> = new Set(["expired", "replaced", "revoked", "control-closed", "unavailable"]);

const BACKEND = ["local_address", "local_port", "remote_address", "remote_port", "proto", "local_mark"] as const;
const REALSERVER = ["service", "realserver"] as const;
const WAYS = [...REALSERVER, "way"] as const;

type Counts = Readonly<Record<string, number>>;

export interface MetricsText {
  readonly type: string;
  readonly text: string;
}

/** Of the process: its observers are of no use to a director that nobody scrapes, so they begin with the first scrape. */
let ofProcess: Registry | null = null;

function processRegistry(): Registry {
  if (ofProcess === null) {
    ofProcess = new Registry();
    collectDefaultMetrics({ register: ofProcess });
  }
  return ofProcess;
}

export async function metrics(operator: Operator, events: Events): Promise<MetricsText> {
  const register = new Registry();
  const [counts, services, waiting, measured] = await Promise.all([
    operator.counts(),
    operator.services(),
    allRelated(operator),
    operator.measured(),
  ]);
  totals(register, counts, events);
  for (const service of services) for (const one of service.realservers) backend(register, service, one);
  relatedEntries(register, counts, waiting);
  outcomes(register, counts);
  const changes = counter(register, "kindred_config_changes_total", "Changes of the configuration that were applied");
  changes.inc(operator.changes);
  if (measured !== null) {
    gauge(register, "kindred_held_bytes", HELD).set(measured.heldBytes);
    gauge(register, "kindred_waiting_clients", WAITING).set(measured.waiting);
  }
  const text = await Registry.merge([register, processRegistry()]).metrics();
  return { type: register.contentType, text: text + (measured === null ? "" : histograms(measured)) };
}

const HELD = "Bytes of control connections that wait for the rest of their message, or for a listener";
const WAITING = "Clients that were accepted, and wait until they can be served";

const histograms = ({ entering, connecting, deciding }: Measured): string =>
  histogram("kindred_wait_seconds", "Until a client that was accepted was served", entering) +
  histogram("kindred_connect_seconds", "Until a realserver took a connection", connecting) +
  histogram("kindred_control_seconds", "For what was read of a control connection to be decided upon", deciding);

/** As Prometheus has it; prom-client can make none of what was counted already. */
function histogram(name: string, help: string, { buckets, sum }: Histogram): string {
  const lines = buckets.map(([bound, count]) => {
    const le = bound === Number.POSITIVE_INFINITY ? "+Inf" : String(bound);
    return `${name}_bucket{le="${le}"} ${count}`;
  });
  const all = [`${name}_sum ${sum}`, `${name}_count ${buckets.at(-1)![1]}`];
  return `${[`# HELP ${name} ${help}`, `# TYPE ${name} histogram`, ...lines, ...all].join("\n")}\n`;
}

async function allRelated(operator: Operator): Promise<readonly RelatedState[]> {
  const items: RelatedState[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const page = await operator.related({ after, limit: PAGE });
    items.push(...page.items);
    after = page.next;
  }
  return items;
}

function totals(register: Registry, counts: Counts, { bytes }: Events): void {
  const opened = sum(group(counts, "connections")) + sum(openedByKind(counts));
  counter(register, "node_ipvs_connections_total", "Connections that were opened, related ones too").inc(opened);
  const of = (what: string, otherwise: number): number => counts[`traffic.${what}`] ?? otherwise;
  const incoming = counter(register, "node_ipvs_incoming_bytes_total", "Bytes of clients");
  incoming.inc(of("bytes.original", bytes.original));
  const outgoing = counter(register, "node_ipvs_outgoing_bytes_total", "Bytes to clients");
  outgoing.inc(of("bytes.reply", bytes.reply));
  if (counts["traffic.packets.original"] === undefined) return;
  counter(register, "node_ipvs_incoming_packets_total", "Packets of clients").inc(of("packets.original", 0));
  counter(register, "node_ipvs_outgoing_packets_total", "Packets to clients").inc(of("packets.reply", 0));
}

function backend(register: Registry, service: ServiceState, one: RealserverState): void {
  const labels = backendLabels(service, one);
  const active = gauge(register, "node_ipvs_backend_connections_active", "Active connections", BACKEND);
  const inactive = gauge(register, "node_ipvs_backend_connections_inactive", "Inactive connections", BACKEND);
  const weight = gauge(register, "node_ipvs_backend_weight", "Weight", BACKEND);
  const up = gauge(register, "kindred_realserver_up", "1: takes new clients, or would with a weight", REALSERVER);
  const flows = gauge(register, "kindred_flows", "Open flows by what they are", [...REALSERVER, "role"]);
  // What is configured no more may share its labels with what came instead.
  active.inc(labels, one.active);
  inactive.inc(labels, one.inactive);
  const names = { service: service.name, realserver: one.realserver };
  traffic(register, names, one);
  for (const [role, count] of Object.entries(one.flows)) flows.inc({ ...names, role }, count);
  if (one.condition === "removed") return;
  weight.set(labels, one.weight);
  up.set(names, one.condition === "down" ? 0 : 1);
}

/** Of a path that counts packets. */
function traffic(register: Registry, names: Readonly<Record<string, string>>, { traffic }: RealserverState): void {
  if (traffic === undefined) return;
  const opened = counter(register, "kindred_realserver_connections_total", "Connections opened", REALSERVER);
  opened.inc(names, traffic.connections);
  const packets = counter(register, "kindred_realserver_packets_total", "Packets of IP, by their way", WAYS);
  const bytes = counter(register, "kindred_realserver_bytes_total", "Bytes of IP, by their way", WAYS);
  for (const way of ["original", "reply"] as const) {
    packets.inc({ ...names, way }, traffic.packets[way]);
    bytes.inc({ ...names, way }, traffic.bytes[way]);
  }
}

/** A service of several ports is one series, with all of them in its label: it counts its connections together. */
function backendLabels({ vip, ports }: ServiceState, { realserver }: RealserverState) {
  const parts = ports.map((text) => text.split("/") as [string, string]);
  const [address, port] = endOf(realserver);
  return {
    local_address: vip,
    local_port: [...new Set(parts.map(([, port]) => port))].join(","),
    remote_address: address,
    remote_port: port,
    proto: [...new Set(parts.map(([transport]) => transport.toUpperCase()))].join(","),
    local_mark: "",
  };
}

/** `192.0.2.1:21`, `[2001:db8::1]:21`, or an address alone, whose port is 0: that of the client's connection. */
export function endOf(realserver: string): readonly [address: string, port: string] {
  const bracket = realserver.indexOf("]:");
  if (bracket > 0) return [realserver.slice(1, bracket), realserver.slice(bracket + 2)];
  const parts = realserver.split(":");
  return parts.length === 2 ? [parts[0]!, parts[1]!] : [realserver.replace(/^\[|\]$/g, ""), "0"];
}

function relatedEntries(register: Registry, counts: Counts, waiting: readonly RelatedState[]): void {
  const announced = counter(register, "kindred_related_announced_total", "Connections announced, by kind", ["kind"]);
  for (const [kind, count] of bounded(group(counts, "expected"))) announced.inc({ kind }, count);
  const opened = counter(register, "kindred_related_opened_total", "Announced connections that came", ["kind"]);
  for (const [kind, count] of bounded(openedByKind(counts))) opened.inc({ kind }, count);
  const gone = counter(register, "kindred_related_gone_total", "Announced connections nobody opened", ["outcome"]);
  for (const outcome of GONE) gone.inc({ outcome }, counts[`related.${outcome}`] ?? 0);
  gauge(register, "kindred_related_waiting", "Announced connections that have not come yet").set(waiting.length);
}

function outcomes(register: Registry, counts: Counts): void {
  const refusals = counter(register, "kindred_refusals_total", "Refusals, by reason", ["reason"]);
  for (const [reason, count] of bounded(group(counts, "refused"))) refusals.inc({ reason }, count);
  const failed = counter(register, "kindred_realserver_refused_total", "Realservers that could not be connected to");
  failed.inc(counts["realserver-refused"] ?? 0);
  const connections = counter(register, "kindred_connections_total", "Connections opened by clients", ["role"]);
  for (const [role, count] of bounded(group(counts, "connections"))) connections.inc({ role }, count);
  const others = counter(register, "kindred_counter_total", "Each counter of GET /v1/counters", ["counter"]);
  for (const [name, count] of bounded(Object.entries(counts))) others.inc({ counter: name }, count);
}

type Named = readonly (readonly [name: string, count: number])[];

const sum = (named: Named): number => named.reduce((total, [, count]) => total + count, 0);

const group = (counts: Counts, of: string): Named =>
  Object.entries(counts)
    .filter(([name]) => name.startsWith(`${of}.`))
    .map(([name, count]) => [name.slice(of.length + 1), count] as const);

const openedByKind = (counts: Counts): Named => group(counts, "related").filter(([name]) => !GONE.has(name));

const bounded = (named: Named): Named =>
  named.map(([name, count], index) => [index < MOST_VALUES ? name : "other", count] as const);

const counter = (register: Registry, name: string, help: string, labelNames: readonly string[] = []): Counter =>
  (register.getSingleMetric(name) as Counter | undefined) ??
  new Counter({ name, help, labelNames: [...labelNames], registers: [register] });

const gauge = (register: Registry, name: string, help: string, labelNames: readonly string[] = []): Gauge =>
  (register.getSingleMetric(name) as Gauge | undefined) ??
  new Gauge({ name, help, labelNames: [...labelNames], registers: [register] });
