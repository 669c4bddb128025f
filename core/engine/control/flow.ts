/**
 * One TCP control connection on packets: segments of both ends in, segments for both ends out. It stands between the
 * ends as one who reads their streams (core/inspect/control.ts), and says nothing in its own name but what it must:
 *
 *   - What S says is read in order, and what the reader lets on is sent to R. Nothing else of S's payload ever goes on.
 *   - S is told an acknowledgment when R has acknowledged what became of those bytes; so a sender learns of a receiver
 *     that is gone, slow or lossy as if nobody stood between.
 *   - But not where S would wait for it and R for S: while the rest of a message is missing (Nagle's algorithm, RFC 1122
 *     §4.2.3.4, holds it back until the first part is acknowledged), while the host is asked, and while a segment is
 *     missing (R, who never sees the hole, cannot ask for it). Then everything read is acknowledged at once, and is ours
 *     to deliver.
 *   - Output is kept until R has acknowledged it. S's retransmission makes us send again what became of those bytes; of
 *     what is ours, the timer, or three duplicate acknowledgments. Either way the same bytes.
 *   - S may send what R has room for. It may have sent that when R's room got smaller, or a rewriting longer: then the
 *     output waits here.
 *   - An ordinary segment (ordinary.ts) takes a short way: nothing about it needs to be put in order, or waited for.
 *   - When the reader has let go of the connection and all that it changed is delivered, constant shifts will do:
 *     `transparent`.
 *
 * way.ts has the invariants of one direction. "S" and "R" are the sender and the receiver of the direction in question:
 * a segment from S brings data of its own way, and news about the way back, whose receiver it is.
 */
import type { RelatedEntry } from "../../flow/related.ts";
import { type ControlOptions, ControlStream } from "../../inspect/control.ts";
import { type Direction, type Endpoint, type Ms, opposite } from "../../units.ts";
import { part } from "../../wire/bytes.ts";
import * as tcp from "../../wire/tcp.ts";
import { TcpOptions, timestampOf } from "../../wire/tcp-options.ts";
import { synchronize } from "./handshake.ts";
import { isOrdinary, noteClock } from "./ordinary.ts";
import { type FlowHost, ReaderHost } from "./reader-host.ts";
import type { ControlReason } from "./reason.ts";
import { Challenges, objectionToReset } from "./resets.ts";
import type { Shift } from "./shift.ts";
import { type ControlSink, Speaker } from "./speaker.ts";
import { Way } from "./way.ts";

export type { ControlSink } from "./speaker.ts";

const { ACK, FIN, RST, SYN, URG } = tcp;
const NEVER = Number.POSITIVE_INFINITY as Ms;
const ENOUGH_DUPLICATES = 3;
/** As Linux's tcp_retries2: a quarter of an hour. */
const MOST_RETRIES = 15;

/** Of the segment that is looked at. */
const options = new TcpOptions();

export interface ControlFlowOptions extends Omit<ControlOptions, "host"> {
  readonly host: FlowHost;
  /** False: ordinary segments go the general way too, to compare the two. */
  readonly short?: boolean;
}

export class ControlFlow {
  readonly #host: ReaderHost;
  readonly #stream: ControlStream;
  readonly #sink: ControlSink;
  readonly #speaker: Speaker;
  readonly #original = new Way("original");
  readonly #reply = new Way("reply");
  #now = 0 as Ms;
  /** The client has answered the handshake. */
  #established = false;
  /** The connection is no more. */
  #ended = false;
  readonly #challenges = new Challenges();
  /** The stream is being fed: what it lets on is sent afterwards. */
  #feeding = false;
  /** Nothing is held, owned, owed or over: an ordinary segment may go the short way. */
  #quiet = false;
  readonly #short: boolean;

  constructor(reading: ControlFlowOptions, sink: ControlSink) {
    this.#host = new ReaderHost(reading.host, this.#original, this.#reply);
    this.#stream = new ControlStream({ ...reading, host: this.#host });
    this.#sink = sink;
    this.#speaker = new Speaker(sink);
    this.#short = reading.short ?? true;
  }

  /** A segment of the connection, whose header is at `at`, and which ends at `end`. The header was checked. */
  segment(direction: Direction, bytes: Uint8Array, at: number, end: number, now: Ms): void {
    const way = this.#way(direction);
    const back = this.#way(opposite(direction));
    this.#now = now;
    if (this.#quiet && isOrdinary(way, back, bytes, at, end)) {
      this.#ordinary(way, back, bytes, at, end);
      return;
    }
    const flags = tcp.flags(bytes, at);
    options.read(bytes, at);
    if (this.#ended) this.#answerEnded(way, flags, tcp.acknowledgment(bytes, at));
    else if ((flags & RST) !== 0) this.#reset(way, back, bytes, at);
    else if ((flags & SYN) !== 0) this.#synchronize(way, back, bytes, at);
    else if (!back.opened || !(this.#established || way === this.#original)) this.#sink.reject(direction, "handshake");
    else this.#receive(way, back, bytes, at, end);
    this.#flush();
  }

  /** The host's answer to `prepare`; see ControlStream. */
  prepared(entry: RelatedEntry, seen: Endpoint | null, now: Ms): void {
    this.#now = now;
    this.#stream.prepared(entry, seen, now);
    if (!this.#feeding) this.#flush();
  }

  /** When `advance` has something to do; Infinity: never. */
  get deadline(): Ms {
    if (this.#ended || this.#quiet) return NEVER;
    return Math.min(this.#original.timer.at, this.#reply.timer.at, this.#stream.deadline) as Ms;
  }

  advance(now: Ms): void {
    this.#now = now;
    if (now >= this.#stream.deadline) {
      this.#feeding = true;
      this.#stream.advance(now);
      this.#feeding = false;
    }
    this.#repeat(this.#original, this.#reply);
    this.#repeat(this.#reply, this.#original);
    this.#flush();
  }

  /** Nothing is read, kept or waited for any more: `shift` says all that segments need from here on. */
  get transparent(): boolean {
    return !this.#ended && this.#stream.detached && this.#original.transparent && this.#reply.transparent;
  }

  /** How segments that go `direction` change once the flow is transparent. */
  shift(direction: Direction): Shift {
    return {
      sequence: this.#way(direction).offsets.difference,
      acknowledgment: -this.#way(opposite(direction)).offsets.difference,
    };
  }

  /** The sender's own number for what went `direction` as `sequence`. */
  quoted(direction: Direction, sequence: number): number {
    return this.#way(direction).quoted(sequence);
  }

  /** The path to the receiver of `direction` carries no more than this much payload in a segment. */
  limitSegments(direction: Direction, payload: number): void {
    this.#way(direction).limitSegments(payload);
  }

  /** Both ends are told that the connection is no more. */
  abort(now: Ms): void {
    this.#now = now;
    if (!this.#ended && this.#established) this.#giveUp(this.#original, "aborted");
    this.#ended = true;
    this.#quiet = false;
  }

  #way(direction: Direction): Way {
    return direction === "original" ? this.#original : this.#reply;
  }

  // --- the handshake --------------------------------------------------------------------------------------------------

  #synchronize(way: Way, back: Way, bytes: Uint8Array, at: number): void {
    if (this.#established) {
      this.#challenge(way);
      this.#sink.reject(way.direction, "syn-in-flow");
    } else if (synchronize(way, back, bytes, at, options)) this.#speaker.handshake(way.direction, bytes, at);
    else this.#sink.reject(way.direction, "handshake");
  }

  // --- ordinary segments ------------------------------------------------------------------------------------------------

  /**
   * The short way of `isOrdinary` segments, which nearly all are: what the general one comes to where it has nothing to
   * put in order, to wait for, or to repeat.
   */
  #ordinary(way: Way, back: Way, bytes: Uint8Array, at: number, end: number): void {
    const { inbound, outbound } = way;
    const from = at + tcp.headerLength(bytes, at);
    if (from > at + tcp.HEADER) noteClock(way, timestampOf(bytes, at));
    this.#hearAll(back, tcp.window(bytes, at), inbound.next);
    inbound.next += end - from;
    this.#feeding = true;
    this.#stream.feed(way.direction, bytes.subarray(from, end), this.#now);
    this.#feeding = false;
    this.#settle(way);
    this.#settle(back);
    if (!this.#stream.quiet || this.#host.failed) {
      this.#flush();
      return;
    }
    this.#speaker.send(way, back, this.#now);
    way.arm(this.#now);
    back.arm(this.#now);
    this.#answer(this.#original, this.#reply);
    this.#answer(this.#reply, this.#original);
    this.#quiet = outbound.sent === outbound.end;
  }

  /** As `#hear`, of a segment with data, from an R that has all there is. */
  #hearAll(way: Way, window: number, at: number): void {
    const { outbound } = way;
    const edge = outbound.sent + (window << way.scale);
    const moved = outbound.sent > outbound.acknowledged;
    way.timer.fired = 0;
    this.#hearEdge(way, edge, moved, window === 0, at);
    if (!moved) return;
    outbound.acknowledge(outbound.sent);
    way.timer.acknowledged(outbound.sent, this.#now);
    way.duplicates = 0;
  }

  // --- segments -------------------------------------------------------------------------------------------------------

  /** In the order of RFC 9293 §3.10.7.4. */
  #receive(way: Way, back: Way, bytes: Uint8Array, at: number, end: number): void {
    const flags = tcp.flags(bytes, at);
    const from = at + tcp.headerLength(bytes, at);
    const start = way.inputAt(tcp.sequence(bytes, at));
    const fin = (flags & FIN) !== 0 ? 1 : 0;
    const stop = start + (end - from);
    const length = stop + fin - start;
    if (!acceptable(way, start, length)) {
      this.#unacceptable(way, start, length);
      return;
    }
    if ((flags & ACK) === 0) {
      this.#sink.reject(way.direction, "no-acknowledgment");
      return;
    }
    const acknowledged = back.outputAt(tcp.acknowledgment(bytes, at));
    if (acknowledged > back.outbound.sent) {
      way.owes = true;
      this.#sink.reject(way.direction, "acknowledges-unsent");
      return;
    }
    // The handshake's last acknowledgment, whatever else there is to say.
    back.owes ||= !this.#established;
    this.#established = true;
    if (options.timestamps && start <= way.inbound.next) noteClock(way, options.value);
    this.#hear(back, way, acknowledged, tcp.window(bytes, at), start, length === 0);
    if ((flags & URG) !== 0) this.#noteUrgent(way, start + tcp.urgentPointer(bytes, at));
    if (length > 0) this.#take(way, back, bytes.subarray(from, end), start, fin);
  }

  /** Repeated, or sent beyond the window: told how things are. What might ask after the receiver goes on to it. */
  #unacceptable(way: Way, start: number, length: number): void {
    const asks = length === 0 && start === way.acknowledged - 1;
    if (asks && !way.owns && !way.mustNotWait) way.probe = true;
    else way.owes = true;
    this.#sink.reject(way.direction, start < way.acknowledged ? "repeated" : "beyond-window");
  }

  /** R of `way` acknowledges output up to `offset`, in a segment that begins at `at` of its own stream. */
  #hear(way: Way, back: Way, offset: number, window: number, at: number, bare: boolean): void {
    const { outbound } = way;
    if (offset < outbound.acknowledged) return;
    const edge = offset + (window << way.scale);
    const moved = offset > outbound.acknowledged;
    this.#noteHeld(way);
    way.timer.fired = 0;
    const news = this.#hearEdge(way, edge, moved, window === 0, at);
    if (moved) this.#acknowledged(way, back, offset);
    else if (bare && !way.owns) way.owes = true;
    else if (bare && !news) this.#duplicate(way, back);
  }

  /** Where R's room ends; `at`: where in its own stream it says so. True: it ended elsewhere before. */
  #hearEdge(way: Way, edge: number, moved: boolean, closed: boolean, at: number): boolean {
    const { outbound } = way;
    // Of two that cannot be told in order the larger, or a closed one: that will be asked after.
    const told = at === way.windowReadAt && (edge > outbound.edge || closed);
    if (!(moved || at > way.windowReadAt || told)) return false;
    const news = edge !== outbound.edge;
    outbound.edge = edge;
    way.windowReadAt = at;
    way.windowNews ||= news;
    return news;
  }

  #acknowledged(way: Way, back: Way, offset: number): void {
    way.outbound.acknowledge(offset);
    way.timer.acknowledged(offset, this.#now);
    way.duplicates = 0;
    if (offset < way.recover) this.#resendFirst(way, back);
  }

  /** R says what it said before: something is missing there that only we can send again. */
  #duplicate(way: Way, back: Way): void {
    const { outbound } = way;
    if (outbound.sent === outbound.acknowledged || outbound.acknowledged < way.recover) return;
    if (++way.duplicates < ENOUGH_DUPLICATES) return;
    way.duplicates = 0;
    way.recover = outbound.sent;
    this.#resendFirst(way, back);
  }

  #resendFirst(way: Way, back: Way): void {
    const { acknowledged } = way.outbound;
    this.#speaker.resend(way, back, acknowledged, acknowledged + way.segmentLimit);
  }

  /** R's selective acknowledgments, as far as they have a place in the input. */
  #noteHeld(way: Way): void {
    const { blocks, edges } = options;
    const { outbound, offsets } = way;
    way.heldBlocks = 0;
    for (let i = 0; i < blocks; i++) {
      const left = way.outputAt(edges[i * 2]!);
      const right = way.outputAt(edges[i * 2 + 1]!);
      if (left <= outbound.acknowledged || right > outbound.sent) continue;
      const start = offsets.inputFrom(left);
      const end = offsets.inputBefore(right);
      if (start >= end) continue;
      way.hold(start, end);
    }
  }

  #noteUrgent(way: Way, offset: number): void {
    if (offset > way.inbound.next) way.urgent = Math.max(way.urgent, offset);
  }

  /** S's payload, and its FIN. */
  #take(way: Way, back: Way, payload: Uint8Array, start: number, fin: number): void {
    const { inbound } = way;
    const room = Math.max(way.edge, inbound.next) - start;
    if (payload.length > room) this.#refuseBeyond(way);
    const stop = start + Math.min(payload.length, room);
    if (start < inbound.next) this.#resendFor(way, back, start, Math.min(stop + fin, inbound.next));
    if (inbound.finished) return;
    inbound.data(stop);
    if (fin === 1 && payload.length <= room) inbound.finish(stop);
    const at = Math.max(start, inbound.next);
    if (stop > at) this.#read(way, part(payload, at - start, stop - start), at);
    this.#drain(way);
  }

  #refuseBeyond(way: Way): void {
    way.owes = true;
    way.probe ||= way.outbound.edge <= way.outbound.end;
    this.#sink.reject(way.direction, "beyond-window");
  }

  /** S sends input `[start, stop)` again: R is sent what became of it. */
  #resendFor(way: Way, back: Way, start: number, stop: number): void {
    const from = Math.max(start, way.acknowledged);
    if (from < stop) this.#speaker.resend(way, back, way.offsets.outputBefore(from), way.offsets.outputFrom(stop));
  }

  #read(way: Way, payload: Uint8Array, at: number): void {
    const { inbound } = way;
    if (!way.hasRoom) this.#sink.reject(way.direction, "queue-full");
    else if (at === inbound.next && !inbound.waiting) this.#feed(way, payload);
    else {
      way.owes = true;
      if (!inbound.keep(at, payload)) this.#sink.reject(way.direction, "out-of-order-limit");
    }
  }

  /** Reads what has become next, as long as there is room for what becomes of it. */
  #drain(way: Way): void {
    const { inbound } = way;
    while (way.hasRoom && !this.#host.failed) {
      const bytes = inbound.take();
      if (bytes === null) break;
      way.caughtUp = true;
      this.#feed(way, bytes);
    }
    if (inbound.takeFin()) this.#stream.end(way.direction);
  }

  #feed(way: Way, bytes: Uint8Array): void {
    way.inbound.next += bytes.length;
    this.#feeding = true;
    this.#stream.feed(way.direction, bytes, this.#now);
    this.#feeding = false;
    // The reader may have let go of what it held of the other direction.
    this.#settle(this.#original);
    this.#settle(this.#reply);
  }

  // --- resets -----------------------------------------------------------------------------------------------------------

  /** R gets a RST that is believed as what is exactly next there. */
  #reset(way: Way, back: Way, bytes: Uint8Array, at: number): void {
    const objection = objectionToReset(way, back, bytes, at);
    if (objection === null) {
      this.#ended = true;
      this.#speaker.reset(way, back);
      return;
    }
    if (objection === "reset-inexact") this.#challenge(way);
    this.#sink.reject(way.direction, objection);
  }

  #challenge(way: Way): void {
    if (this.#challenges.allowed(this.#now)) way.owes = true;
  }

  #giveUp(way: Way, reason: ControlReason): void {
    this.#ended = true;
    this.#sink.reject(way.direction, reason);
    this.#speaker.reset(this.#original, this.#reply);
    this.#speaker.reset(this.#reply, this.#original);
  }

  /** As a connection that is no more answers, so that a RST that was lost, or not believed, is repeated. */
  #answerEnded(way: Way, flags: number, acknowledgment: number): void {
    this.#sink.reject(way.direction, "ended");
    if ((flags & RST) === 0 && (flags & ACK) !== 0) this.#speaker.refuse(opposite(way.direction), acknowledgment);
  }

  // --- what follows from it ---------------------------------------------------------------------------------------------

  #repeat(way: Way, back: Way): void {
    const { outbound, timer } = way;
    if (this.#ended || this.#now < timer.at) return;
    if (timer.fired >= MOST_RETRIES) {
      this.#giveUp(way, "receiver-gone");
      return;
    }
    if (outbound.sent === outbound.acknowledged || (outbound.edge <= outbound.acknowledged && !atFin(way))) {
      way.probe = true;
    } else {
      way.recover = outbound.sent;
      way.duplicates = 0;
      this.#resendFirst(way, back);
    }
    timer.backOff(this.#now);
  }

  #settle(way: Way): void {
    way.settle(this.#stream.waiting(way.direction), this.#stream.blocked(way.direction));
  }

  #flush(): void {
    this.#quiet = false;
    if (this.#ended || !this.#established) return;
    this.#drain(this.#original);
    this.#drain(this.#reply);
    if (this.#host.failed) {
      this.#giveUp(this.#original, "aborted");
      return;
    }
    this.#settle(this.#original);
    this.#settle(this.#reply);
    this.#speak(this.#original, this.#reply);
    this.#speak(this.#reply, this.#original);
    this.#answer(this.#original, this.#reply);
    this.#answer(this.#reply, this.#original);
    this.#original.caughtUp = false;
    this.#reply.caughtUp = false;
    this.#quiet = this.#short && this.#stream.quiet && this.#original.quiet && this.#reply.quiet;
  }

  #speak(way: Way, back: Way): void {
    this.#speaker.send(way, back, this.#now);
    way.arm(this.#now);
    if (way.probe) this.#speaker.ask(way, back);
  }

  /** S of `way` hears what no segment with data has told it. */
  #answer(way: Way, back: Way): void {
    if (way.owes || way.acknowledged > way.told || way.windowDue) this.#speaker.acknowledge(back, way);
  }
}

/** RFC 9293 §3.10.7.4, first check. Data beyond the window is cut off later; a FIN needs no room. */
function acceptable(way: Way, start: number, length: number): boolean {
  if (start > Math.max(way.edge, way.inbound.next)) return false;
  return length === 0 ? start >= way.acknowledged : start + length > way.acknowledged;
}

/** Only the FIN is not acknowledged. */
const atFin = ({ outbound }: Way): boolean => outbound.finished && outbound.acknowledged === outbound.dataEnd;
