/**
 * Control connections whose readers rest in words (core/helper/brief.ts), too: an ordinary segment is read and answered by
 * the row of its connection alone (control/rest-rows.ts), and no object that is the connection's own is looked at. Whatever
 * that is not enough for is left to the connection's `ControlFlow`, which comes to the same by the longer way.
 */
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import { slotOf } from "../flow/slots.ts";
import { MOST_WRITTEN, type Offer, type OfferForm } from "../helper/api.ts";
import { noOffer, readBrief } from "../helper/run.ts";
import { expected, type Meet, placeOffer } from "../inspect/offering.ts";
import { OFFSETS, STATE } from "../inspect/stream-rows.ts";
import type { Direction, Ms, Port, Transport } from "../units.ts";
import { sumIn } from "../wire/checksum.ts";
import * as tcp from "../wire/tcp.ts";
import { STAGE } from "./batch.ts";
import {
  canSay,
  hearAll,
  isOrdinary,
  oppositeOf,
  optionsLength,
  said,
  say,
  wayAt,
  windowDue,
} from "./control/ordinary.ts";
import { KEPT, putLikeness, READER, RestPage, SLOT } from "./control/rest-rows.ts";
import { UNSUMMED } from "./control/segment.ts";
import { ControlPacket } from "./control-packet.ts";
import { likenessOf } from "./envelope.ts";
import { isIntactSegment } from "./intact.ts";
import { type Common, isHeard } from "./read-connection.ts";
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

const { LEFT } = Rested;
/** From `#read`, beside those. */
const WHOLE = 3;

/**
 * Words from KEPT to a cache line of which nothing was read yet: where a page begins 16 bytes into a line, as behind malloc's
 * header, READER is in one with the first twelve words that are kept; where it begins with a line, it is in the one before.
 */
const LINE = 12;

/** A packet that offers something: it was read, and waits with those of its stage until they are placed. */
class Waiting {
  readonly offer = noOffer();
  readonly packet = new ControlPacket();
  id = 0;
  row = 0;
  page = NO_PAGE;
  place = 0;
  reader = 0;
  /** Where its payload begins, and the message in it that offers. */
  from = 0;
  message = 0;
  /** What the helper knew before. */
  first = 0;
  second = 0;
  third = 0;
  fourth = 0;
}

/**
 * Offers are placed a stage at a time, so that their cache misses overlap, and the code of either half stays in the processor.
 * Until then nobody is READER of their rows: whoever comes for one finds that it does not rest, and has all of them placed.
 */
export class Resting implements Meet {
  declare private readonly balancer: Balancer;
  declare private readonly common: Common;
  /** By row. */
  readonly #entries: (ConnectionEntry | null)[] = [null];
  declare readonly offers: readonly Waiting[];
  /** Of these, their rows, the slots of their connections, and the hashes of the ends that they offer. */
  declare private readonly rows: Int32Array;
  declare private readonly slots: Int32Array;
  declare private readonly hashes: Int32Array;
  /** How many of these wait. */
  waiting = 0;
  /** The row whose offer is placed now. */
  #row = 0;
  /** What touching read; kept, so that the reading is not optimised away. */
  touched = 0;

  constructor(balancer: Balancer, common: Common) {
    this.balancer = balancer;
    this.common = common;
    this.rows = new Int32Array(STAGE);
    this.slots = new Int32Array(STAGE);
    this.hashes = new Int32Array(STAGE);
    this.offers = Array.from({ length: STAGE }, () => new Waiting());
  }

  /** The connection `entry` has this row. */
  open(row: number, entry: ConnectionEntry): void {
    this.#entries[row] = entry;
    const { rows } = this.common.store;
    rows.page(row).words[rows.place(row) + SLOT] = slotOf(entry.handle);
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
    if (row === 0 || this.waiting === STAGE) return Rested.LEFT;
    const { store } = this.common;
    const page = store.rows.page(row);
    const place = store.rows.place(row);
    if (page.words[place + READER] === 0) return Rested.LEFT;
    const way = wayAt(place, direction);
    const { bytes, view, at, transport, end } = packet;
    if (!isOrdinary(page, way, oppositeOf(way), bytes, view, transport, end)) return Rested.LEFT;
    const from = transport + tcp.headerLength(bytes, transport);
    const sum = sumIn(view, from, end);
    // A damaged packet must not become a whole one.
    if (!packet.partial && !isIntactSegment(view, at, transport, from, end, sum)) return Rested.LEFT;
    if (from < end) {
      const read = canSay(page, way, end - from)
        ? this.#read(id, row, page, place, way, direction, packet, from)
        : LEFT;
      if (read !== WHOLE) return read;
    }
    said.carry(view, from, end, sum);
    return this.#answer(id, page, place, direction, packet, from, now, sent);
  };

  /** Says `said` in the place of the packet. */
  readonly #answer = (
    id: number,
    page: RestPage,
    place: number,
    direction: Direction,
    { bytes, view, at, transport, end }: ControlPacket,
    from: number,
    now: Ms,
    sent: Sent,
  ): number => {
    const way = wayAt(place, direction);
    const back = oppositeOf(way);
    const likeness = likenessOf(bytes, at);
    putLikeness(page, place, direction, likeness);
    page.doubles[(place >> 1) + OFFSETS + (direction === "original" ? 0 : 1)]! += end - from;
    hearAll(page, way, back, bytes, view, transport, end - from, now);
    say(page, way, back, now);
    this.common.envelope.segment(id, direction, likeness, said, sent);
    return windowDue(page, way) ? Rested.WINDOW_DUE : Rested.DONE;
  };

  meet(transport: Transport, port: Port): Port | 0 {
    return this.common.placing.port(this.#entries[this.#row]!, transport, port);
  }

  placed(row: number, port: Port): void {
    const { placing, told } = this.common;
    told.placed?.(placing.offered(row), { address: this.#entries[this.#row]!.virtual.address, port });
  }

  /**
   * Reads all of the payload. `WHOLE`: it is to be let on as it is; `Rested.DONE`: it waits; `Rested.LEFT`: that takes more than
   * words, and nothing changed.
   */
  readonly #read = (
    id: number,
    row: number,
    page: RestPage,
    place: number,
    way: number,
    direction: Direction,
    packet: ControlPacket,
    from: number,
  ): number => {
    const { words } = page;
    const { bytes, end } = packet;
    const waiting = this.offers[this.waiting]!;
    const { offer } = waiting;
    const helper = this.common.store.helpers.at(words[place + READER]!);
    const state = place + STATE;
    // A loop takes longer.
    waiting.first = words[state]!;
    waiting.second = words[state + 1]!;
    waiting.third = words[state + 2]!;
    waiting.fourth = words[state + 3]!;
    let at = from;
    let behind = from;
    while (at < end) {
      behind = readBrief(helper, bytes, at, end, direction, words, state, offer);
      if (behind <= at || offer.form !== null) break;
      at = behind;
    }
    if (at === end) return WHOLE;
    if (behind === end && direction === "reply" && this.#mayWait(page, way, offer, from, at, end)) {
      this.rows[this.waiting] = row;
      this.slots[this.waiting] = words[place + SLOT]!;
      waiting.id = id;
      waiting.row = row;
      waiting.page = page;
      waiting.place = place;
      waiting.reader = words[place + READER]!;
      waiting.from = from;
      waiting.message = at;
      waiting.packet.become(packet);
      words[place + READER] = 0;
      this.waiting++;
      return Rested.DONE;
    }
    forgetRead(waiting, words, state);
    return Rested.LEFT;
  };

  /** Whether `offer`, the last that is said in `[from, end)`, in the message at `at`, can be carried out by words alone. */
  #mayWait(
    page: RestPage,
    way: number,
    { form, start, end: stop }: Offer,
    from: number,
    at: number,
    end: number,
  ): boolean {
    if (form?.says !== "offer") return false;
    // Of what is nothing but an offer, nothing may be left to be said.
    if (from === at && stop - start === end - at) return false;
    return canSay(page, way, end - from + MOST_WRITTEN);
  }

  /**
   * Reads what placing will need: in short loops of loads that do not need one another, so that the processor begins all of a
   * loop before the first is there.
   */
  touch(): void {
    const { connections, related } = this.balancer;
    const { waiting, offers, rows, slots, hashes } = this;
    const entries = this.#entries;
    let touched = 0;
    for (let k = 0; k < waiting; k++) {
      const { page, place } = offers[k]!;
      touched ^= page.words[place + (KEPT >> 2) + LINE]!;
    }
    for (let k = 0; k < waiting; k++) {
      touched ^= slotOf(entries[rows[k]!]!.handle) ^ connections.touch(slots[k]!);
    }
    for (let k = 0; k < waiting; k++) {
      hashes[k] = related.hashOf(entries[rows[k]!]!.virtual.address, offers[k]!.offer.port);
    }
    this.touched = touched ^ related.touch(slots, hashes, waiting);
  }

  /** Places the offer that waits as `k` and answers the packet: one of `Rested`. Its row is at rest again. */
  readonly place = (k: number, now: Ms, sent: Sent): number => {
    const waiting = this.offers[k]!;
    const { id, row, page, place, reader, packet, from, offer } = waiting;
    const { store, counters, envelope } = this.common;
    this.#row = row;
    const way = wayAt(place, "reply");
    const { view, end } = packet;
    const most = end - from + MOST_WRITTEN;
    const at = envelope.payloadAt(id, optionsLength(page, way), most, sent);
    const { limits } = store.helpers.at(reader);
    const entry = this.#entries[row]!;
    const length =
      at < 0
        ? -1
        : placeOffer(this.balancer, entry, offer, limits, this, view, from, waiting.message, end, sent.view, at, now);
    page.words[place + READER] = reader;
    if (length < 0) {
      forgetRead(waiting, page.words, place + STATE);
      return Rested.LEFT;
    }
    counters.countOf("expected", (offer.form as OfferForm).kind);
    if (isHeard(this.common, "expected")) this.#explain(waiting, entry);
    said.carry(sent.view, at, at + length, UNSUMMED);
    return this.#answer(id, page, place, "reply", packet, from, now, sent);
  };

  /** As it would have been told where nothing waits. */
  #explain({ page, place, offer, packet, from, message }: Waiting, entry: ConnectionEntry): void {
    const offset = page.doubles[(place >> 1) + OFFSETS + 1]! + message - from;
    const at = { direction: "reply", offset } as const;
    const decided = expected(this.balancer, offer.form as OfferForm, at, packet.end - message);
    this.common.told.explain!(decided, entry);
  }

  /** None waits any more. Those from `first` on, at which somebody threw, are lost as packets are: who sent them does so again. */
  forget(first: number): void {
    for (let k = first; k < this.waiting; k++) {
      const waiting = this.offers[k]!;
      const { page, place, reader } = waiting;
      page.words[place + READER] = reader;
      forgetRead(waiting, page.words, place + STATE);
    }
    this.waiting = 0;
  }
}

/** The helper knows again what it knew before. */
function forgetRead({ first, second, third, fourth }: Waiting, words: Int32Array, state: number): void {
  words[state] = first;
  words[state + 1] = second;
  words[state + 2] = third;
  words[state + 3] = fourth;
}
