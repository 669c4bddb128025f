/** What a control connection says: builds segments of one direction, and hands them to its sink. */
import type { Direction, Ms } from "../../units.ts";
import * as tcp from "../../wire/tcp.ts";
import { findOption, putSack, putTimestamps } from "../../wire/tcp-options.ts";
import type { ControlReason } from "./reason.ts";
import { Segment } from "./segment.ts";
import type { Way } from "./way.ts";

const { ACK, FIN, HEADER, PSH, RST, SYN, URG } = tcp;

export interface ControlSink {
  /** `segment` goes the way of `direction` (`original`: to the realserver). It is valid during the call only. */
  emit(direction: Direction, segment: Segment): void;
  /** Something that came the way of `direction` went no further; for the counters. */
  reject(direction: Direction, reason: ControlReason): void;
}

const MOST_BLOCKS = 4;
const MOST_URGENT = 0xffff;
/** Options of a SYN that are let through: MSS, window scale, SACK permitted, timestamps. */
const KNOWN: readonly number[] = [2, 3, 4, 8];
const NO_OPERATION = 1;

/** Of all connections: what is said is said before anything else is. */
const said = new Segment();
const edges = new Float64Array(2 * MOST_BLOCKS);
const sequences = new Uint32Array(2 * MOST_BLOCKS);

export class Speaker {
  /** Of the connection that is spoken for. */
  sink: ControlSink;

  constructor(sink: ControlSink) {
    this.sink = sink;
  }

  /**
   * A SYN goes on as it is, but for its payload (RFC 7413), which nobody has read, and options by which bytes could go
   * another way than this one (Multipath TCP) or could not be changed on it (RFC 5925).
   */
  handshake(direction: Direction, bytes: Uint8Array, at: number): void {
    const segment = said;
    segment.sequence = tcp.sequence(bytes, at) | 0;
    segment.acknowledgment = tcp.acknowledgment(bytes, at) | 0;
    segment.flags = tcp.flags(bytes, at) & (SYN | ACK);
    segment.window = tcp.window(bytes, at);
    segment.urgentPointer = 0;
    segment.optionsLength = tcp.headerLength(bytes, at) - HEADER;
    segment.options.fill(NO_OPERATION);
    for (const kind of KNOWN) {
      const option = findOption(bytes, at, kind);
      if (option < 0) continue;
      segment.options.set(bytes.subarray(option, option + bytes[option + 1]!), option - at - HEADER);
    }
    this.#emit(direction, 0, 0);
  }

  /** Sends what R has room for. A FIN needs none. */
  send(way: Way, back: Way, now: Ms): void {
    const { outbound } = way;
    while (outbound.sent < outbound.end) {
      const stop = Math.min(outbound.sent + way.segmentLimit, outbound.dataEnd, Math.max(outbound.edge, outbound.sent));
      const last = stop === outbound.dataEnd && outbound.finished;
      if (stop <= outbound.sent && !last) return;
      const end = last ? outbound.end : stop;
      this.#data(way, back, outbound.sent, end);
      outbound.sent = end;
      way.timer.time(end, now);
    }
  }

  /** Sends output `[from, to)` once more, of which some may be acknowledged, or not sent yet. */
  resend(way: Way, back: Way, from: number, to: number): void {
    const { outbound } = way;
    const end = Math.min(to, outbound.sent);
    let at = Math.max(from, outbound.acknowledged);
    while (at < end) {
      let stop = Math.min(at + way.segmentLimit, end);
      if (stop === outbound.dataEnd && outbound.finished && outbound.sent === outbound.end) stop = outbound.end;
      this.#data(way, back, at, stop);
      at = stop;
    }
    way.timer.forgetTimed();
  }

  /** An acknowledgment to R, who is S of `back`; with what came out of order. */
  acknowledge(way: Way, back: Way): void {
    this.#begin(way, back, way.outbound.sent, ACK);
    const blocks = back.sackPermitted ? this.#blocks(back) : 0;
    if (blocks > 0) said.optionsLength = putSack(said.options, said.optionsLength, sequences, blocks);
    back.owes = false;
    this.#emit(way.direction, 0, 0);
  }

  /** A segment that R must answer: one byte behind, and empty, as keep-alives and probes of windows are. */
  ask(way: Way, back: Way): void {
    this.#begin(way, back, way.outbound.acknowledged - 1, ACK);
    way.probe = false;
    this.#emit(way.direction, 0, 0);
  }

  reset(way: Way, back: Way): void {
    this.#begin(way, back, way.outbound.sent, back.opened ? RST | ACK : RST);
    this.#emit(way.direction, 0, 0);
  }

  /** The answer of a connection that is no more (RFC 9293 §3.10.7.1) to a segment with this acknowledgment. */
  refuse(direction: Direction, acknowledgment: number): void {
    const segment = said;
    segment.sequence = acknowledgment | 0;
    segment.acknowledgment = 0;
    segment.flags = RST;
    segment.window = 0;
    segment.urgentPointer = 0;
    segment.optionsLength = 0;
    this.#emit(direction, 0, 0);
  }

  #data(way: Way, back: Way, from: number, to: number): void {
    const { outbound } = way;
    const end = Math.min(to, outbound.dataEnd);
    let flags = ACK;
    if (end === outbound.dataEnd) flags |= PSH;
    if (to > outbound.dataEnd) flags |= FIN;
    this.#begin(way, back, from, flags);
    said.view = outbound.view;
    this.#emit(way.direction, outbound.indexOf(from), outbound.indexOf(end));
  }

  #begin(way: Way, back: Way, offset: number, flags: number): void {
    const segment = said;
    segment.sequence = way.sequenceOf(offset) | 0;
    segment.acknowledgment = back.sequenceOf(back.acknowledged) | 0;
    segment.flags = flags;
    segment.window = back.window();
    segment.urgentPointer = 0;
    if (way.urgentOutput > offset) {
      segment.flags |= URG;
      segment.urgentPointer = Math.min(way.urgentOutput - offset, MOST_URGENT);
    }
    segment.optionsLength = way.timestamps ? putTimestamps(segment.options, 0, way.clock, back.clock) : 0;
    back.tell(segment.window);
  }

  /** What came out of order from the sender of `way`, then what its receiver has; into `sequences`. Returns how many. */
  #blocks(way: Way): number {
    const most = way.timestamps ? MOST_BLOCKS - 1 : MOST_BLOCKS;
    let count = way.inbound.runs(edges, most);
    for (let i = 0; i < way.heldBlocks && count < most; i++) {
      if (way.held[i * 2]! <= way.acknowledged) continue;
      edges[count * 2] = way.held[i * 2]!;
      edges[count * 2 + 1] = way.held[i * 2 + 1]!;
      count++;
    }
    for (let i = 0; i < count * 2; i++) sequences[i] = way.sequenceOf(edges[i]!);
    return count;
  }

  #emit(direction: Direction, start: number, end: number): void {
    said.start = start;
    said.end = end;
    this.sink.emit(direction, said);
  }
}
