/**
 * What an FTP server says of the transfers that it is asked for (RFC 959 §4.2, §5.4): a capture of the control connection
 * alone tells by that whether data came.
 */
import type { Direction } from "../../core/units.ts";
import { LF } from "../../core/wire/text.ts";

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

const COMMANDS: ReadonlySet<string> = new Set(["RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD"]);
/** Remembered of one connection. */
const MOST = 1000;
/** As much of a line as tells: a command or a code, and what ends it. */
const TELLING = 5;

/** Bytes of both directions in order. */
export class Transfers {
  readonly asked: Transfer[] = [];
  readonly #lines: Record<Direction, string> = { original: "", reply: "" };
  /** The latest, until it has ended. */
  #open: Transfer | null = null;

  data(direction: Direction, bytes: Uint8Array, frame: number): void {
    let at = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, at)) {
      this.#line(direction, this.#lines[direction] + head(bytes, at, end + 1), frame);
      this.#lines[direction] = "";
      at = end + 1;
    }
    if (this.#lines[direction].length < TELLING) this.#lines[direction] += head(bytes, at, bytes.length);
    // Some send the signals, and the line only when the server has answered, or never.
    if (direction === "original" && isInterrupt(this.#lines.original)) this.#abort();
  }

  /** What comes next is the middle of a line. */
  gap(direction: Direction): void {
    this.#lines[direction] = " ".repeat(TELLING);
  }

  #line(direction: Direction, line: string, frame: number): void {
    if (direction === "reply") this.#reply(line, frame);
    else if (isAbort(line)) this.#abort();
    else if (COMMANDS.has(line.slice(0, 4).toUpperCase()) && line.charCodeAt(4) <= 0x20) {
      this.#open = { asked: frame, answered: 0, begun: false, frame: 0, code: 0, aborted: false };
      if (this.asked.length < MOST) this.asked.push(this.#open);
    }
  }

  #abort(): void {
    if (this.#open !== null) this.#open.aborted = true;
  }

  /** Of a reply in several lines the last. */
  #reply(line: string, frame: number): void {
    const open = this.#open;
    if (open === null || !/^[1-5]\d\d /.test(line)) return;
    open.answered ||= frame;
    if (line.startsWith("1")) {
      open.begun = true;
      return;
    }
    open.frame = frame;
    open.code = Number(line.slice(0, 3));
    this.#open = null;
  }
}

/** RFC 959 §4.1.3: the telnet signals of an interrupt come before it. */
const TELNET_COMMAND = 0xff;
const isInterrupt = (line: string): boolean => line.charCodeAt(0) === TELNET_COMMAND;
const isAbort = (line: string): boolean => isInterrupt(line) || line.slice(0, 4).toUpperCase() === "ABOR";

const head = (bytes: Uint8Array, start: number, end: number): string =>
  String.fromCharCode(...bytes.subarray(start, Math.min(end, start + TELLING)));
