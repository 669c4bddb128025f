/** The bytes of SIP messages (RFC 3261 §7): first lines, and the headers that matter here, in both of their forms. */
import { type Header, numberIn, parseHeaders, trimmed } from "../../core/wire/head.ts";
import { decimal, isBlank, isDigit, isLetter, latin1, SPACE, skipDigits } from "../../core/wire/text.ts";

const VERSION = "SIP/2.0";
/** Longest method that is looked at (RFC 3261 §7.1: any token). */
const LONGEST_METHOD = 32;
/** Characters of a Call-ID that tell one from another here. */
const LONGEST_CALL = 256;

export type FirstLine = { readonly method: string } | { readonly status: number };

const isVersion = (bytes: Uint8Array, at: number, end: number): boolean =>
  end - at >= VERSION.length && latin1(bytes, at, at + VERSION.length).toUpperCase() === VERSION;

/** The line `[0, end)`, `end` being its LF; null: it opens no message. */
export function parseFirstLine(bytes: Uint8Array, end: number): FirstLine | null {
  const { end: last } = trimmed(bytes, 0, end);
  if (isVersion(bytes, 0, last)) return parseStatus(bytes, last);
  const method = methodEnd(bytes, last);
  const version = bytes.lastIndexOf(SPACE, last - 1) + 1;
  if (method === 0 || version <= method + 1) return null;
  if (!isVersion(bytes, version, last) || version + VERSION.length !== last) return null;
  return { method: latin1(bytes, 0, method).toUpperCase() };
}

/** Whether these bytes, which have no LF yet, may still become a first line. */
export function mayOpen(bytes: Uint8Array): boolean {
  const begun = latin1(bytes, 0, Math.min(bytes.length, VERSION.length)).toUpperCase();
  return methodEnd(bytes, bytes.length) > 0 || VERSION.startsWith(begun);
}

/** The end of a method that a blank follows, or of what may become one; 0: none. */
function methodEnd(bytes: Uint8Array, end: number): number {
  let at = 0;
  while (at < end && at <= LONGEST_METHOD && isLetter(bytes[at])) at++;
  return at <= LONGEST_METHOD && (at === end || bytes[at] === SPACE) ? at : 0;
}

/** `SIP/2.0 200 OK` (RFC 3261 §7.2). */
function parseStatus(bytes: Uint8Array, end: number): FirstLine | null {
  let at = VERSION.length;
  while (at < end && isBlank(bytes[at])) at++;
  const stop = skipDigits(bytes, at, end);
  if (at === VERSION.length || stop !== at + 3 || (stop < end && !isBlank(bytes[stop]))) return null;
  return { status: decimal(bytes, at, stop) };
}

/** RFC 3261 §7.3.3: compact forms. */
const FORMS: Readonly<Record<string, string>> = {
  i: "call-id",
  l: "content-length",
  c: "content-type",
  v: "via",
  m: "contact",
  f: "from",
  t: "to",
};

export interface Head {
  readonly bytes: Uint8Array;
  /** Behind the empty line. */
  readonly end: number;
  readonly headers: readonly Header[];
}

export function parseHead(bytes: Uint8Array, end: number): Head {
  const headers = parseHeaders(bytes, end).map((header) => ({ ...header, name: FORMS[header.name] ?? header.name }));
  return { bytes, end, headers };
}

export function textOf({ bytes, headers }: Head, name: string): string {
  const header = headers.find((one) => one.name === name);
  return header === undefined ? "" : latin1(bytes, header.start, header.end);
}

export const callOf = (head: Head): string => textOf(head, "call-id").slice(0, LONGEST_CALL);

/** RFC 3261 §20.16: the method that an answer answers. */
export function methodOf(head: Head): string {
  const text = textOf(head, "cseq");
  let at = 0;
  while (isDigit(text.charCodeAt(at)) || isBlank(text.charCodeAt(at))) at++;
  return text.slice(at).trim().toUpperCase();
}

/** Content-Length and where it stands; null: there is none. Of one that is no number the number is null. */
export function lengthOf({ bytes, headers }: Head): { readonly header: Header; readonly length: number | null } | null {
  const header = headers.find(({ name }) => name === "content-length");
  return header === undefined ? null : { header, length: numberIn(bytes, header) };
}
