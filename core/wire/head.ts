/**
 * Heads of messages in the manner of RFC 822, as RTSP and SIP have them: a first line, headers, an empty line. Lines end
 * at LF, with or without CR.
 */
import type { ByteRange } from "../units.ts";
import { CR, decimal, HT, isBlank, LF, latin1, SPACE, skipDigits } from "./text.ts";

const COLON = 0x3a;
/** Longest header name that is looked at. */
const LONGEST_NAME = 32;

/** White space within a head: a folded header goes on in the next line (RFC 2326 §4, by RFC 2068 §2.2). */
export const isSpace = (byte: number | undefined): boolean => isBlank(byte) || byte === CR || byte === LF;

/** `[start, end)` without the white space around it. */
export function trimmed(bytes: Uint8Array, start: number, end: number): ByteRange {
  while (start < end && isSpace(bytes[start])) start++;
  while (end > start && isSpace(bytes[end - 1])) end--;
  return { start, end };
}

/** A line is empty but for its CR. */
const isEmptyLine = (bytes: Uint8Array, start: number, end: number): boolean =>
  start === end || (end === start + 1 && bytes[start] === CR);

/**
 * Where the head ends that begins the payload: behind its first empty line. `from`: the start of a line before which
 * there is none. Lines end at LF, with or without CR (RFC 2326 §4). Negative: `-1 - n`, and line `n` is the one to go on
 * from when more has come.
 */
export function headEnd(bytes: Uint8Array, from: number): number {
  for (let line = from; ; ) {
    const lf = bytes.indexOf(LF, line);
    if (lf < 0) return -1 - line;
    if (isEmptyLine(bytes, line, lf)) return lf + 1;
    line = lf + 1;
  }
}

/** A header's value, without the white space around it. */
export interface Header extends ByteRange {
  /** Lower case. */
  readonly name: string;
}

/** The headers of the head `[0, end)`, behind its first line. Lines that are none are passed over. */
export function parseHeaders(bytes: Uint8Array, end: number): Header[] {
  const headers: Header[] = [];
  let line = bytes.indexOf(LF) + 1;
  while (line > 0 && line < end) {
    const next = lineEnd(bytes, line, end);
    const header = parseHeader(bytes, line, next);
    if (header !== null) headers.push(header);
    line = next;
  }
  return headers;
}

/** Behind the line that begins at `line`, with those that are folded into it. */
function lineEnd(bytes: Uint8Array, line: number, end: number): number {
  for (let from = line; ; ) {
    const lf = bytes.indexOf(LF, from);
    if (lf < 0 || lf >= end) return end;
    if (bytes[lf + 1] !== SPACE && bytes[lf + 1] !== HT) return lf + 1;
    from = lf + 1;
  }
}

function parseHeader(bytes: Uint8Array, line: number, end: number): Header | null {
  const colon = bytes.subarray(line, Math.min(end, line + LONGEST_NAME + 1)).indexOf(COLON);
  if (colon <= 0) return null;
  const name = trimmed(bytes, line, line + colon);
  return {
    name: latin1(bytes, name.start, name.end).toLowerCase(),
    ...trimmed(bytes, line + colon + 1, end),
  };
}

/** The decimal number that `[start, end)` is and nothing else; null: none. */
export function numberIn(bytes: Uint8Array, { start, end }: ByteRange): number | null {
  if (start === end || skipDigits(bytes, start, end) !== end) return null;
  const number = decimal(bytes, start, end);
  return Number.isFinite(number) ? number : null;
}
