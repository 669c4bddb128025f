/**
 * Control connections whose readers rest in words (core/helper/brief.ts), too: an ordinary segment is read and answered by
 * the row of its connection alone (control/rest-rows.ts), and no object that is the connection's own is looked at. Whatever
 * that is not enough for is left to the connection's `ControlFlow`, which comes to the same by the longer way.
 */
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import { MOST_WRITTEN, STATE_WORDS } from "../helper/api.ts";
import { offer, readBrief } from "../helper/run.ts";
import { type Meet, placed, placeOffer } from "../inspect/offering.ts";
import { OFFSETS, STATE } from "../inspect/stream-rows.ts";
import type { Direction, Ms, Port, Transport } from "../units.ts";
import { sumIn } from "../wire/checksum.ts";
import * as tcp from "../wire/tcp.ts";
import { canSay, hearAll, isOrdinary, oppositeOf, said, say, wayAt, windowDue } from "./control/ordinary.ts";
import { putLikeness, READER, RestPage } from "./control/rest-rows.ts";
import { UNSUMMED } from "./control/segment.ts";
import type { ControlPacket } from "./control-packet.ts";
import { likenessOf } from "./envelope.ts";
import { isIntactSegment } from "./intact.ts";
import type { Common } from "./read-connection.ts";
import type { Sent } from "./sent.ts";

const NO_PAGE = new RestPage();

/** What the helper knew before the packet that is looked at. */
const known = new Int32Array(STATE_WORDS);

/** What became of a packet. */
export const Rested = {
  /** Nothing: it is for the connection itself. */
  LEFT: 0,
  /** It was read and answered. */
  DONE: 1,
  /** That too, and the connection has to be flushed. */
  WINDOW_DUE: 2,
} as const;

export class Resting implements Meet {
  declare private readonly balancer: Balancer;
  declare private readonly common: Common;
  /** By row. */
  readonly #entries: (ConnectionEntry | null)[] = [null];
  /** Of the packet that is looked at: its row, and where that is. */
  #row = 0;
  #page = NO_PAGE;
  #place = 0;

  constructor(balancer: Balancer, common: Common) {
    this.balancer = balancer;
    this.common = common;
  }

  /** The connection `entry` has this row. */
  open(row: number, entry: ConnectionEntry): void {
    this.#entries[row] = entry;
  }

  close(row: number): void {
    this.#entries[row] = null;
  }

  /** A packet of flow `id`, whose connection has this row, if it has one: one of `Rested`. */
  readonly take = (
    id: number,
    row: number,
    direction: Direction,
    packet: ControlPacket,
    now: Ms,
    sent: Sent,
  ): number => {
    if (row === 0) return Rested.LEFT;
    const { store, envelope } = this.common;
    const page = store.rows.page(row);
    const place = store.rows.place(row);
    if (page.words[place + READER] === 0) return Rested.LEFT;
    const way = wayAt(place, direction);
    const back = oppositeOf(way);
    const { bytes, view, at, transport, end } = packet;
    if (!isOrdinary(page, way, back, bytes, transport, end)) return Rested.LEFT;
    const from = transport + tcp.headerLength(bytes, transport);
    const sum = sumIn(view, from, end);
    // A damaged packet must not become a whole one.
    if (!packet.partial && !isIntactSegment(view, at, transport, from, end, sum)) return Rested.LEFT;
    said.carry(view, from, end, sum);
    this.#row = row;
    this.#page = page;
    this.#place = place;
    if (from < end && !(canSay(page, way, end - from) && this.#read(way, direction, bytes, from, end, now))) {
      return Rested.LEFT;
    }
    const likeness = likenessOf(bytes, at);
    putLikeness(page, place, direction, likeness);
    hearAll(page, way, back, bytes, transport, end - from, now);
    say(page, way, back, now);
    envelope.segment(id, direction, likeness, said, sent);
    return windowDue(page, way) ? Rested.WINDOW_DUE : Rested.DONE;
  };

  meet(_row: number, transport: Transport, port: Port): Port | 0 {
    return this.common.placing.port(this.#entries[this.#row]!, transport, port);
  }

  /** Reads all of `[from, end)`, and knows what is to be said of it. False: that takes more than words, and nothing changed. */
  readonly #read = (
    way: number,
    direction: Direction,
    bytes: Uint8Array,
    from: number,
    end: number,
    now: Ms,
  ): boolean => {
    const { store } = this.common;
    const { words, doubles } = this.#page;
    const reader = store.helpers.at(words[this.#place + READER]!);
    const state = this.#place + STATE;
    copyState(words, state, known, 0);
    let at = from;
    let behind = from;
    while (at < end) {
      behind = readBrief(reader, bytes, at, end, direction, words, state);
      if (behind <= at || offer.form !== null) break;
      at = behind;
    }
    const length = at === end ? 0 : this.#offered(way, direction, from, at, behind, end, now);
    if (length < 0) {
      copyState(known, 0, words, state);
      return false;
    }
    if (length > 0) said.carry(placed.view, 0, length, UNSUMMED);
    doubles[(this.#place >> 1) + OFFSETS + (direction === "original" ? 0 : 1)]! += end - from;
    return true;
  };

  /**
   * Carries out what `[at, behind)` offers, which must be the last that is said: the length of what `placed` has to say. -1:
   * that takes more than words; or there is no message, and no offer.
   */
  readonly #offered = (
    way: number,
    direction: Direction,
    from: number,
    at: number,
    behind: number,
    end: number,
    now: Ms,
  ): number => {
    const { store, counters, told } = this.common;
    const { form } = offer;
    if (behind !== end || form?.says !== "offer" || direction !== "reply") return -1;
    if (told.explain !== undefined || told.placed !== undefined) return -1;
    if (!canSay(this.#page, way, end - from + MOST_WRITTEN)) return -1;
    // Of what is nothing but an offer, nothing may be left to be said.
    if (from === at && offer.end - offer.start === end - at) return -1;
    const { limits } = store.helpers.at(this.#page.words[this.#place + READER]!);
    const length = placeOffer(this.balancer, this.#entries[this.#row]!, limits, this, said.view, from, at, end, now);
    if (length > 0) counters.countOf("expected", form.kind);
    return length;
  };
}

/** `STATE_WORDS` of them: a loop takes longer than it does. */
function copyState(from: Int32Array, at: number, to: Int32Array, place: number): void {
  to[place] = from[at]!;
  to[place + 1] = from[at + 1]!;
  to[place + 2] = from[at + 2]!;
  to[place + 3] = from[at + 3]!;
}
