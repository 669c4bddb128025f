/**
 * What an FTP server says of the transfers that it is asked for (RFC 959 §4.2, §5.4): a capture of the control connection
 * alone tells by that whether data came.
 */
import type { Direction } from "../../core/units.ts";
import { LF, SPACE } from "../../core/wire/text.ts";

export interface Transfer {
  /** The frame of the command. */
  readonly asked: number;
  /** The frame of the first reply to it: 1yz, or what ended it. 0: none yet, nor of those below. */
  answered: number;
  /** 1yz came: the server had begun. */
  begun: boolean;
  /** The frame of the reply that ended it, and its code. */
  frame: number;
  code: number;
  /** The client did not want it any more. */
  aborted: boolean;
}

const ZERO = 0x30;
/** Four bytes of ASCII, big-endian. */
const word = (text: string): number => [...text].reduce((sum, character) => (sum << 8) | character.charCodeAt(0), 0);

const COMMANDS: ReadonlySet<number> = new Set(["RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD"].map(word));
const ABORT = word("ABOR");
/** Of a letter's bits, the one that is not set in capitals. */
const SMALL = 0x20202020;
/** Remembered of one connection. */
const MOST = 1000;
/** RFC 959 §4.1.3: the telnet signals of an interrupt come before it. */
const TELNET_COMMAND = 0xff;

/** As much of a line as tells, whatever the pieces it comes in: a command or a code, and what ends it. */
class LineHead {
  /** The first four bytes, big-endian. */
  word = 0;
  /** The fifth. */
  end = 0;
  length = 0;

  clear(): void {
    this.word = 0;
    this.length = 0;
  }

  /** Of no line that can be read. */
  blind(): void {
    this.word = word("    ");
    this.length = 5;
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end && this.length < 5; at++) {
      if (this.length++ < 4) this.word |= bytes[at]! << (32 - 8 * this.length);
      else this.end = bytes[at]!;
    }
  }

  get isInterrupt(): boolean {
    return this.length > 0 && this.word >>> 24 === TELNET_COMMAND;
  }

  get isAbort(): boolean {
    return this.isInterrupt || (this.word & ~SMALL) === ABORT;
  }

  get isTransfer(): boolean {
    return this.length === 5 && this.end <= SPACE && COMMANDS.has(this.word & ~SMALL);
  }

  /** Of a reply, if this is its last line; else 0. */
  get code(): number {
    const { word } = this;
    const first = digit(word >>> 24);
    const second = digit(word >>> 16);
    const third = digit(word >>> 8);
    const isLast = (word & 0xff) === SPACE && first >= 1 && first <= 5 && second <= 9 && third <= 9;
    return isLast ? first * 100 + second * 10 + third : 0;
  }
}

/** What the lowest byte stands for; more than 9: it is no digit. */
const digit = (word: number): number => ((word & 0xff) - ZERO) >>> 0;

/** Bytes of both directions in order. */
export class Transfers {
  readonly asked: Transfer[] = [];
  readonly #original = new LineHead();
  readonly #reply = new LineHead();
  /** The latest, until it has ended. */
  #open: Transfer | null = null;

  data(direction: Direction, bytes: Uint8Array, frame: number): void {
    const isReply = direction === "reply";
    const head = isReply ? this.#reply : this.#original;
    let at = 0;
    while (at < bytes.length) {
      const end = bytes.indexOf(LF, at);
      if (end < 0) break;
      head.add(bytes, at, end + 1);
      if (isReply) this.#replied(head.code, frame);
      else this.#said(head, frame);
      head.clear();
      at = end + 1;
    }
    head.add(bytes, at, bytes.length);
    // Some send the signals, and the line only when the server has answered, or never.
    if (!isReply && head.isInterrupt) this.#abort();
  }

  /** What comes next is the middle of a line. */
  gap(direction: Direction): void {
    (direction === "reply" ? this.#reply : this.#original).blind();
  }

  #said(head: LineHead, frame: number): void {
    if (head.isAbort) this.#abort();
    else if (head.isTransfer) {
      this.#open = { asked: frame, answered: 0, begun: false, frame: 0, code: 0, aborted: false };
      if (this.asked.length < MOST) this.asked.push(this.#open);
    }
  }

  #abort(): void {
    if (this.#open !== null) this.#open.aborted = true;
  }

  #replied(code: number, frame: number): void {
    const open = this.#open;
    if (open === null || code === 0) return;
    open.answered ||= frame;
    if (code < 200) {
      open.begun = true;
      return;
    }
    open.frame = frame;
    open.code = code;
    this.#open = null;
  }
}
