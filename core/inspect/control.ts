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
import type { Inspector } from "../helper/api.ts";
import { Recorder } from "../helper/recorder.ts";
import { endHelper, openHelper, type RunOptions, runHelper } from "../helper/run.ts";
import type { Direction, Endpoint, Ms } from "../units.ts";
import { part } from "../wire/bytes.ts";
import { Executor } from "./executor.ts";
import type { ControlOptions } from "./host.ts";
import { NEVER, Side } from "./side.ts";

export type { Decision } from "./decision.ts";
export type { ControlHost, ControlOptions } from "./host.ts";

/** Datagrams that may wait behind a barrier. */
const MOST_WAITING = 16;

/** Of all streams: what a helper asked for is dealt with before anything else is read. */
const recorder = new Recorder();

export class ControlStream {
  readonly #options: ControlOptions;
  readonly #inspector: Inspector;
  readonly #running: RunOptions;
  readonly #original = new Side("original");
  readonly #reply = new Side("reply");
  readonly #executor: Executor;
  #detached = false;
  /** The helper's last verdict was `drop`. */
  #dropping = false;
  #aborted = false;

  constructor(options: ControlOptions) {
    this.#options = options;
    this.#executor = new Executor(options);
    this.#running = { onFailure: options.onFailure, datagram: options.entry.transport === "udp" };
    this.#inspector = openHelper(options.helper, options.entry, options.settings);
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

  /** `direction` stands still: read no more of it. */
  blocked(direction: Direction): boolean {
    return this.#side(direction).barrier !== null;
  }

  /** Bytes of `direction` that were fed and of which nothing is decided yet. */
  waiting(direction: Direction): number {
    const { held, barrier } = this.#side(direction);
    return held.length + (barrier?.message.length ?? 0);
  }

  /** When `advance` has something to do; Infinity: never. */
  get deadline(): Ms {
    const { patience } = this.#options.helper.limits;
    if (this.#aborted) return NEVER;
    return Math.min(this.#original.deadline(patience), this.#reply.deadline(patience)) as Ms;
  }

  /** The next bytes of `direction`, in order. */
  feed(direction: Direction, bytes: Uint8Array, now: Ms): void {
    const side = this.#side(direction);
    if (this.#aborted) return;
    if (side.barrier !== null) this.#wait(side, bytes);
    else if (this.#detached) this.#options.host.forward(direction, bytes);
    else this.#read(side, side.held.take(bytes), now);
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
        this.#executor.fault(side, "message-too-slow");
        this.#flushUnread(side);
        if (this.#inspector.end === undefined) this.#detach();
      }
    }
  }

  /** What comes while `side` stands still. A datagram too many is lost, as datagrams may be. */
  #wait(side: Side, bytes: Uint8Array): void {
    if (!this.#datagrams) side.held.append(bytes);
    else if (side.waiting.length < MOST_WAITING) side.waiting.push(new Uint8Array(bytes));
  }

  /** Reads messages until the rest is incomplete, or one of them raises the barrier. */
  #read(side: Side, view: Uint8Array, now: Ms): void {
    let sent = 0;
    let at = 0;
    while (at < view.length && !this.#detached) {
      const consumed = this.#inspect(side, part(view, at, view.length));
      if (consumed === 0) break;
      const end = at + consumed;
      if (!recorder.empty || this.#dropping) {
        this.#executor.forward(side, view, sent, at);
        sent = this.#executor.carryOut(recorder, side, part(view, at, end), this.#dropping, now) ? at : end;
        if (side.barrier !== null) {
          side.held.put(view.subarray(end));
          side.heldSince = NEVER;
          return;
        }
      }
      side.offset += consumed;
      at = end;
    }
    const done = this.#detached ? view.length : at;
    this.#executor.forward(side, view, sent, done);
    this.#hold(side, view, done, now);
    if (this.#detached) this.#detach();
  }

  /** How many bytes of `rest` the helper has done with; what it asked for is in the recorder. */
  #inspect(side: Side, rest: Uint8Array): number {
    const { verdict, consumed } = runHelper(this.#inspector, rest, side.direction, recorder, this.#running);
    if (verdict === "detach") this.#detached = true;
    this.#dropping = verdict === "drop";
    if (consumed > 0) return consumed;
    this.#executor.remarks(recorder, side, 0);
    if (verdict === "abort") {
      this.#aborted = true;
      this.#options.host.abort("helper-failed");
    }
    return 0;
  }

  /** What is from `done` on waits for more. */
  #hold(side: Side, view: Uint8Array, done: number, now: Ms): void {
    if (done === view.length) {
      side.heldSince = NEVER;
      return;
    }
    side.held.put(part(view, done, view.length));
    if (done > 0 || side.heldSince === NEVER) side.heldSince = now;
    if (side.held.length <= this.#options.settings.hold || this.#aborted) return;
    this.#executor.fault(side, "message-too-long");
    this.#flushUnread(side);
    this.#detach();
  }

  /** The barrier's answers are in: lets its message out, then reads what came behind it. */
  #lift(side: Side, now: Ms): void {
    const length = side.barrier!.message.length;
    this.#executor.release(side);
    side.offset += length;
    while (side.barrier === null && side.waiting.length > 0) this.feed(side.direction, side.waiting.shift()!, now);
    const rest = side.held.take();
    if (this.#detached) this.#executor.forward(side, rest);
    else if (rest.length > 0) this.#read(side, rest, now);
    if (side.ended && side.barrier === null) this.#flushUnread(side);
  }

  /** Lets go of bytes that no helper will read, but not of an announcement among them. */
  #flushUnread(side: Side): void {
    if (side.held.length === 0) return;
    const bytes = side.held.take();
    side.heldSince = NEVER;
    if (this.#detached) recorder.clear();
    else endHelper(this.#inspector, bytes, side.direction, recorder, side.ended);
    this.#executor.remarks(recorder, side, bytes.length);
    const refusal = recorder.refusals[0];
    const whole =
      refusal === undefined || this.#executor.refuse(side, bytes, refusal.code, refusal.at, refusal.instead);
    if (whole) this.#executor.forward(side, bytes);
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
