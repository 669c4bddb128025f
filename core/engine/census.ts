/**
 * The engine's flows as values, for who asks what there is. A table may have a million rows, and packets wait meanwhile:
 * whoever looks at all of them does so in pieces, and flows come and go in between.
 */
import { IPV6, KEY } from "../flow/key.ts";
import * as rows from "../flow/rows.ts";
import { State } from "../flow/tcp-state.ts";
import type { Endpoint, Transport } from "../units.ts";
import type { Address } from "../wire/address.ts";
import * as tcp from "../wire/tcp.ts";
import { addRow, addTraffic, type FlowRole, noTraffic, ROLE_MASK, ROLES, type Traffic } from "./account.ts";
import type { Destination } from "./destinations.ts";
import { destination, source, transportOf } from "./ends.ts";
import type { Flows } from "./flows.ts";

/** Rows that are looked at in one piece: about as much work as a batch of packets. */
const PIECE = 256;

/** An open flow. */
export interface FlowView {
  /** Stale once it is over. */
  readonly handle: number;
  readonly transport: Transport;
  readonly role: FlowRole;
  readonly client: Endpoint;
  readonly virtual: Endpoint;
  readonly real: Endpoint;
  readonly to: Destination;
  /** The handle of its control connection. */
  readonly control: number | null;
}

/** Ids of the flows from `first` on, those of a piece at a time. */
export function* flowIds({ table }: Flows, first: number): Generator<readonly number[]> {
  for (let from = Math.max(1, first); from < table.bound; from += PIECE) {
    const ids: number[] = [];
    for (let id = from; id < Math.min(from + PIECE, table.bound); id++) if (table.has(id)) ids.push(id);
    yield ids;
  }
}

/** What a realserver carries, and has carried. */
export interface Carried {
  readonly traffic: Traffic;
  /** Its open connections. Those that only wait until nothing of them can come any more are none. */
  readonly flows: Record<FlowRole, number>;
}

/** As of now. A flow that ends between two pieces may be missed, this once. */
export function* carriedBy(flows: Flows): Generator<undefined, ReadonlyMap<Destination, Carried>> {
  const all = new Map<Destination, Carried>();
  for (const to of flows.destinations()) {
    const traffic = noTraffic();
    addTraffic(traffic, to.account.ended);
    all.set(to, { traffic, flows: { control: 0, related: 0, data: 0, plain: 0 } });
  }
  for (const ids of flowIds(flows, 1)) {
    for (const id of ids) {
      const carried = all.get(flows.destinationOf(id));
      if (carried === undefined) continue;
      addRow(carried.traffic, flows.table.rows, id << rows.ROW_SHIFT);
      if (!OVER.includes(flows.table.state(id))) carried.flows[roleOf(flows, id)]++;
    }
    yield;
  }
  return all;
}

const OVER: readonly number[] = [State.TIME_WAIT, State.CLOSE];

/** Flow `id`, which there is. The handle of one that the balancer has an entry of is that entry's. */
export function viewFlow(flows: Flows, id: number): FlowView {
  const { table } = flows;
  const keys = new Int32Array(2 * KEY);
  rows.keyOf(table.rows, table.prefixes, id, rows.ORIGINAL, keys, 0);
  rows.keyOf(table.rows, table.prefixes, id, rows.REPLY, keys, KEY);
  const entry = flows.entry(id);
  return {
    handle: entry?.handle ?? table.handle(id),
    transport: transportOf(keys, 0),
    role: roleOf(flows, id),
    client: source(keys, 0),
    virtual: destination(keys, 0),
    real: source(keys, KEY),
    to: flows.destinationOf(id),
    control: entry?.master ?? null,
  };
}

export function roleOf({ table }: Flows, id: number): FlowRole {
  return NAMES[marksOf(table.rows, id) & ROLE_MASK]!;
}

/** By mark. */
const NAMES: Readonly<Record<number, FlowRole>> = Object.fromEntries(
  Object.entries(ROLES).map(([name, mark]) => [mark, name as FlowRole]),
);

const marksOf = (table: Int32Array, id: number): number =>
  table[(id << rows.ROW_SHIFT) + rows.KIND]! >>> rows.MARKS_SHIFT;

export const isTcp = ({ table }: Flows, id: number): boolean =>
  (table.rows[(id << rows.ROW_SHIFT) + rows.KIND]! & 0xff) === tcp.PROTOCOL;

/** Whether the client of flow `id` is `address`; nothing is made to find out. */
export function isClient({ table }: Flows, id: number, { family, words }: Address): boolean {
  const row = id << rows.ROW_SHIFT;
  if (table.rows[row + rows.CLIENT] !== (words[3] | 0)) return false;
  const isIpv6 = (table.rows[row + rows.KIND]! & IPV6) !== 0;
  if (isIpv6 !== (family === 6)) return false;
  const base = id * rows.PREFIXES + rows.CLIENT_PREFIX;
  return !isIpv6 || [0, 1, 2].every((i) => table.prefixes[base + i] === (words[i]! | 0));
}
