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
import * as tcp from "../wire/tcp.ts";
import { canSay, hearAll, isOrdinary, oppositeOf, say, wayAt, windowDue } from "./control/ordinary.ts";
import { likenessIn, putLikeness, READER, RestPage } from "./control/rest-rows.ts";
import type { Segment } from "./control/segment.ts";
import type { ControlPacket } from "./control-packet.ts";
import { likenessOf } from "./envelope.ts";
import { isIntact } from "./intact.ts";
import type { Common } from "./read-connection.ts";
import type { Sent } from "./sent.ts";

const NO_PAGE = new RestPage();

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
  readonly #balancer: Balancer;
  readonly #common: Common;
  /** By row. */
  readonly #entries: (ConnectionEntry | null)[] = [null];
  /** Of the packet that is looked at: its flow, its row and where that is, and where what is sent goes. */
  #id = 0;
  #row = 0;
  #page = NO_PAGE;
  #place = 0;
  #sent: Sent | null = null;
  /** What is said of it. */
  #view: DataView = NO_PAGE.view;
  #start = 0;
  #end = 0;
  /** What its helper knew before it. */
  readonly #known = new Int32Array(STATE_WORDS);

  constructor(balancer: Balancer, common: Common) {
    this.#balancer = balancer;
    this.#common = common;
  }

  /** The connection `entry` has this row. */
  open(row: number, entry: ConnectionEntry): void {
    this.#entries[row] = entry;
  }

  close(row: number): void {
    this.#entries[row] = null;
  }

  /** A packet of flow `id`, whose connection has this row, if it has one: one of `Rested`. */
  take(id: number, row: number, direction: Direction, packet: ControlPacket, now: Ms, sent: Sent): number {
    if (row === 0) return Rested.LEFT;
    const { rows } = this.#common.store;
    const page = rows.page(row);
    const place = rows.place(row);
    if (page.words[place + READER] === 0) return Rested.LEFT;
    const way = wayAt(place, direction);
    const back = oppositeOf(way);
    const { bytes, at, transport, end } = packet;
    if (!isOrdinary(page, way, back, bytes, transport, end) || !isWhole(packet)) return Rested.LEFT;
    this.#id = id;
    this.#row = row;
    this.#page = page;
    this.#place = place;
    this.#sent = sent;
    const from = transport + tcp.headerLength(bytes, transport);
    this.#view = packet.view;
    this.#start = from;
    this.#end = end;
    if (from < end && !(canSay(page, way, end - from) && this.#read(way, direction, bytes, from, end, now))) {
      return Rested.LEFT;
    }
    putLikeness(page, place, direction, likenessOf(bytes, at));
    hearAll(page, way, back, bytes, transport, end - from, now);
    say(page, way, back, direction, this, now, this);
    return windowDue(page, way) ? Rested.WINDOW_DUE : Rested.DONE;
  }

  put(segment: Segment): void {
    segment.view = this.#view;
    segment.start = this.#start;
    segment.end = this.#end;
  }

  emit(direction: Direction, segment: Segment): void {
    const likeness = likenessIn(this.#page, this.#place, direction);
    this.#common.envelope.segment(this.#id, direction, likeness, segment, this.#sent!);
  }

  meet(_row: number, transport: Transport, port: Port): Port | 0 {
    return this.#common.placing.port(this.#entries[this.#row]!, transport, port);
  }

  /** Reads all of `[from, end)`, and knows what is to be said of it. False: that takes more than words, and nothing changed. */
  #read(way: number, direction: Direction, bytes: Uint8Array, from: number, end: number, now: Ms): boolean {
    const { store } = this.#common;
    const { words, doubles } = this.#page;
    const reader = store.helpers.at(words[this.#place + READER]!);
    const state = this.#place + STATE;
    for (let i = 0; i < STATE_WORDS; i++) this.#known[i] = words[state + i]!;
    let at = from;
    let behind = from;
    while (at < end) {
      behind = readBrief(reader, bytes, at, end, direction, words, state);
      if (behind <= at || offer.form !== null) break;
      at = behind;
    }
    const length = at === end ? 0 : this.#offered(way, direction, bytes, from, at, behind, end, now);
    if (length < 0) {
      for (let i = 0; i < STATE_WORDS; i++) words[state + i] = this.#known[i]!;
      return false;
    }
    if (length > 0) {
      this.#view = placed.view;
      this.#start = 0;
      this.#end = length;
    }
    doubles[(this.#place >> 1) + OFFSETS + (direction === "original" ? 0 : 1)]! += end - from;
    return true;
  }

  /**
   * Carries out what `[at, behind)` offers, which must be the last that is said: the length of what `placed` has to say. -1:
   * that takes more than words; or there is no message, and no offer.
   */
  #offered(
    way: number,
    direction: Direction,
    bytes: Uint8Array,
    from: number,
    at: number,
    behind: number,
    end: number,
    now: Ms,
  ): number {
    const { store, counters, told } = this.#common;
    const { form } = offer;
    if (behind !== end || form === null || direction !== "reply") return -1;
    if (told.explain !== undefined || told.placed !== undefined) return -1;
    if (!canSay(this.#page, way, end - from + MOST_WRITTEN)) return -1;
    const { limits } = store.helpers.at(this.#page.words[this.#place + READER]!);
    const length = placeOffer(this.#balancer, this.#entries[this.#row]!, limits, this, bytes, from, at, end, now);
    if (length > 0) counters.countOf("expected", form.kind);
    return length;
  }
}

/** A damaged packet must not become a whole one. */
const isWhole = ({ partial, view, at, transport, end }: ControlPacket): boolean =>
  partial || isIntact(view, at, transport, end, tcp.PROTOCOL);
