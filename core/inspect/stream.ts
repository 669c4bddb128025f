/**
 * One direction of a TCP connection as the bytes its receiver reads: in order, each once, first bytes win (RFC 9293
 * §3.4, §3.10.7.4), whatever the segments. Sequence numbers become stream offsets, which do not wrap.
 *
 * `observe`, here, watches a connection that others run: a segment may be missing for ever, so a hole is jumped over as
 * soon as it is known that it will not be filled, and the sink is told. It sends nothing, so it holds only what came
 * out of order. (`own`, the other policy, stands between the peers: it never jumps, it acknowledges what it holds, and
 * keeps what it has let on until that is acknowledged. It shares offsets and pieces with this one.)
 */
import { Pieces } from "./pieces.ts";

export interface StreamSink {
  /** The next bytes in order, and the frame they came in. They are valid during the call only. */
  data(bytes: Uint8Array, frame: number): void;
  /** `length` bytes are missing here. */
  gap(length: number): void;
  /** The sender has finished (FIN), and everything before that was told. */
  end(): void;
}

export interface StreamLimits {
  /** Out-of-order bytes held before their hole is given up. */
  readonly held: number;
  /** The same for pieces. */
  readonly pieces: number;
}

const DEFAULT_LIMITS: StreamLimits = { held: 256 * 1024, pieces: 512 };
const UNKNOWN = -1;

export class ObservedStream {
  readonly #sink: StreamSink;
  readonly #limits: StreamLimits;
  readonly #pieces = new Pieces();
  #started = false;
  #ended = false;
  /** The stream offset of the next byte in order, and its sequence number. */
  #next = 0;
  #sequence = 0;
  /** The stream offset of the FIN. */
  #fin = UNKNOWN;

  constructor(sink: StreamSink, limits = DEFAULT_LIMITS) {
    this.#sink = sink;
    this.#limits = limits;
  }

  /** Anything was seen of it. */
  get started(): boolean {
    return this.#started;
  }

  /** How far `sequence` is ahead of the next byte in order; negative: behind it. */
  ahead(sequence: number): number {
    return this.#started ? (sequence - this.#sequence) | 0 : 0;
  }

  /** A SYN with this sequence number: the stream begins behind it. */
  open(sequence: number): void {
    if (this.#started) return;
    this.#started = true;
    this.#sequence = (sequence + 1) >>> 0;
  }

  /** A segment. Without a SYN before it the stream begins with the first of them (a capture begun mid-stream). */
  segment(sequence: number, payload: Uint8Array, frame: number): void {
    if (payload.length === 0 || this.#ended) return;
    if (!this.#started) this.open((sequence - 1) >>> 0);
    const at = this.#offset(sequence);
    const end = at + payload.length;
    if (end <= this.#next) return;
    if (at <= this.#next && this.#pieces.count === 0) {
      this.#deliver(at === this.#next ? payload : payload.subarray(this.#next - at), frame);
      this.#finished();
      return;
    }
    const from = Math.max(at, this.#next);
    this.#pieces.add(from, payload.subarray(from - at), frame);
    this.#drain();
    while (this.#pieces.held > this.#limits.held || this.#pieces.count > this.#limits.pieces) this.#jump();
  }

  /** A FIN that comes behind the byte before `sequence`. */
  finish(sequence: number): void {
    if (!this.#started) this.open((sequence - 1) >>> 0);
    if (this.#fin !== UNKNOWN) return;
    this.#fin = this.#offset(sequence);
    this.#finished();
  }

  /**
   * The receiver has everything before `sequence`. Holes in front of held bytes that it covers are the capture's: no
   * retransmission will come. One with nothing behind it yet may be filled still, by frames captured in another order.
   */
  acknowledged(sequence: number): void {
    if (this.#pieces.count === 0 && this.#fin === UNKNOWN) return;
    const covered = this.#offset(sequence);
    while (this.#pieces.count > 0 && covered > this.#pieces.first!.at) this.#jump();
    if (this.#pieces.count === 0 && this.#fin !== UNKNOWN && covered > this.#fin) this.#jump();
  }

  /** Nothing more will come: what is held is told, holes and all. */
  close(): void {
    while (this.#pieces.count > 0) this.#jump();
  }

  #offset(sequence: number): number {
    return this.#next + ((sequence - this.#sequence) | 0);
  }

  #deliver(bytes: Uint8Array, frame: number): void {
    this.#advance(bytes.length);
    this.#sink.data(bytes, frame);
  }

  #advance(length: number): void {
    this.#next += length;
    this.#sequence = (this.#sequence + length) >>> 0;
  }

  #drain(): void {
    while (this.#pieces.first?.at === this.#next) {
      const { bytes, frame } = this.#pieces.shift()!;
      this.#deliver(bytes, frame);
    }
    this.#finished();
  }

  /** Over the hole in front of what is held, or of the FIN. */
  #jump(): void {
    const to = this.#pieces.first?.at ?? this.#fin;
    const missing = to - this.#next;
    if (missing > 0) {
      this.#advance(missing);
      this.#sink.gap(missing);
    }
    this.#drain();
  }

  #finished(): void {
    if (this.#ended || this.#fin === UNKNOWN || this.#next < this.#fin) return;
    this.#ended = true;
    this.#sink.end();
  }
}
