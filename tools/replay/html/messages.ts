/** What was said on a control connection, a segment or datagram at a time, fit to be shown. */
import type { Direction } from "../../../core/units.ts";
import type { Control } from "../control.ts";
import { isText, messageText, Redactor } from "../explain/redact.ts";
import type { Said } from "../transcript.ts";

export interface Message {
  readonly frame: number;
  /** Seconds since 1970-01-01 UTC. */
  readonly time: number;
  readonly direction: Direction;
  readonly text: string;
  readonly length: number;
}

const LONGEST_TEXT = 400;

/** The first `limit` of them. */
export function messagesOf(control: Control, limit: number): Message[] {
  const { helper, transport, transcript, notes, groups } = control;
  const encrypted = [
    ...notes.filter(({ code }) => code === "encrypted"),
    ...groups.filter(({ reason }) => reason === "tls"),
  ].map(({ frame }) => frame);
  const dark = Math.min(...encrypted, Number.POSITIVE_INFINITY);
  const readers = { original: new Reader(control, "original"), reply: new Reader(control, "reply") };
  return transcript.said.slice(0, limit).map((said) => {
    const { frame, time, direction, length } = said;
    const whole = transport === "udp" || !isText(helper.name);
    const text = whole ? messageText(helper.name, said.bytes) : readers[direction].show(said);
    return { frame, time, direction, length, text: frame > dark ? "encrypted" : shortened(text) };
  });
}

const shortened = (text: string): string => {
  const line = text.endsWith("\\r\\n") ? text.slice(0, -4) : text.endsWith("\\n") ? text.slice(0, -2) : text;
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT)}…` : line;
};

/** One direction of a stream: what is sent again is not shown again, and a secret stays one across segments. */
class Reader {
  readonly #redactor = new Redactor();
  /** Sequence number of the next byte; -1: nobody knows. */
  #next: number;

  constructor(control: Control, direction: Direction) {
    this.#next = control.begins(direction) ?? -1;
    // What a client said first may be the rest of a password.
    if (this.#next < 0 && direction === "original") this.#redactor.gap();
  }

  show({ sequence, length, bytes }: Said): string {
    const ahead = this.#next < 0 ? 0 : (sequence - this.#next) | 0;
    if (ahead + length <= 0) return "(sent again)";
    if (ahead > 0) this.#redactor.gap();
    this.#next = (sequence + length) >>> 0;
    const text = this.#redactor.show(ahead < 0 ? bytes.subarray(-ahead) : bytes);
    if (bytes.length === length) return text;
    this.#redactor.gap();
    return `${text}…`;
  }
}
