/** The machine itself between the ends. */
import { ControlFlow } from "../../../../core/engine/control/flow.ts";
import { lengthOf, type Segment, writeSegment } from "../../../../core/engine/control/segment.ts";
import type { RelatedEntry } from "../../../../core/flow/related.ts";
import type { Decision } from "../../../../core/inspect/control.ts";
import { type Direction, type Endpoint, type Ms, port } from "../../../../core/units.ts";
import { viewOf } from "../../../../core/wire/bytes.ts";
import { pseudoHeaderSum } from "../../../../core/wire/checksum.ts";
import * as tcp from "../../../../core/wire/tcp.ts";
import { CLIENT } from "../../../conversation.ts";
import type { Clock } from "./clock.ts";
import type { Dialogue, Ends } from "./dialogues.ts";
import { balancerFor, ftp, type MakeMiddle, type Middle, type Place, type Setting, told } from "./talk.ts";
import { sumsUp } from "./wire.ts";

const ADDRESSES = Uint8Array.of(10, 0, 0, 5, 192, 168, 0, 2);

/** Another port at the VIP, or at the director's own end; sometimes nothing. So texts get longer and shorter. */
export const elsewhere =
  ({ director, vip }: Ends): Place =>
  ({ opener, target }) => {
    if (target.port % 11 === 0) return null;
    const shifted = port(1024 + ((target.port * 7) % 60_000));
    return opener === "original" ? { address: vip, port: shifted } : { address: director, port: shifted };
  };

class Machine implements Middle {
  readonly decisions: string[] = [];
  readonly #flow: ControlFlow;
  readonly #clock: Clock;
  readonly #emit: (direction: Direction, segment: Uint8Array) => void;

  constructor(
    { ends }: Dialogue,
    { hostDelay }: Setting,
    clock: Clock,
    emit: (direction: Direction, segment: Uint8Array) => void,
    changed: () => void,
    short: boolean,
  ) {
    this.#clock = clock;
    this.#emit = emit;
    const balancer = balancerFor(ends);
    const entry = balancer.admit("tcp", CLIENT, { address: ends.vip, port: port(21) }, 0 as Ms);
    if (typeof entry === "string") throw new Error(entry);
    const place = elsewhere(ends);
    const answer = (related: RelatedEntry, seen: Endpoint | null) =>
      this.#flow.prepared(related, seen, clock.now as Ms);
    const prepare = (related: RelatedEntry) => {
      if (hostDelay === 0) answer(related, place(related));
      else clock.at(clock.random() * hostDelay, () => answerLate(related));
    };
    const answerLate = (related: RelatedEntry) => {
      answer(related, place(related));
      changed();
    };
    const settings = { strict: false, hold: ftp.limits.hold };
    const host = { prepare, explain: (decision: Decision) => this.decisions.push(told(decision)) };
    this.#flow = new ControlFlow(
      { helper: ftp, settings, entry, balancer, host, onRefuse: "refuse", onFailure: "open", short },
      { emit: (direction, segment) => this.#write(direction, segment), reject: () => {} },
    );
  }

  get deadline(): number {
    return this.#flow.deadline;
  }

  /** It is read from the middle of an arena that is used again. */
  arrive(direction: Direction, segment: Uint8Array): void {
    const arena = new Uint8Array(segment.length + 6);
    arena.set(segment, 3);
    this.#flow.segment(direction, arena, 3, 3 + segment.length, this.#clock.now as Ms);
    arena.fill(0);
  }

  advance(): void {
    this.#flow.advance(this.#clock.now as Ms);
  }

  #write(direction: Direction, segment: Segment): void {
    const arena = new Uint8Array(8 + lengthOf(segment));
    arena.set(ADDRESSES);
    const pseudo = pseudoHeaderSum(ADDRESSES, 0, 8, tcp.PROTOCOL, lengthOf(segment));
    const end = writeSegment(segment, (40000 << 16) | 21, pseudo, viewOf(arena), 8);
    if (end !== arena.length) throw new Error("a segment has another length than announced");
    const bytes = arena.subarray(8);
    if (!sumsUp(ADDRESSES, bytes)) throw new Error("a checksum is wrong");
    this.#emit(direction, bytes);
  }
}

export const machine: MakeMiddle = (...given) => new Machine(...given, true);

/** `short`: whether ordinary segments may go the short way. What it sends is noted in `trace`, as text. */
export const traced =
  (short: boolean, trace: string[]): MakeMiddle =>
  (dialogue, setting, clock, emit, changed) => {
    const note = (direction: Direction, segment: Uint8Array): void => {
      trace.push(`${clock.now} ${direction} ${segment.join(" ")}`);
      emit(direction, segment);
    };
    return new Machine(dialogue, setting, clock, note, changed, short);
  };
