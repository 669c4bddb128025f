/**
 * Which of the connections in a capture are those that were announced: one whose listening side is the announced
 * endpoint, with a packet behind the announcement.
 */
import type { ObservedAnnouncement } from "../../core/inspect/observe.ts";
import { opposite, type PartialEndpoint } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import type { Control } from "./control.ts";
import { A, B, type End, type Flows, UNKNOWN } from "./flows.ts";
import { grouped } from "./grouped.ts";

/** An announcement with its ends filled in from the control connection. */
export interface Related {
  readonly control: Control;
  readonly observed: ObservedAnnouncement;
  readonly from: PartialEndpoint;
  readonly to: { readonly address: Address; readonly port: number };
  /** Where `to` really is, where it names no address (0.0.0.0). */
  readonly listener: Address;
  /** The row of the flow that it is, or -1. */
  flow: number;
  /** The flow is the control connection's own, from this frame on. */
  readonly own: number | null;
}

export function relatedOf(control: Control): Related[] {
  return control.announcements.map((observed) => {
    const { opener, from, to, anyone } = observed.announcement;
    const own = ownAddress(control, opposite(opener));
    const answered = control.answered(observed);
    const address = to.address ?? own;
    return {
      control,
      observed,
      from: { address: from.address ?? (anyone ? null : ownAddress(control, opener)), port: from.port },
      to: { address, port: to.port },
      listener: address.unspecified ? own : address,
      flow: answered === null ? -1 : control.row,
      own: answered,
    };
  });
}

/** Of what is said more than once about one thing (SIP: under one Call-ID), on whatever connection, the first. */
export function saidFirst(related: readonly Related[][]): Related[][] {
  const first = new Map<string, Related>();
  for (const one of related.flat()) {
    const key = identityOf(one);
    const known = key === null ? undefined : first.get(key);
    if (key !== null && (known === undefined || one.observed.frame < known.observed.frame)) first.set(key, one);
  }
  return related.map((own) => own.filter((one) => (first.get(identityOf(one) ?? "") ?? one) === one));
}

function identityOf({ observed: { announcement }, to }: Related): string | null {
  const { identity, kind } = announcement;
  return identity === undefined ? null : `${kind} ${to.address} ${to.port} ${identity}`;
}

const ownAddress = ({ client, server }: Control, side: "original" | "reply"): Address =>
  (side === "original" ? client : server).address;

/** Sets `flow` of each. One pass over the flows, whatever the number of announcements. */
export function matchFlows(related: readonly Related[], flows: Flows, controls: readonly Control[]): void {
  const byRow = new Map(controls.map((control) => [control.row, control]));
  const wanted = grouped(related, ({ to }) => to.port);
  if (wanted.size === 0) return;
  for (const row of flows.having(wanted.keys())) {
    for (const end of [A, B] as const) {
      const all = wanted.get(flows.port(row, end));
      if (all === undefined) continue;
      const control = byRow.get(row);
      const fitting = all.filter(
        (one) => fits(one, flows, row, end) && (control === undefined || speaksOf(one, control)),
      );
      const heirs = heirsOf(fitting, flows, row);
      for (const one of fitting) if (!isInherited(one, heirs, flows, row)) consider(one, flows, row);
    }
  }
}

function consider(one: Related, flows: Flows, row: number): void {
  if (one.flow < 0 || one.flow === one.control.row || rank(one, flows, row) > rank(one, flows, one.flow))
    one.flow = row;
}

/** Of those whose single connection `row` may be, the latest announced before it: in all, and of those from whom it comes. */
interface Heirs {
  readonly any: number;
  readonly expected: number;
}

function heirsOf(fitting: readonly Related[], flows: Flows, row: number): Heirs {
  let [any, expected] = [0, 0];
  if (fitting.length < 2) return { any, expected };
  const first = flows.firstFrame(row);
  for (const one of fitting) {
    const { frame } = one.observed;
    if (!isSingle(one) || frame >= first) continue;
    any = Math.max(any, frame);
    if (isExpected(one, flows, row)) expected = Math.max(expected, frame);
  }
  return { any, expected };
}

/** The same end was announced again before `row` began, to whom it is as good: what was announced first was in vain. */
function isInherited(one: Related, { any, expected }: Heirs, flows: Flows, row: number): boolean {
  if (!isSingle(one)) return false;
  return one.observed.frame < (isExpected(one, flows, row) ? expected : any);
}

/** A connection of TCP that is used up by being opened, whatever it is about. */
const isSingle = ({ observed: { announcement } }: Related): boolean =>
  announcement.transport === "tcp" && announcement.uses === 1 && announcement.about === undefined;

/**
 * Whether a control connection is what was announced: from whom it was, and about that. On one that broke before
 * anything was said it would have been.
 */
function speaksOf({ observed, from }: Related, { client, subjects }: Control): boolean {
  const { about } = observed.announcement;
  if (about === undefined) return true;
  if (from.address !== null && !client.address.equals(from.address)) return false;
  return subjects.size === 0 || subjects.has(about);
}

function fits({ control, observed, listener }: Related, flows: Flows, row: number, end: End): boolean {
  if (row === control.row || flows.isTcp(row) !== (observed.announcement.transport === "tcp")) return false;
  const listening = flows.listener(row);
  if (listening !== UNKNOWN && listening !== end) return false;
  return flows.hasAddress(row, end, listener) && flows.lastFrame(row) > observed.frame;
}

/**
 * The best of several: one that began behind the announcement, rather than one that goes on from before it; then one
 * that comes from where it was announced to; then the first. Rows are in the order of their first frames.
 */
function rank(one: Related, flows: Flows, row: number): number {
  const later = flows.firstFrame(row) > one.observed.frame;
  return (later ? 2 : 0) + (isExpected(one, flows, row) ? 1 : 0);
}

/** It comes from where it was announced to. */
function isExpected({ from }: Related, flows: Flows, row: number): boolean {
  const opener = flows.listener(row) === A ? B : A;
  return from.address !== null && flows.hasAddress(row, opener, from.address);
}
