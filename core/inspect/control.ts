/**
 * One control connection, live: stream bytes of both directions in, the bytes that may go on out.
 *
 *   bytes -> helper -> announced?  --no-->                                                     forwarded
 *                         | yes
 *                      balancer: let in?  --no--> refused, in the protocol's own words         forwarded
 *                         | yes
 *                      host: put in place (a listener, a rule) --failed, too late--> the same  forwarded
 *                         | done
 *                      rewritten for its receiver                                              forwarded
 *
 * Until an announcement is in place its direction stands still (the release barrier); the other one flows on. Whatever
 * the segmentation of the input, entries and output are the same. Of a datagram protocol each `feed` is one datagram,
 * and so is each `forward`.
 */
import type { RelatedEntry } from "../flow/related.ts";
import { UNFINISHED } from "../helper/api.ts";
import { HelperReader } from "../helper/reader.ts";
import { Recorder } from "../helper/recorder.ts";
import { offer, type RunOptions } from "../helper/run.ts";
import type { Direction, Endpoint, Ms } from "../units.ts";
import { part } from "../wire/bytes.ts";
import { Executor } from "./executor.ts";
import { joinInto, Room } from "./held.ts";
import type { ControlOptions } from "./host.ts";
import { Message } from "./message.ts";
import { Outlet } from "./outlet.ts";
import { NEVER, Side } from "./side.ts";
import { OFFSETS, STATE, type StreamRows } from "./stream-rows.ts";

export type { Decision } from "./decision.ts";
export type { BriefHost, ControlHost, ControlOptions } from "./host.ts";

/** Of all streams: what a helper asked for is dealt with before anything else is read. */
const recorder = new Recorder();
/** And the message that it asked for it about. */
const message = new Message();
/** What was held of a message, and what came behind it; not of streams that hand their bytes to who keeps them. */
const joint = new Room();

export class ControlStream {
  readonly #options: ControlOptions;
  readonly #reader: HelperReader;
  readonly #running: RunOptions;
  readonly #original = new Side("original");
  readonly #reply = new Side("reply");
  readonly #outlet: Outlet;
  readonly #executor: Executor;
  #detached = false;
  /** The helper's last verdict was `drop`. */
  #dropping = false;
  #aborted = false;

  constructor(options: ControlOptions) {
    this.#options = options;
    this.#outlet = new Outlet(options);
    this.#executor = new Executor(options, this.#outlet);
    this.#running = { onFailure: options.onFailure, datagram: options.entry.transport === "udp" };
    this.#reader = new HelperReader(options.helper, options.entry, options.settings);
  }

  /** The helper looks at nothing any more: what comes may go on unseen. */
  get detached(): boolean {
    return this.#detached && this.#original.barrier === null && this.#reply.barrier === null;
  }

  get #datagrams(): boolean {
    return this.#options.entry.transport === "udp";
  }

  /** Everything that was fed was let on or dealt with, and what comes is read. */
  get quiet(): boolean {
    return !this.#detached && !this.#aborted && this.#original.quiet && this.#reply.quiet;
  }

  /**
   * Puts into the row at `row` all that is known of a stream that is `quiet`: whoever has the row need not ask it again
   * before it is woken. False: it cannot be put so.
   */
  rest({ words, doubles }: StreamRows, row: number): boolean {
    if (!this.#reader.rest(words, row + STATE)) return false;
    doubles[(row >> 1) + OFFSETS] = this.#original.offset;
    doubles[(row >> 1) + OFFSETS + 1] = this.#reply.offset;
    return true;
  }

  /** Goes on from what the row says, in which it rests: the row stays where its helper keeps what it knows. */
  wake({ doubles }: StreamRows, row: number): void {
    this.#original.offset = doubles[(row >> 1) + OFFSETS]!;
    this.#reply.offset = doubles[(row >> 1) + OFFSETS + 1]!;
  }

  /** `direction` stands still: read no more of it. */
  blocked(direction: Direction): boolean {
    return this.#side(direction).barrier !== null;
  }

  /** Bytes of `direction` that were fed and of which nothing is decided yet. */
  waiting(direction: Direction): number {
    const { held, barrier } = this.#side(direction);
    return held + (barrier?.message.length ?? 0);
  }

  /** When `advance` has something to do; Infinity: never. */
  get deadline(): Ms {
    const { patience } = this.#options.helper.limits;
    if (this.#aborted) return NEVER;
    return Math.min(this.#original.deadline(patience), this.#reply.deadline(patience)) as Ms;
  }

  /** The next bytes of `direction`, in order: `[start, end)` of `bytes`. */
  feed(direction: Direction, bytes: Uint8Array, now: Ms, start = 0, end = bytes.length): void {
    const side = this.#side(direction);
    if (this.#aborted) return;
    if (side.barrier !== null) this.#wait(side, bytes, start, end);
    else if (this.#detached) this.#outlet.forward(side, bytes, start, end);
    else if (side.held === 0) this.#read(side, bytes, start, end, now);
    else this.#readOn(side, bytes, start, end, now);
  }

  /** `direction` ends here: an unfinished announcement is not let out, other unfinished bytes are. */
  end(direction: Direction): void {
    const side = this.#side(direction);
    side.ended = true;
    if (side.barrier === null && !this.#aborted) this.#flushUnread(side);
  }

  /** The host's answer to `prepare`: what the opener must be told to connect to, or null when that failed. */
  prepared(entry: RelatedEntry, seen: Endpoint | null, now: Ms): void {
    const side = this.#original.answer(entry, seen)
      ? this.#original
      : this.#reply.answer(entry, seen)
        ? this.#reply
        : null;
    if (side?.barrier?.raised === true && side.barrier.missing === 0) this.#lift(side, now);
  }

  advance(now: Ms): void {
    for (const side of [this.#original, this.#reply]) {
      if (this.#aborted || now < side.deadline(this.#options.helper.limits.patience)) continue;
      if (side.barrier !== null) {
        this.#lift(side, now);
      } else {
        this.#outlet.fault(side, "message-too-slow");
        this.#flushUnread(side);
        if (!this.#reader.ends) this.#detach();
      }
    }
  }

  /** What comes while `side` stands still. */
  #wait(side: Side, bytes: Uint8Array, start: number, end: number): void {
    if (this.#datagrams) side.wait(part(bytes, start, end));
    else side.holdBehind(bytes, start, end);
  }

  /** Reads what is held, and bytes `[start, end)` behind it. */
  #readOn(side: Side, bytes: Uint8Array, start: number, end: number, now: Ms): void {
    const held = side.take();
    const length = held.length + end - start;
    const all = this.#options.host.append === undefined ? new Uint8Array(length) : joint.reach(length);
    joinInto(all, held, bytes, start, end);
    this.#read(side, all, 0, length, now);
  }

  /** Reads messages until the rest of `[start, end)` is incomplete, or one of them raises the barrier. */
  #read(side: Side, view: Uint8Array, start: number, end: number, now: Ms): void {
    side.sent = start;
    let at = start;
    while (at < end && !this.#detached) {
      const behind = this.#inBrief(side, view, at, end, now) || this.#inFull(side, view, at, end, now);
      if (side.barrier !== null) return;
      if (behind <= 0) break;
      at = behind;
    }
    const done = this.#detached ? end : at;
    this.#outlet.forward(side, view, side.sent, done);
    if (done === end) side.release();
    else this.#hold(side, view, done, end, done === start, now);
    if (this.#detached) this.#detach();
  }

  /** Where the message at `at` ends, if that can be told, and dealt with, in brief; or `UNFINISHED`; else 0. */
  #inBrief(side: Side, view: Uint8Array, at: number, end: number, now: Ms): number {
    const behind = this.#reader.brief(view, at, end, side.direction);
    if (behind === at) return 0;
    if (behind === UNFINISHED) return UNFINISHED;
    if (offer.form !== null && !this.#executor.carryOutInBrief(side, message.show(view, at, behind), now)) return 0;
    if (side.barrier !== null) this.#standStill(side, view, behind, end);
    else side.offset += behind - at;
    return behind;
  }

  /** Where the message at `at` ends; 0: it is incomplete. */
  #inFull(side: Side, view: Uint8Array, at: number, end: number, now: Ms): number {
    const consumed = this.#inspect(side, part(view, at, end));
    if (consumed === 0) return 0;
    const behind = at + consumed;
    if (!recorder.empty || this.#dropping) {
      this.#outlet.forward(side, view, side.sent, at);
      message.show(view, at, behind);
      side.sent = this.#executor.carryOut(recorder, side, message, this.#dropping, now) ? at : behind;
      if (side.barrier !== null) {
        this.#standStill(side, view, behind, end);
        return behind;
      }
    }
    side.offset += consumed;
    return behind;
  }

  /** The barrier is up, and bytes `[start, end)` are behind it. */
  #standStill(side: Side, bytes: Uint8Array, start: number, end: number): void {
    side.release();
    side.holdBehind(bytes, start, end);
  }

  /** How many bytes of `rest` the helper has done with; what it asked for is in the recorder. */
  #inspect(side: Side, rest: Uint8Array): number {
    const { verdict, consumed } = this.#reader.inspect(rest, side.direction, recorder, this.#running);
    if (verdict === "detach") this.#detached = true;
    this.#dropping = verdict === "drop";
    if (consumed > 0) return consumed;
    this.#outlet.remarks(recorder, side, 0);
    if (verdict === "abort") {
      this.#aborted = true;
      this.#options.host.abort("helper-failed");
    }
    return 0;
  }

  /** Bytes `[start, end)` wait for more; `goesOn`: they did so before. */
  #hold(side: Side, bytes: Uint8Array, start: number, end: number, goesOn: boolean, now: Ms): void {
    side.hold(bytes, start, end, goesOn, now);
    if (side.held <= this.#options.settings.hold || this.#aborted) return;
    this.#outlet.fault(side, "message-too-long");
    this.#flushUnread(side);
    this.#detach();
  }

  /** The barrier's answers are in: lets its message out, then reads what came behind it. */
  #lift(side: Side, now: Ms): void {
    const length = side.barrier!.message.length;
    this.#executor.release(side);
    side.offset += length;
    this.#readWaiting(side, now);
    const rest = side.take();
    if (this.#detached) this.#outlet.forward(side, rest);
    else if (rest.length > 0) this.#read(side, rest, 0, rest.length, now);
    if (side.ended && side.barrier === null) this.#flushUnread(side);
  }

  #readWaiting(side: Side, now: Ms): void {
    while (side.barrier === null) {
      const datagram = side.nextWaiting();
      if (datagram === undefined) return;
      this.feed(side.direction, datagram, now);
    }
  }

  /** Lets go of bytes that no helper will read, but not of an announcement among them. */
  #flushUnread(side: Side): void {
    if (side.held === 0) return;
    const bytes = side.take();
    side.release();
    if (this.#detached) recorder.clear();
    else this.#reader.end(bytes, side.direction, recorder, side.ended);
    this.#outlet.remarks(recorder, side, bytes.length);
    const refusal = recorder.refusals[0];
    message.show(bytes, 0, bytes.length);
    const whole =
      refusal === undefined || this.#outlet.refuse(side, message, refusal.code, refusal.at, refusal.instead);
    if (whole) this.#outlet.pass(side, message);
    side.offset += bytes.length;
  }

  #detach(): void {
    for (const side of [this.#original, this.#reply]) if (side.barrier === null) this.#flushUnread(side);
    this.#detached = true;
  }

  #side(direction: Direction): Side {
    return direction === "original" ? this.#original : this.#reply;
  }
}
