/**
 * Where a connection of TCP stands still: the same bytes sent over and over, or a receiver that takes no more. Told by
 * `assembly/flows.ts`, which sees every packet; that a packet says so is rare.
 */
import { A, B, type End, type Flows } from "./flows.ts";
import { Latest } from "./latest.ts";
import type { Watcher } from "./memory.ts";

/** Payload that was sent again, from the first time that it was to the last, while its receiver said nothing. */
export interface Repeat {
  readonly sender: End;
  readonly sequence: number;
  readonly length: number;
  /** As often, beside the first time. */
  times: number;
  readonly since: number;
  readonly firstFrame: number;
  until: number;
  lastFrame: number;
  /** How many frames the receiver has sent by then. */
  readonly heard: number;
}

/** An end said nothing but that its window is closed. */
export interface Closure {
  readonly since: number;
  readonly firstFrame: number;
  until: number;
  lastFrame: number;
  /** How many frames that end has sent by then. */
  frames: number;
}

/** Remembered of one capture, the latest, or more. */
const MOST = 16_384;

export class Stalls implements Watcher {
  readonly #flows: Flows;
  readonly #repeats = new Latest<Repeat>(MOST);
  /** By row and end: the present one, and the longest of those before. */
  readonly #closures = new Latest<{ readonly present: Closure; readonly longest: Closure | null }>(MOST);

  constructor(flows: Flows) {
    this.#flows = flows;
  }

  repeated(row: number, side: number, sequence: number, length: number, time: number, frame: number): void {
    const sender = endOf(side);
    const heard = this.#flows.framesOf(row, sender === A ? B : A);
    const known = this.#repeats.get(row);
    // Whoever answers each time is there: probes of one byte are sent again and again, too (RFC 9293 §3.8.4, §3.8.6.1).
    if (known?.sequence === sequence && known.sender === sender && known.heard === heard) {
      known.times++;
      known.until = time;
      known.lastFrame = frame;
      return;
    }
    const [since, until, firstFrame, lastFrame] = [time, time, frame, frame];
    const repeat = { sender, sequence, length, times: 1, since, firstFrame, until, lastFrame, heard };
    this.#repeats.set(row, repeat);
  }

  closed(row: number, side: number, time: number, frame: number): void {
    const key = keyOf(row, endOf(side));
    const frames = this.#flows.framesOf(row, endOf(side));
    const known = this.#closures.get(key);
    if (known !== undefined && known.present.frames === frames - 1) {
      const { present } = known;
      present.until = time;
      present.lastFrame = frame;
      present.frames = frames;
      return;
    }
    const present = { since: time, firstFrame: frame, until: time, lastFrame: frame, frames };
    this.#closures.set(key, { present, longest: known === undefined ? null : longer(known.present, known.longest) });
  }

  /** Nothing stood still, however shortly. */
  get isEmpty(): boolean {
    return this.#repeats.isEmpty && this.#closures.isEmpty;
  }

  /** What was sent last of all payload of `row`, over and over; null: it was not. */
  repeatAtEnd(row: number): Repeat | null {
    const repeat = this.#repeats.get(row);
    return repeat === undefined || repeat.sequence !== this.#flows.lastSequence(row) ? null : repeat;
  }

  /** The longest time that `end` took nothing, and whether it took anything afterwards; null: it always did. */
  closure(row: number, end: End): { readonly closure: Closure; readonly isOver: boolean } | null {
    const known = this.#closures.get(keyOf(row, end));
    if (known === undefined) return null;
    const { present, longest } = known;
    const isOver = present.frames < this.#flows.framesOf(row, end);
    return isOver ? { closure: longer(present, longest), isOver } : { closure: present, isOver };
  }
}

const keyOf = (row: number, end: End): number => row * 2 + (end - A);

const endOf = (side: number): End => (side === 0 ? A : B);

const longer = (one: Closure, other: Closure | null): Closure =>
  other === null || one.until - one.since >= other.until - other.since ? one : other;
