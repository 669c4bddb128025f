/**
 * Flows that need more than translation. They have a mark in their row, and one mask finds it, so that nobody else pays
 * for them:
 *
 *   read       a control connection: its packets go to who reads it (controls.ts), and what goes on is of his making
 *   direct     translated as far as that changes anything, and left to the host to send to the realserver
 *   tunnel     the same, in a packet to the realserver; or refused with the size that would fit
 */
import * as rows from "../flow/rows.ts";
import type { FlowTable } from "../flow/table.ts";
import { REPLIES_UNSEEN, State } from "../flow/tcp-state.ts";
import type { Ms } from "../units.ts";
import { type Batch, NEEDS_CSUM, type Output, Verdict } from "./batch.ts";
import { ControlPacket } from "./control-packet.ts";
import { type Controls, Taken } from "./controls.ts";
import { DIRECT, type Flows, READ, TUNNEL, REPLIES_UNSEEN as UNSEEN } from "./flows.ts";
import type { Forwarding } from "./forwarding.ts";
import { Reason } from "./reason.ts";
import { AT, END, Kind, type Stage, TRANSPORT, WHAT } from "./stage.ts";
import type { Translation } from "./translation.ts";

const { KIND, MARKS_SHIFT, ORIGINAL, REPLY, ROW_SHIFT } = rows;
export const READ_MARK = READ << MARKS_SHIFT;
const TUNNEL_MARK = TUNNEL << MARKS_SHIFT;

/** In a row's KIND: of the flows that this is about, and of those whose state goes by `machine`. */
export const SPECIAL_MARKS = (READ | DIRECT | TUNNEL) << MARKS_SHIFT;
export const UNSEEN_MARK = UNSEEN << MARKS_SHIFT;

export class SpecialFlows {
  declare private readonly table: FlowTable;
  declare private readonly flows: Flows;
  declare private readonly controls: Controls;
  declare private readonly forwarding: Forwarding;
  declare private readonly translation: Translation;
  declare private readonly stage: Stage;
  readonly #packet = new ControlPacket();

  constructor(flows: Flows, controls: Controls, forwarding: Forwarding, translation: Translation, stage: Stage) {
    this.table = flows.table;
    this.flows = flows;
    this.controls = controls;
    this.forwarding = forwarding;
    this.translation = translation;
    this.stage = stage;
  }

  /** Packet `i`, or a first fragment, of the flow `found`, which is in state `next` with it. Returns the reason. */
  pass(batch: Batch, i: number, place: number, found: number, next: number, now: Ms, out: Output): number {
    const id = found >>> 1;
    const kind = this.table.rows[(id << ROW_SHIFT) + KIND]!;
    const { places } = this.stage;
    const length = places[place + END]! - places[place + AT]!;
    if ((kind & READ_MARK) !== 0) {
      if (places[place + WHAT] === Kind.FRAGMENT && this.controls.reads(id)) return gather(i, out);
      if (this.#take(batch, i, place, found, next, now, out)) return Reason.CONTROL;
    }
    if ((found & 1) === ORIGINAL && (kind & TUNNEL_MARK) !== 0) {
      const objection = this.forwarding.objection(batch, i, this.forwarding.numberOf(id), length, out);
      if (objection !== 0) return objection;
    }
    this.flows.enter(id, next);
    this.translation.packet(batch, i, place, found);
    return this.forwarding.send(batch, i, found, length, out);
  }

  /** The machine that goes by what is seen: replies of flow `id` may take another way, until one came by. */
  machine(id: number, direction: number): number {
    if (direction === ORIGINAL) return REPLIES_UNSEEN;
    this.table.rows[(id << ROW_SHIFT) + KIND]! &= ~UNSEEN_MARK;
    return REPLY;
  }

  /** The packet goes to who reads its connection. False: nobody does any more, and it goes on. */
  readonly #take = (
    batch: Batch,
    i: number,
    place: number,
    found: number,
    next: number,
    now: Ms,
    out: Output,
  ): boolean => {
    const { places } = this.stage;
    const id = found >>> 1;
    const packet = this.#packet;
    packet.bytes = batch.bytes;
    packet.view = batch.view;
    packet.at = places[place + AT]!;
    packet.transport = places[place + TRANSPORT]!;
    packet.end = places[place + END]!;
    packet.partial = (batch.offload[i]! & NEEDS_CSUM) !== 0;
    const direction = (found & 1) === ORIGINAL ? "original" : "reply";
    const taken = this.controls.take(id, direction, packet, now, out.sent);
    if (taken === Taken.PLAIN) this.flows.unread(id);
    if (taken <= Taken.SHIFTED) return false;
    this.translation.count(place, found);
    out.verdict[i] = Verdict.TAKEN;
    if (taken === Taken.RESET) return true;
    const state = this.table.state(id);
    if (next === State.ESTABLISHED && state === next) {
      this.table.refresh(id, next);
      return true;
    }
    // What it offers is placed before its connection is in a state that silences it.
    if (this.controls.unsettled) this.controls.settle(now, out.sent);
    // A RST that was not believed changes nothing; nor does anything after a reset from here.
    const after = this.table.state(id);
    this.flows.enter(id, next === State.CLOSE || after !== state ? after : next);
    return true;
  };
}

/** Packet `i` is held until its datagram is known, or whole. Returns the reason. */
export function gather(i: number, out: Output): number {
  out.verdict[i] = Verdict.TAKEN;
  return Reason.FRAGMENT_HELD;
}
