/**
 * One TCP control connection on packets. Nearly always it is at rest: a row of numbers (rest-rows.ts), with which an
 * ordinary segment takes a short way (ordinary.ts), and where its helper is brief, one that needs nothing but the row
 * (core/engine/resting.ts). Whatever else comes wakes it: a `Machine` takes it in, until nothing is
 * to be put in order, waited for or repeated, and the connection is a row again. When the reader has let go of it and all
 * that it changed is delivered, constant shifts will do: `transparent`.
 */
import type { RelatedEntry } from "../../flow/related.ts";
import {
  type BriefHost,
  type ControlHost,
  type ControlOptions,
  ControlStream,
  type Decision,
} from "../../inspect/control.ts";
import type { Direction, Endpoint, Ms, Port, Transport } from "../../units.ts";
import * as tcp from "../../wire/tcp.ts";
import { BriefHelpers, NOT_BRIEF } from "./brief-helpers.ts";
import type { Reader } from "./intake.ts";
import { Machine } from "./machine.ts";
import { canSay, hearAll, isOrdinary, oppositeOf, said, say, wayAt, windowDue } from "./ordinary.ts";
import { READER, type RestPage, RestRows } from "./rest-rows.ts";
import type { Shift } from "./shift.ts";
import type { ControlSink } from "./speaker.ts";
import { Spoken } from "./spoken.ts";

export type { ControlSink } from "./speaker.ts";

const NEVER = Number.POSITIVE_INFINITY as Ms;
const MOST_IDLE = 16;
/** In a row's READER. */
const AWAKE = 0;

/** What is left to whoever runs the connection. */
export type FlowHost = Pick<ControlHost, "prepare" | "explain"> & Partial<BriefHost>;

export interface ControlFlowOptions extends Omit<ControlOptions, "host"> {
  readonly host: FlowHost;
  /** False: ordinary segments go the general way too, to compare the two. */
  readonly short?: boolean;
}

/** What the control connections of one host share. */
export class FlowStore {
  readonly rows = new RestRows();
  readonly spoken = new Spoken();
  readonly helpers = new BriefHelpers();
  readonly #idle: Machine[] = [];

  /** A machine that nobody uses. */
  machine(reader: Reader): Machine {
    return this.#idle.pop() ?? new Machine(reader);
  }

  giveBack(machine: Machine): void {
    if (this.#idle.length < MOST_IDLE) this.#idle.push(machine);
  }
}

export class ControlFlow implements ControlHost, BriefHost, Reader {
  readonly stream: ControlStream;
  readonly sink: ControlSink;
  failed = false;
  readonly brief: BriefHost | null;
  readonly #host: FlowHost;
  readonly #store: FlowStore;
  readonly #short: boolean;
  /** null: at rest. */
  #machine: Machine | null;
  /** The connection's, from the start until it is closed. */
  readonly row: number;
  readonly #page: RestPage;
  /** Where the row begins in its page's words. */
  readonly #place: number;
  /** Of the helper, among those that are brief. */
  readonly #number: number;

  constructor(reading: ControlFlowOptions, sink: ControlSink, store = new FlowStore()) {
    this.#host = reading.host;
    this.brief = reading.host.meet === undefined ? null : this;
    this.sink = sink;
    this.#store = store;
    this.#short = reading.short ?? true;
    this.stream = new ControlStream({ ...reading, host: this });
    this.#machine = new Machine(this);
    this.row = store.rows.add();
    this.#page = store.rows.page(this.row);
    this.#place = store.rows.place(this.row);
    this.#number = store.helpers.take(reading.helper);
  }

  /** Nothing is heard of the connection any more. */
  close(): void {
    this.#store.rows.remove(this.row);
    this.#store.helpers.giveBack(this.#number);
  }

  /** A segment of the connection, whose header is at `at`, and which ends at `end`. The header was checked. */
  segment(direction: Direction, bytes: Uint8Array, at: number, end: number, now: Ms): void {
    this.#wakeStream();
    if (this.#machine !== null || !this.#ordinary(direction, bytes, at, end, now)) {
      this.#awake().segment(direction, bytes, at, end, now, null);
    }
    this.#rest();
  }

  /** The host's answer to `prepare`; see ControlStream. */
  prepared(entry: RelatedEntry, seen: Endpoint | null, now: Ms): void {
    if (this.#machine === null) this.stream.prepared(entry, seen, now);
    else {
      this.#machine.prepared(entry, seen, now);
      this.#rest();
    }
  }

  /** When `advance` has something to do; Infinity: never. */
  get deadline(): Ms {
    return this.#machine === null ? NEVER : this.#machine.deadline;
  }

  advance(now: Ms): void {
    if (this.#machine === null) return;
    this.#machine.advance(now);
    this.#rest();
  }

  /** Nothing is read, kept or waited for any more: `shift` says all that segments need from here on. */
  get transparent(): boolean {
    return this.#machine?.transparent === true;
  }

  /** How segments that go `direction` change once the flow is transparent. */
  shift(direction: Direction): Shift {
    return this.#awake().shift(direction);
  }

  /** The sender's own number for what went `direction` as `sequence`. */
  quoted(direction: Direction, sequence: number): number {
    const quoted = this.#awake().quoted(direction, sequence);
    this.#rest();
    return quoted;
  }

  /** Whether what went `direction` as `sequence` may be on its way still. */
  isInFlight(direction: Direction, sequence: number): boolean {
    const inFlight = this.#awake().isInFlight(direction, sequence);
    this.#rest();
    return inFlight;
  }

  /** The path to the receiver of `direction` carries no more than this much payload in a segment. */
  limitSegments(direction: Direction, room: number): void {
    this.#awake().limitSegments(direction, room);
    this.#rest();
  }

  /** Both ends are told that the connection is no more. */
  end(now: Ms): void {
    this.#awake().end(now);
  }

  /** What was said while it was at rest leaves its sender too little room: he is told of more. */
  flush(): void {
    this.#awake().flush();
    this.#rest();
  }

  // --- as host of the reader --------------------------------------------------------------------------------------------

  forward(direction: Direction, bytes: Uint8Array): void {
    this.append(direction, bytes, 0, bytes.length);
  }

  append(direction: Direction, bytes: Uint8Array, start: number, end: number): void {
    if (this.#machine === null) this.#store.spoken.append(direction, bytes, start, end);
    else this.#machine.outbound(direction).append(bytes, start, end);
  }

  prepare(entry: RelatedEntry, answered: RelatedEntry | null, before: RelatedEntry | null): void {
    this.#host.prepare(entry, answered, before);
  }

  meet(transport: Transport, port: Port): Port | 0 {
    return this.#host.meet!(transport, port);
  }

  placed(row: number, port: Port): void {
    this.#host.placed?.(row, port);
  }

  count(outcome: Decision["outcome"], reason: string): boolean {
    return this.#host.count?.(outcome, reason) === true;
  }

  explain(decision: Decision): void {
    this.#host.explain(decision);
  }

  /** Both ends are told once the reader has returned. */
  abort(): void {
    this.failed = true;
  }

  // --- ordinary segments ------------------------------------------------------------------------------------------------

  /** False: the segment is not ordinary. */
  #ordinary(direction: Direction, bytes: Uint8Array, at: number, end: number, now: Ms): boolean {
    const page = this.#page;
    const way = wayAt(this.#place, direction);
    const back = oppositeOf(way);
    const { spoken } = this.#store;
    const view = spoken.viewOf(bytes);
    if (!isOrdinary(page, way, back, bytes, view, at, end)) return false;
    const from = at + tcp.headerLength(bytes, at);
    if (from < end) {
      spoken.begin(direction, bytes);
      this.stream.feed(direction, bytes, now, from, end);
      if (!this.#canSay(page, way)) {
        this.#awake().segment(direction, bytes, at, end, now, spoken);
        spoken.clear();
        return true;
      }
    }
    hearAll(page, way, back, bytes, view, at, end - from, now);
    spoken.put(said);
    say(page, way, back, now);
    this.sink.emit(direction, said);
    spoken.clear();
    if (windowDue(page, way)) this.#awake().flush();
    return true;
  }

  /** All that was read is dealt with, and what became of it can be said in one segment. */
  #canSay(page: RestPage, way: number): boolean {
    const { spoken } = this.#store;
    return !this.failed && this.stream.quiet && !spoken.both && canSay(page, way, spoken.length);
  }

  // --- waking, and coming to rest ---------------------------------------------------------------------------------------

  #awake(): Machine {
    this.#wakeStream();
    if (this.#machine !== null) return this.#machine;
    const machine = this.#store.machine(this);
    machine.wake(this, this.#page, this.#place);
    this.#machine = machine;
    return machine;
  }

  #wakeStream(): void {
    const { words } = this.#page;
    if (words[this.#place + READER] === AWAKE) return;
    words[this.#place + READER] = AWAKE;
    this.stream.wake(this.#page, this.#place);
  }

  #rest(): void {
    if (!this.#short) return;
    const machine = this.#machine;
    if (machine !== null) {
      if (!machine.still) return;
      machine.rest(this.#page, this.#place);
      this.#machine = null;
      this.#store.giveBack(machine);
    }
    if (this.#number !== NOT_BRIEF && this.stream.rest(this.#page, this.#place)) {
      this.#page.words[this.#place + READER] = this.#number;
    }
  }
}
