/** What S says: put in order, read as far as there is room for what becomes of it, and repeated to R when S repeats it. */
import type { ControlStream } from "../../inspect/control.ts";
import type { Ms } from "../../units.ts";
import { part } from "../../wire/bytes.ts";
import type { ControlSink, Speaker } from "./speaker.ts";
import type { Spoken } from "./spoken.ts";
import type { Way } from "./way.ts";

/** Who reads the streams of a connection, and whose segments these are. */
export interface Reader {
  readonly stream: ControlStream;
  readonly sink: ControlSink;
  /** The reader wants the connection to end. */
  readonly failed: boolean;
}

export class Intake {
  readonly #original: Way;
  readonly #reply: Way;
  readonly #speaker: Speaker;
  /** The stream is being fed: what it lets on is sent afterwards. */
  feeding = false;

  constructor(original: Way, reply: Way, speaker: Speaker) {
    this.#original = original;
    this.#reply = reply;
    this.#speaker = speaker;
  }

  /** S's payload, and its FIN. */
  take(reader: Reader, way: Way, back: Way, payload: Uint8Array, start: number, fin: number, now: Ms): void {
    const { inbound } = way;
    const room = Math.max(way.edge, inbound.next) - start;
    if (payload.length > room) refuseBeyond(reader, way);
    const stop = start + Math.min(payload.length, room);
    if (start < inbound.next) this.#resendFor(way, back, start, Math.min(stop + fin, inbound.next));
    if (inbound.finished) return;
    inbound.data(stop);
    if (fin === 1 && payload.length <= room) inbound.finish(stop);
    const at = Math.max(start, inbound.next);
    if (stop > at) this.#read(reader, way, part(payload, at - start, stop - start), at, now);
    this.drain(reader, way, now);
  }

  /** The same of `length` bytes next in turn that were read already: `spoken` is what became of them. */
  takeRead(reader: Reader, way: Way, length: number, spoken: Spoken): void {
    way.inbound.next += length;
    this.#original.outbound.appendAll(spoken.taken("original"));
    this.#reply.outbound.appendAll(spoken.taken("reply"));
    this.settle(reader);
  }

  /** Reads what has become next, as long as there is room for what becomes of it. */
  drain(reader: Reader, way: Way, now: Ms): void {
    const { inbound } = way;
    while (way.hasRoom && !reader.failed) {
      const bytes = inbound.take();
      if (bytes === null) break;
      way.caughtUp = true;
      this.#feed(reader, way, bytes, now);
    }
    if (inbound.takeFin()) reader.stream.end(way.direction);
  }

  /** What was read was dealt with, but for what the reader holds. */
  settle({ stream }: Reader): void {
    this.#original.settle(stream.waiting("original"), stream.blocked("original"));
    this.#reply.settle(stream.waiting("reply"), stream.blocked("reply"));
  }

  /** S sends input `[start, stop)` again: R is sent what became of it. */
  #resendFor(way: Way, back: Way, start: number, stop: number): void {
    const from = Math.max(start, way.acknowledged);
    if (from < stop) this.#speaker.resend(way, back, way.offsets.outputBefore(from), way.offsets.outputFrom(stop));
  }

  #read(reader: Reader, way: Way, payload: Uint8Array, at: number, now: Ms): void {
    const { inbound } = way;
    if (!way.hasRoom) reader.sink.reject(way.direction, "queue-full");
    else if (at === inbound.next && !inbound.waiting) this.#feed(reader, way, payload, now);
    else {
      way.owes = true;
      if (!inbound.keep(at, payload)) reader.sink.reject(way.direction, "out-of-order-limit");
    }
  }

  #feed(reader: Reader, way: Way, bytes: Uint8Array, now: Ms): void {
    way.inbound.next += bytes.length;
    this.feeding = true;
    reader.stream.feed(way.direction, bytes, now);
    this.feeding = false;
    // The reader may have let go of what it held of the other direction.
    this.settle(reader);
  }
}

function refuseBeyond({ sink }: Reader, way: Way): void {
  way.owes = true;
  way.probe ||= way.outbound.edge <= way.outbound.end;
  sink.reject(way.direction, "beyond-window");
}
