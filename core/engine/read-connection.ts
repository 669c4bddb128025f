/**
 * One connection that is read: its reader, and what the reader asks for. Related entries are placed at once; segments and
 * datagrams get their IP header.
 */
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import type { RelatedEntry } from "../flow/related.ts";
import type { Settings } from "../helper/api.ts";
import type { OnFailure } from "../helper/run.ts";
import { type ControlHost, ControlStream, type Decision } from "../inspect/control.ts";
import type { Counters } from "../metrics.ts";
import type { Service } from "../service.ts";
import type { Direction, Endpoint, Ms, Port, Transport } from "../units.ts";
import * as tcp from "../wire/tcp.ts";
import { ControlFlow, type ControlSink, type FlowStore } from "./control/flow.ts";
import type { ControlReason } from "./control/reason.ts";
import { likenessIn, putLikeness } from "./control/rest-rows.ts";
import type { Segment } from "./control/segment.ts";
import { type Shift, sameShift } from "./control/shift.ts";
import { type Envelope, likenessOf, NO_LIKENESS } from "./envelope.ts";
import { adjoins, join, type Placing } from "./placing.ts";
import type { Sent } from "./sent.ts";

/** How the control connections of a service are read. */
export interface Reading {
  readonly settings: Settings;
  readonly onRefuse: "refuse" | "forward";
  readonly onFailure: OnFailure;
}

export interface ControlsOptions {
  readonly reading?: (service: Service) => Reading;
  /** Told of every decision, as far as `hears` says so. */
  readonly explain?: (decision: Decision, control: ConnectionEntry) => void;
  /** Whether decisions that come out so are told; the others are counted only, and nothing is made for them. Absent: all are. */
  readonly hears?: (outcome: Decision["outcome"]) => boolean;
  /** False: segments of control connections always go the general way, to compare it with the others. */
  readonly short?: boolean;
  /** Told of each related entry that is in place at `seen`, before what announced it goes on. */
  readonly placed?: (entry: RelatedEntry, seen: Endpoint) => void;
}

/** Of all connections that are read. */
export interface Common {
  readonly counters: Counters;
  readonly placing: Placing;
  readonly envelope: Envelope;
  readonly store: FlowStore;
  readonly told: Pick<ControlsOptions, "explain" | "hears" | "placed" | "short">;
  /** Told of a flow whose connection was reset. */
  readonly over: (id: number) => void;
  /** Where packets go, and the time; of the call that is running. */
  sent: Sent | null;
  now: Ms;
}

/** Whether somebody is to be told of decisions that come out so. */
export const isHeard = ({ told: { explain, hears } }: Common, outcome: Decision["outcome"]): boolean =>
  explain !== undefined && hears?.(outcome) !== false;

export class ReadConnection implements ControlHost, ControlSink {
  readonly flow: ControlFlow | null;
  /** Of datagrams. */
  readonly stream: ControlStream | null;
  /** Not read any more: what its segments need, by direction. */
  shifts: readonly [Shift, Shift] | null = null;
  /** Nothing was changed in it while it was read. */
  plain = false;
  /** It was reset from here. */
  reset = false;
  /** It is among those that wait. */
  waiting = false;
  readonly #id: number;
  /** Among the rows of control connections, where it keeps what its packets are like. */
  readonly row: number;
  readonly #entry: ConnectionEntry;
  readonly #common: Common;
  /** Where the entry that was prepared last is met. */
  #given: Endpoint | null = null;

  constructor(id: number, entry: ConnectionEntry, balancer: Balancer, reading: Reading, common: Common) {
    this.#id = id;
    this.#entry = entry;
    this.#common = common;
    const { settings, onRefuse, onFailure } = reading;
    const helper = entry.service.spec.helper!;
    const { short = true } = common.told;
    const options = { helper, settings, onRefuse, onFailure, entry, balancer, host: this, short };
    const segments = entry.transport === "tcp";
    this.flow = segments ? new ControlFlow(options, this, common.store) : null;
    this.stream = segments ? null : new ControlStream(options);
    const { rows } = common.store;
    this.row = this.flow?.row ?? rows.add();
    putLikeness(rows.page(this.row), rows.place(this.row), "original", NO_LIKENESS);
    putLikeness(rows.page(this.row), rows.place(this.row), "reply", NO_LIKENESS);
  }

  /** A packet that goes `direction` came: those sent in its place are like it. */
  note(direction: Direction, bytes: Uint8Array, at: number): void {
    const { rows } = this.#common.store;
    putLikeness(rows.page(this.row), rows.place(this.row), direction, likenessOf(bytes, at));
  }

  /** Nothing is heard of it any more. */
  close(): void {
    if (this.flow === null) this.#common.store.rows.remove(this.row);
    else this.flow.close();
  }

  /** Whether it need not be read any more, and how its segments change from here on, if they do. */
  letGo(): void {
    const { flow } = this;
    if (flow?.transparent !== true) return;
    this.shifts = [flow.shift("original"), flow.shift("reply")];
    this.plain = this.shifts.every(sameShift);
  }

  #likeness(direction: Direction): number {
    const { rows } = this.#common.store;
    return likenessIn(rows.page(this.row), rows.place(this.row), direction);
  }

  // --- as host --------------------------------------------------------------------------------------------------------

  forward(direction: Direction, bytes: Uint8Array): void {
    const { envelope, sent } = this.#common;
    envelope.datagram(this.#id, direction, this.#likeness(direction), bytes, sent!);
  }

  prepare(related: RelatedEntry, answered: RelatedEntry | null, before: RelatedEntry | null): void {
    const { placing, told, now } = this.#common;
    if (answered !== null) join(related, answered);
    const below = before !== null && adjoins(before, related) ? this.#given : null;
    const seen = placing.find(this.#entry, related, below, answered);
    this.#given = seen;
    if (seen !== null) told.placed?.(related, seen);
    (this.flow ?? this.stream!).prepared(related, seen, now);
  }

  meet(transport: Transport, offered: Port): Port | 0 {
    return this.#common.placing.port(this.#entry, transport, offered);
  }

  placed(row: number, port: Port): void {
    const { placing, told } = this.#common;
    told.placed?.(placing.offered(row), { address: this.#entry.virtual.address, port });
  }

  count(outcome: Decision["outcome"], reason: string): boolean {
    if (isHeard(this.#common, outcome)) return false;
    this.#common.counters.countOf(outcome, reason);
    return true;
  }

  explain(decision: Decision): void {
    const { counters, told } = this.#common;
    counters.countOf(decision.outcome, decision.reason);
    if (isHeard(this.#common, decision.outcome)) told.explain!(decision, this.#entry);
  }

  /** Of datagrams nothing is left to be ended. */
  abort(): void {}

  // --- as sink --------------------------------------------------------------------------------------------------------

  emit(direction: Direction, segment: Segment): void {
    const { envelope, sent } = this.#common;
    envelope.segment(this.#id, direction, this.#likeness(direction), segment, sent!);
    if ((segment.flags & tcp.RST) === 0) return;
    this.reset = true;
    this.#common.over(this.#id);
  }

  reject(_direction: Direction, reason: ControlReason): void {
    this.#common.counters.count(`control.${reason}`);
  }
}
