/** One line as its readers see it: looked at once, so that what most lines are need not be found out again and again. */
import { CR, LF } from "../../core/wire/text.ts";
import { IAC, NUL, putPlain } from "./telnet.ts";

/**
 * A line, without its LF, as it came (`raw`) and as those read it that take telnet bytes out (`text`). One object serves
 * all lines, one after the other: whoever needs something of it later takes it out before.
 */
export class Line {
  raw: Uint8Array = new Uint8Array(0);
  /** Where the line ends in `raw`; it begins at 0. */
  end = 0;
  text: Uint8Array = this.raw;
  textEnd = 0;
  /** There is nothing in it that peers differ about: no telnet bytes, and no CR but before its LF. `text` is `raw`. */
  simple = true;

  /** What telnet bytes were taken out of. */
  #plain = new Uint8Array(1024);

  /** From now on the line is bytes `[0, end)`. */
  show(bytes: Uint8Array, end: number): void {
    this.raw = bytes;
    this.end = end;
    this.simple = isSimple(bytes, end);
    if (this.simple) {
      this.text = bytes;
      this.textEnd = end;
      return;
    }
    if (this.#plain.length < end) this.#plain = new Uint8Array(2 * end);
    this.text = this.#plain;
    this.textEnd = putPlain(bytes, end, this.#plain);
  }

  /** It has telnet bytes in it; each costs a byte at least. */
  get telnet(): boolean {
    return this.textEnd !== this.end;
  }
}

function isSimple(bytes: Uint8Array, end: number): boolean {
  for (let at = 0; at < end; at++) {
    const byte = bytes[at]!;
    if (byte > CR && byte < IAC) continue;
    if (byte === NUL || byte === IAC || (byte === CR && at + 1 < end)) return false;
  }
  return true;
}

/** Not 0: a byte that `simpleLine` has to look at. */
const MARKED = new Uint8Array(256);
for (const byte of [NUL, LF, CR, IAC]) MARKED[byte] = 1;

/**
 * Where the LF of the line at `at` is, if it is a simple one; `end`, if it has not ended before; else -1. By four bytes, as far
 * as none is marked.
 */
export function simpleLine(bytes: Uint8Array, at: number, end: number): number {
  let i = at;
  while (i + 4 <= end && (marked(bytes, i) | marked(bytes, i + 1) | marked(bytes, i + 2) | marked(bytes, i + 3)) === 0)
    i += 4;
  for (; i < end; i++) {
    const byte = bytes[i]!;
    if (byte > CR && byte < IAC) continue;
    if (byte === LF) return i;
    if (byte === NUL || byte === IAC || (byte === CR && i + 1 < end && bytes[i + 1] !== LF)) return -1;
  }
  return end;
}

const marked = (bytes: Uint8Array, i: number): number => MARKED[bytes[i]!]!;
