/**
 * One TCP control connection on packets that has something to put in order, to wait for or to repeat: segments of both
 * ends in, segments for both ends out. It stands between the ends as one who reads their streams
 * (core/inspect/control.ts), and says nothing in its own name but what it must:
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
 *
 * way.ts has the invariants of one direction. "S" and "R" are the sender and the receiver of the direction in question:
 * a segment from S brings data of its own way (intake.ts), and news about the way back, whose receiver it is (hearing.ts).
 * A machine serves a connection until it comes to rest (rest.ts), then another.
 */
import type { RelatedEntry } from "../../flow/related.ts";
import { type Direction, type Endpoint, type Ms, opposite } from "../../units.ts";
import * as tcp from "../../wire/tcp.ts";
import { TcpOptions } from "../../wire/tcp-options.ts";
import { synchronize } from "./handshake.ts";
import { hear, News, resendFirst } from "./hearing.ts";
import { Intake, type Reader } from "./intake.ts";
import type { Outbound } from "./outbound.ts";
import type { ControlReason } from "./reason.ts";
import { Challenges, objectionToReset } from "./resets.ts";
import { layDown, mayRest, wakeUp } from "./rest.ts";
import type { RestPage } from "./rest-rows.ts";
import type { Shift } from "./shift.ts";
import { Speaker } from "./speaker.ts";
import type { Spoken } from "./spoken.ts";
import { Way } from "./way.ts";

const { ACK, FIN, RST, SYN, URG } = tcp;
const NEVER = Number.POSITIVE_INFINITY as Ms;
/** As Linux's tcp_retries2: a quarter of an hour. */
const MOST_RETRIES = 15;

/** Of the segment that is looked at. */
const options = new TcpOptions();
const news = new News();

export class Machine {
  readonly #original = new Way("original");
  readonly #reply = new Way("reply");
  readonly #speaker: Speaker;
  readonly #intake: Intake;
  readonly #challenges = new Challenges();
  #reader: Reader;
  #now = 0 as Ms;
  /** The client has answered the handshake. */
  #established = false;
  /** The connection is no more. */
  #ended = false;

  /** For a connection that begins. */
  constructor(reader: Reader) {
    this.#reader = reader;
    this.#speaker = new Speaker(reader.sink);
    this.#intake = new Intake(this.#original, this.#reply, this.#speaker);
  }

  /** Goes on with the connection whose row is at `row` of `page`. The one before is at rest, if there was one. */
  wake(reader: Reader, page: RestPage, row: number): void {
    this.#reader = reader;
    this.#speaker.sink = reader.sink;
    this.#established = true;
    wakeUp(page, row, this.#original, this.#reply);
  }

  /** A row will do: nothing is to be put in order, waited for or repeated. */
  get still(): boolean {
    if (this.#ended || !this.#established || this.#intake.feeding || !this.#reader.stream.quiet) return false;
    return this.#challenges.over(this.#now) && mayRest(this.#original, this.#reply);
  }

  /** Writes the row of a connection that is `still`, and has no more to do with it. */
  rest(page: RestPage, row: number): void {
    layDown(page, row, this.#original, this.#reply);
    this.#challenges.forget();
  }

  /** What goes out `direction`. */
  outbound(direction: Direction): Outbound {
    return this.#way(direction).outbound;
  }

  /**
   * A segment of the connection, whose header is at `at`, and which ends at `end`. The header was checked. `spoken`: its
   * payload is next in turn, and was read already, with that outcome.
   */
  segment(direction: Direction, bytes: Uint8Array, at: number, end: number, now: Ms, spoken: Spoken | null): void {
    const way = this.#way(direction);
    const back = this.#way(opposite(direction));
    this.#now = now;
    const flags = tcp.flags(bytes, at);
    options.read(bytes, at);
    if (this.#ended) this.#answerEnded(way, flags, tcp.acknowledgment(bytes, at));
    else if ((flags & RST) !== 0) this.#reset(way, back, bytes, at);
    else if ((flags & SYN) !== 0) this.#synchronize(way, back, bytes, at);
    else if (!back.opened || !(this.#established || way === this.#original)) this.#reject(way, "handshake");
    else this.#receive(way, back, bytes, at, end, spoken);
    this.flush();
  }

  /** The host has answered `prepare`; see ControlStream. */
  prepared(entry: RelatedEntry, seen: Endpoint | null, now: Ms): void {
    this.#now = now;
    this.#reader.stream.prepared(entry, seen, now);
    if (!this.#intake.feeding) this.flush();
  }

  /** When `advance` has something to do; Infinity: never. */
  get deadline(): Ms {
    if (this.#ended) return NEVER;
    return Math.min(this.#original.timer.at, this.#reply.timer.at, this.#reader.stream.deadline) as Ms;
  }

  advance(now: Ms): void {
    this.#now = now;
    const { stream } = this.#reader;
    if (now >= stream.deadline) {
      this.#intake.feeding = true;
      stream.advance(now);
      this.#intake.feeding = false;
    }
    this.#repeat(this.#original, this.#reply);
    this.#repeat(this.#reply, this.#original);
    this.flush();
  }

  /** Nothing is read, kept or waited for any more: `shift` says all that segments need from here on. */
  get transparent(): boolean {
    return !this.#ended && this.#reader.stream.detached && this.#original.transparent && this.#reply.transparent;
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

  /** Whether what went `direction` as `sequence` may be on its way still. */
  isInFlight(direction: Direction, sequence: number): boolean {
    return this.#way(direction).isInFlight(sequence);
  }

  /** The path to the receiver of `direction` carries no more than this much payload in a segment. */
  limitSegments(direction: Direction, room: number): void {
    this.#way(direction).limitSegments(room);
  }

  /** Both ends are told that the connection is no more. */
  end(now: Ms): void {
    this.#now = now;
    if (!this.#ended && this.#established) this.#giveUp(this.#original, "aborted");
    this.#ended = true;
  }

  #way(direction: Direction): Way {
    return direction === "original" ? this.#original : this.#reply;
  }

  #reject(way: Way, reason: ControlReason): void {
    this.#reader.sink.reject(way.direction, reason);
  }

  // --- segments -------------------------------------------------------------------------------------------------------

  #synchronize(way: Way, back: Way, bytes: Uint8Array, at: number): void {
    if (this.#established) {
      this.#challenge(way);
      this.#reject(way, "syn-in-flow");
    } else if (synchronize(way, back, bytes, at, options)) this.#speaker.handshake(way.direction, bytes, at);
    else this.#reject(way, "handshake");
  }

  /** In the order of RFC 9293 §3.10.7.4. */
  #receive(way: Way, back: Way, bytes: Uint8Array, at: number, end: number, spoken: Spoken | null): void {
    const flags = tcp.flags(bytes, at);
    const from = at + tcp.headerLength(bytes, at);
    const start = way.inputAt(tcp.sequence(bytes, at));
    const fin = (flags & FIN) !== 0 ? 1 : 0;
    const length = end - from + fin;
    if (!acceptable(way, start, length)) {
      this.#unacceptable(way, start, length);
      return;
    }
    if ((flags & ACK) === 0) {
      this.#reject(way, "no-acknowledgment");
      return;
    }
    news.acknowledged = back.outputAt(tcp.acknowledgment(bytes, at));
    if (news.acknowledged > back.outbound.sent) {
      way.owes = true;
      this.#reject(way, "acknowledges-unsent");
      return;
    }
    // The handshake's last acknowledgment, whatever else there is to say.
    back.owes ||= !this.#established;
    this.#established = true;
    if (options.timestamps && start <= way.inbound.next) way.noteClock(options.value);
    news.window = tcp.window(bytes, at);
    news.at = start;
    news.bare = length === 0;
    hear(back, way, news, options, this.#speaker, this.#now);
    if ((flags & URG) !== 0) way.noteUrgent(start + tcp.urgentPointer(bytes, at));
    if (spoken !== null) this.#intake.takeRead(this.#reader, way, length, spoken);
    else if (length > 0) this.#intake.take(this.#reader, way, back, bytes.subarray(from, end), start, fin, this.#now);
  }

  /** Repeated, or sent beyond the window: told how things are. What might ask after the receiver goes on to it. */
  #unacceptable(way: Way, start: number, length: number): void {
    const asks = length === 0 && start === way.acknowledged - 1;
    if (asks && !way.owns && !way.mustNotWait) way.probe = true;
    else way.owes = true;
    this.#reject(way, start < way.acknowledged ? "repeated" : "beyond-window");
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
    this.#reject(way, objection);
  }

  #challenge(way: Way): void {
    if (this.#challenges.allowed(this.#now)) way.owes = true;
  }

  #giveUp(way: Way, reason: ControlReason): void {
    this.#ended = true;
    this.#reject(way, reason);
    this.#speaker.reset(this.#original, this.#reply);
    this.#speaker.reset(this.#reply, this.#original);
  }

  /** As a connection that is no more answers, so that a RST that was lost, or not believed, is repeated. */
  #answerEnded(way: Way, flags: number, acknowledgment: number): void {
    this.#reject(way, "ended");
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
      resendFirst(way, back, this.#speaker);
    }
    timer.backOff(this.#now);
  }

  /** Reads what can be read, sends what can be sent, and tells each sender what it should know. */
  flush(): void {
    if (this.#ended || !this.#established) return;
    this.#intake.drain(this.#reader, this.#original, this.#now);
    this.#intake.drain(this.#reader, this.#reply, this.#now);
    if (this.#reader.failed) {
      this.#giveUp(this.#original, "aborted");
      return;
    }
    this.#intake.settle(this.#reader);
    this.#speak(this.#original, this.#reply);
    this.#speak(this.#reply, this.#original);
    this.#answer(this.#original, this.#reply);
    this.#answer(this.#reply, this.#original);
    this.#original.caughtUp = false;
    this.#reply.caughtUp = false;
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
