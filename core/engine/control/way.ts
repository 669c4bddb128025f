/**
 * One direction of a control connection: what its sender S says, and what its receiver R is sent instead.
 *
 *     S  ---- inbound ---->  read, rewritten  ---- outbound ---->  R
 *        <- acknowledged --     (offsets)     <- acknowledged ---
 *
 * Invariants:
 *
 *     offsets map     [0, consumed) of the input onto [0, outbound.end) of the output
 *     consumed       <= inbound.next: what is between was read, and nothing is decided about it yet
 *     acknowledged   <= inbound.next: S is told only of what was read
 *     outbound keeps everything from R's acknowledgment on, so that what is sent again is what was sent before
 *     owned           the output before this whose input S was told to be done with: nobody but us can send it again
 */
import type { Direction, Ms } from "../../units.ts";
import type { TcpOptions } from "../../wire/tcp-options.ts";
import { TIMESTAMPS_LENGTH } from "../../wire/tcp-options.ts";
import { Inbound, MOST_KEPT } from "./inbound.ts";
import { Offsets } from "./offsets.ts";
import { Outbound } from "./outbound.ts";
import { RetransmissionTimer } from "./retransmission.ts";

/** Output kept for a receiver: with more than this, no more input is read. */
export const MOST_QUEUED = MOST_KEPT;
/** RFC 9293 §3.7.1, for who says none; and what Linux takes for the least. */
const DEFAULT_MSS = 536;
const LEAST_MSS = 88;
export const MOST_WINDOW = 0xffff;
export const UNKNOWN = -1;
/** R has something behind a hole but rarely. */
const NOTHING_HELD = new Float64Array(0);
const MOST_HELD = 4;

export class Way {
  readonly direction: Direction;
  readonly inbound = new Inbound();
  readonly outbound = new Outbound();
  readonly offsets = new Offsets();
  readonly timer = new RetransmissionTimer();

  /** S's SYN was seen; `first` is the sequence number of offset 0, in either stream. */
  opened = false;
  first = 0;
  /** What S's SYN said. */
  mss = DEFAULT_MSS;
  offeredScale = UNKNOWN;
  sackPermitted = false;
  timestamps = false;
  /** S's timestamp clock as last seen. */
  clock = 0;

  /** Of the windows that R says, and that S is told. */
  scale = 0;
  /** Most payload of a segment to R. */
  segmentLimit = DEFAULT_MSS;

  consumed = 0;
  /** S may be told so. */
  acknowledged = 0;
  told = 0;
  /** S may not send from here on. It was told so at some time; `toldEdge`: last. */
  edge = 0;
  toldEdge = 0;
  owned = 0;
  /** The host is asked, and S had better wait. */
  blocked = false;

  /** A hole was filled: who sent what was behind it should not send it again. */
  caughtUp = false;
  /** S must get an acknowledgment now that brings no data. */
  owes = false;
  /** R must be asked how things are. */
  probe = false;
  /** R's window has changed. */
  windowNews = false;
  /** S's sequence number when R's window was last read from it. */
  windowReadAt = UNKNOWN;
  /** R said the same as before, so often. */
  duplicates = 0;
  /** Output before this is being sent again, one acknowledgment after the other (RFC 6582). */
  recover = 0;
  /** Where S's urgent data ends, and where in the output, once that is there. */
  urgent = UNKNOWN;
  urgentOutput = UNKNOWN;
  /** Left and right edges of what R has, as input offsets. */
  held = NOTHING_HELD;
  heldBlocks = 0;

  constructor(direction: Direction) {
    this.direction = direction;
  }

  /** S's SYN, with this sequence number. What was known of an earlier one is gone. */
  open(sequence: number, options: TcpOptions): void {
    this.opened = true;
    this.first = (sequence + 1) >>> 0;
    this.mss = Math.max(options.mss === 0 ? DEFAULT_MSS : options.mss, LEAST_MSS);
    this.offeredScale = options.windowScale;
    this.sackPermitted = options.sackPermitted;
    this.timestamps = options.timestamps;
    this.clock = options.value;
  }

  /** Both SYNs were seen: `receiver` is R's way. */
  agree(receiver: Way): void {
    const scaled = this.offeredScale !== UNKNOWN && receiver.offeredScale !== UNKNOWN;
    this.scale = scaled ? receiver.offeredScale : 0;
    this.sackPermitted &&= receiver.sackPermitted;
    this.timestamps &&= receiver.timestamps;
    this.segmentLimit = Math.min(this.mss, receiver.mss) - (this.timestamps ? TIMESTAMPS_LENGTH : 0);
  }

  /** R has input `[start, end)` behind a hole. */
  hold(start: number, end: number): void {
    if (this.held === NOTHING_HELD) this.held = new Float64Array(2 * MOST_HELD);
    this.held[this.heldBlocks * 2] = start;
    this.held[this.heldBlocks * 2 + 1] = end;
    this.heldBlocks++;
  }

  /** The path to R carries no more than this much behind the TCP header of a segment: options and payload. */
  limitSegments(room: number): void {
    const payload = room - (this.timestamps ? TIMESTAMPS_LENGTH : 0);
    this.segmentLimit = Math.min(this.segmentLimit, Math.max(payload, LEAST_MSS - TIMESTAMPS_LENGTH));
  }

  /** S's clock does not go back. */
  noteClock(value: number): void {
    if (((value - this.clock) | 0) > 0) this.clock = value;
  }

  /** S's urgent data ends at `offset`. */
  noteUrgent(offset: number): void {
    if (offset > this.inbound.next) this.urgent = Math.max(this.urgent, offset);
  }

  /** Where S's `sequence` is in the input. Offsets do not wrap. */
  inputAt(sequence: number): number {
    const { next } = this.inbound;
    return next + ((sequence - this.first - next) | 0);
  }

  /** Where R's `acknowledgment` is in the output. */
  outputAt(acknowledgment: number): number {
    const { sent } = this.outbound;
    return sent + ((acknowledgment - this.first - sent) | 0);
  }

  /** S's number for the output that R knows as `sequence`: of that which came of no one byte, where it came of began. */
  quoted(sequence: number): number {
    if (!this.opened) return sequence;
    const { acknowledged } = this.outbound;
    const offset = this.outputAt(sequence);
    const behind = Math.min(0, offset - acknowledged);
    return this.sequenceOf(this.offsets.inputBefore(offset - behind) + behind);
  }

  /** What R knows as `sequence` was sent, and is not acknowledged; of the SYN that much is known until something behind it is. */
  isInFlight(sequence: number): boolean {
    const { acknowledged, sent } = this.outbound;
    const offset = this.outputAt(sequence);
    return this.opened && offset <= sent && offset >= (acknowledged === 0 ? -1 : acknowledged);
  }

  sequenceOf(offset: number): number {
    return (this.first + offset) >>> 0;
  }

  get hasRoom(): boolean {
    return this.outbound.kept < MOST_QUEUED;
  }

  /** Something is read and not passed on, or came out of order: S must not wait for R before it goes on. */
  get mustNotWait(): boolean {
    return this.consumed < this.inbound.next || this.inbound.waiting || this.caughtUp;
  }

  /** Only we can send R what it has not acknowledged. */
  get owns(): boolean {
    return this.owned > this.outbound.acknowledged;
  }

  /** Nothing is held, owned or owed, all that there is was sent, and neither end has finished. */
  get quiet(): boolean {
    const { inbound, outbound } = this;
    if (this.mustNotWait || this.owns || this.owes || this.probe || this.blocked) return false;
    if (this.urgent !== UNKNOWN || this.urgentOutput > outbound.sent || this.heldBlocks > 0) return false;
    return !inbound.ending && !outbound.finished && outbound.sent === outbound.end;
  }

  /** What was read was dealt with, but for `waiting` bytes. Decides what S may be told. */
  settle(waiting: number, blocked: boolean): void {
    const { inbound, outbound, offsets } = this;
    this.blocked = blocked;
    const data = inbound.finished ? inbound.next - 1 : inbound.next;
    this.consumed = data - waiting;
    offsets.extend(this.consumed, outbound.dataEnd);
    if (inbound.finished && waiting === 0) {
      outbound.finish();
      this.consumed = inbound.next;
      offsets.extend(this.consumed, outbound.end);
    }
    offsets.acknowledge(outbound.acknowledged);
    this.#settleAcknowledgment();
    if (this.urgent > 0 && this.consumed >= this.urgent) {
      this.urgentOutput = offsets.outputFrom(this.urgent);
      this.urgent = UNKNOWN;
    }
  }

  #settleAcknowledgment(): void {
    const { inbound, outbound, offsets } = this;
    const mapped = offsets.inputBefore(outbound.acknowledged);
    this.acknowledged = this.mustNotWait ? inbound.next : Math.max(this.acknowledged, mapped);
    if (this.acknowledged <= mapped) this.owned = outbound.acknowledged;
    else this.owned = this.acknowledged >= this.consumed ? outbound.end : offsets.outputFrom(this.acknowledged);
  }

  /** Nothing of this direction needs us but for constant shifts. */
  get transparent(): boolean {
    const { outbound } = this;
    return !this.mustNotWait && !this.owns && outbound.sent === outbound.end && this.offsets.constant;
  }

  /** The window to tell S, as it stands in the header. */
  window(): number {
    return Math.min(MOST_WINDOW, Math.max(0, this.#limit() - this.acknowledged) >>> this.scale);
  }

  /** S should hear of its window though nothing else is to be said (RFC 9293 §3.8.6.2.2). */
  get windowDue(): boolean {
    const edge = this.acknowledged + (this.window() << this.scale);
    if (edge <= this.toldEdge) return false;
    return this.windowNews || this.toldEdge <= this.inbound.next || edge - this.toldEdge >= this.segmentLimit;
  }

  /** S was told both. */
  tell(window: number): void {
    this.told = this.acknowledged;
    this.toldEdge = this.acknowledged + (window << this.scale);
    this.edge = Math.max(this.edge, this.toldEdge);
    this.windowNews = false;
  }

  /** No more than R has room for beyond what it was sent already; what was allowed stays allowed. */
  #limit(): number {
    const { inbound, outbound } = this;
    if (this.blocked) return this.edge;
    const room = Math.min(outbound.edge - outbound.end, MOST_QUEUED - outbound.kept);
    return Math.max(this.edge, inbound.next + Math.max(0, room));
  }

  /** When the timer has something to do. */
  arm(now: Ms): void {
    this.timer.arm(this.owns || this.outbound.sent < this.outbound.end, now);
  }
}
