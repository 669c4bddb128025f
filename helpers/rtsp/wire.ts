/** The bytes of RTSP messages (RFC 2326 §4 to §7, RFC 7826 §5): where a head ends, its first line, its headers. */
import { type Header, numberIn, parseHeaders, trimmed } from "../../core/wire/head.ts";
import { decimal, isBlank, isDigit, isLetter, latin1, SPACE, skipDigits } from "../../core/wire/text.ts";

export const DOLLAR = 0x24;
const DASH = 0x2d;
const UNDERSCORE = 0x5f;

/** Longest method that is looked at (RFC 2326 §10: GET_PARAMETER has 13). */
const LONGEST_NAME = 32;

export interface Request {
  readonly method: string;
  readonly uri: string;
}
/** What a first line says. `http`: RTSP tunnelled through HTTP opens with a request of that protocol. */
export type FirstLine = Request | { readonly status: number } | "http";

/** The line `[0, end)`, `end` being its LF; null: it opens no message. */
export function parseFirstLine(bytes: Uint8Array, end: number): FirstLine | null {
  const { end: last } = trimmed(bytes, 0, end);
  if (isVersion(bytes, 0, last)) return parseStatus(bytes, last);
  const method = methodEnd(bytes, last);
  const version = bytes.lastIndexOf(SPACE, last - 1) + 1;
  if (method === 0 || version <= method + 1) return null;
  if (startsWith(bytes, version, last, "HTTP/")) return "http";
  if (!isVersion(bytes, version, last)) return null;
  const uri = trimmed(bytes, method, version);
  if (uri.start === uri.end) return null;
  return { method: latin1(bytes, 0, method).toUpperCase(), uri: latin1(bytes, uri.start, uri.end) };
}

/** Whether these bytes, which have no LF yet, may still become a first line. */
export function mayOpen(bytes: Uint8Array): boolean {
  const end = methodEnd(bytes, bytes.length);
  if (end === bytes.length) return end <= LONGEST_NAME;
  return end > 0 || startsWith(bytes, 0, bytes.length, "RTSP/");
}

/** The end of a method that a blank follows, or of what may become one; 0: none. */
function methodEnd(bytes: Uint8Array, end: number): number {
  let at = 0;
  while (at < end && at <= LONGEST_NAME && isNameByte(bytes[at])) at++;
  return at === end || (bytes[at] === SPACE && at <= LONGEST_NAME) ? at : 0;
}

const isNameByte = (byte: number | undefined): boolean => isLetter(byte) || byte === UNDERSCORE || byte === DASH;

/** `RTSP/1.0` and later versions, and a blank or the end behind it. */
const isVersion = (bytes: Uint8Array, at: number, end: number): boolean =>
  startsWith(bytes, at, end, "RTSP/") && isDigit(bytes[at + 5]) && at + 5 < end;

function startsWith(bytes: Uint8Array, at: number, end: number, text: string): boolean {
  return end - at >= text.length && latin1(bytes, at, at + text.length).toUpperCase() === text;
}

/** `RTSP/1.0 200 OK` (RFC 2326 §7.1). */
function parseStatus(bytes: Uint8Array, end: number): { readonly status: number } | null {
  let at = 0;
  while (at < end && !isBlank(bytes[at])) at++;
  while (at < end && isBlank(bytes[at])) at++;
  const stop = skipDigits(bytes, at, end);
  if (stop !== at + 3 || (stop < end && !isBlank(bytes[stop]))) return null;
  return { status: decimal(bytes, at, stop) };
}

/** The head of a message, and how long the body is that follows it. */
export interface Head {
  readonly bytes: Uint8Array;
  /** Behind its empty line. */
  readonly end: number;
  readonly headers: readonly Header[];
  /** Bytes; 0 without a Content-Length (RFC 2326 §4.4), or with one that is no number. */
  readonly body: number;
}

export function parseHead(bytes: Uint8Array, end: number): Head {
  const headers = parseHeaders(bytes, end);
  const length = headers.find(({ name }) => name === "content-length");
  return { bytes, end, headers, body: length === undefined ? 0 : (numberIn(bytes, length) ?? 0) };
}

export const headersOf = ({ headers }: Head, name: string): readonly Header[] =>
  headers.filter((header) => header.name === name);

/** The first header of that name as text; empty where there is none. */
export function textOf({ bytes, headers }: Head, name: string): string {
  const header = headers.find((one) => one.name === name);
  return header === undefined ? "" : latin1(bytes, header.start, header.end);
}

/** RFC 2326 §12.17; null: none, or no number. */
export function cseqOf({ bytes, headers }: Head): number | null {
  const header = headers.find(({ name }) => name === "cseq");
  return header === undefined ? null : numberIn(bytes, header);
}

/** RFC 2326 §12.37: the session without its timeout. */
export const sessionOf = (head: Head): string => textOf(head, "session").split(";")[0]!.trim();
