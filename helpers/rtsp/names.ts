/**
 * Places outside of Transport where a message names the realserver: URLs in headers and descriptions, and the addresses
 * of an SDP description (RFC 8866 §5.2, §5.7). What announces nothing is replaced, by what its receiver knows.
 */
import type { Actions, Direction } from "../../core/helper/api.ts";
import type { ByteRange, Endpoint } from "../../core/units.ts";
import { endpointText } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { CR, decimal, isBlank, LF, latin1, skipDigits } from "../../core/wire/text.ts";
import { type Head, headersOf } from "./wire.ts";

const COLON = 0x3a;
const SLASH = 0x2f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const EQUALS = 0x3d;

/** RFC 2326 §3.2. */
const DEFAULT_PORT = 554;
/** Longest host in a URL, longest line of a description, that can hold an address. */
const LONGEST_HOST = 64;

/** Headers with URLs in them that the client will go to. */
const URL_HEADERS = ["content-base", "content-location", "location", "rtp-info"];

export interface Edit extends ByteRange {
  readonly text: string;
}

/** `own`: how the speaker knows the server. `shown`: how the receiver does. */
export interface Names {
  readonly own: Endpoint;
  readonly shown: Endpoint;
}

export const differ = ({ own, shown }: Names): boolean => own.port !== shown.port || !own.address.equals(shown.address);

/** What the message says of the server in its own terms, in those of its receiver. */
export function replaceNames(
  head: Head,
  withBody: boolean,
  names: Names,
  direction: Direction,
  actions: Actions,
): void {
  const { bytes, headers, end, body } = head;
  const edits: Edit[] = [];
  if (direction === "reply") {
    for (const header of headers) if (URL_HEADERS.includes(header.name)) edits.push(...urlEdits(bytes, header, names));
  }
  const described: ByteRange = { start: end, end: end + body };
  const inBody = withBody ? descriptionEdits(bytes, described, names) : [];
  const longer = inBody.reduce((sum, { start, end, text }) => sum + text.length - (end - start), 0);
  const length = headersOf(head, "content-length")[0];
  if (longer !== 0 && length !== undefined) {
    edits.push({ start: length.start, end: length.end, text: `${body + longer}` });
  }
  for (const { start, end, text } of [...edits, ...inBody]) actions.write(start, end, text);
}

const hostText = ({ address }: Endpoint): string => (address.family === 6 ? `[${address}]` : `${address}`);

/** Every `rtsp://host[:port]` in `[start, end)` that names the server. */
export function urlEdits(bytes: Uint8Array, { start, end }: ByteRange, names: Names): Edit[] {
  const edits: Edit[] = [];
  for (let at = bytes.indexOf(COLON, start); at >= 0 && at + 3 < end; at = bytes.indexOf(COLON, at + 1)) {
    if (bytes[at + 1] !== SLASH || bytes[at + 2] !== SLASH || !isScheme(bytes, start, at)) continue;
    const edit = authorityEdit(bytes, at + 3, end, names);
    if (edit !== null) edits.push(edit);
  }
  return edits;
}

/** rtsp, rtspu, rtsps (RFC 7826 §4.2). */
function isScheme(bytes: Uint8Array, start: number, end: number): boolean {
  const text = latin1(bytes, Math.max(start, end - 5), end).toLowerCase();
  return text.endsWith("rtsp") || text === "rtspu" || text === "rtsps";
}

function authorityEdit(bytes: Uint8Array, start: number, end: number, { own, shown }: Names): Edit | null {
  const host = hostEnd(bytes, start, end);
  const bracketed = bytes[start] === OPEN;
  const name = latin1(bytes, bracketed ? start + 1 : start, bracketed ? host - 1 : host);
  if (!Address.parse(name)?.equals(own.address)) return null;
  const digits = bytes[host] === COLON && host < end ? skipDigits(bytes, host + 1, end) : host;
  const port = digits > host + 1 ? decimal(bytes, host + 1, digits) : DEFAULT_PORT;
  // Another service of the same host: only its address is known here.
  if (port !== own.port) return { start, end: host, text: hostText(shown) };
  return { start, end: digits, text: shown.port === DEFAULT_PORT ? hostText(shown) : endpointText(shown) };
}

function hostEnd(bytes: Uint8Array, start: number, end: number): number {
  const stop = Math.min(end, start + LONGEST_HOST);
  let at = start;
  if (bytes[at] === OPEN) {
    while (at < stop && bytes[at] !== CLOSE) at++;
    return Math.min(at + 1, stop);
  }
  while (at < stop && isHostByte(bytes[at]!)) at++;
  return at;
}

/** Digits, letters, dots and hyphens. */
const isHostByte = (byte: number): boolean =>
  byte === 0x2d || byte === 0x2e || (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a);

/** What of the description `[start, end)` names the server: `o=`, `c=`, and URLs in `a=control`. */
export function descriptionEdits(bytes: Uint8Array, { start, end }: ByteRange, names: Names): Edit[] {
  const edits: Edit[] = [];
  for (let line = start; line < end; ) {
    const lf = bytes.indexOf(LF, line);
    const next = lf < 0 || lf >= end ? end : lf + 1;
    edits.push(...lineEdits(bytes, { start: line, end: next }, names));
    line = next;
  }
  return edits;
}

function lineEdits(bytes: Uint8Array, line: ByteRange, names: Names): readonly Edit[] {
  if (bytes[line.start + 1] !== EQUALS) return [];
  switch (String.fromCharCode(bytes[line.start]!)) {
    case "o":
      return addressEdit(bytes, line, 4, names);
    case "c":
      return addressEdit(bytes, line, 1, names);
    case "a":
      return latin1(bytes, line.start, line.start + 10) === "a=control:" ? urlEdits(bytes, line, names) : [];
    default:
      return [];
  }
}

/** `IP4 192.0.2.1`, the field `index` of the line and the one behind it, which may end in `/ttl`. */
function addressEdit(bytes: Uint8Array, line: ByteRange, index: number, { own, shown }: Names): readonly Edit[] {
  const fields = fieldsOf(bytes, line.start + 2, line.end, index + 2);
  const [type, host] = fields.slice(index);
  if (type === undefined || host === undefined) return [];
  const slash = bytes.subarray(host.start, host.end).indexOf(SLASH);
  const end = slash < 0 ? host.end : host.start + slash;
  if (end - host.start > LONGEST_HOST) return [];
  if (!Address.parse(latin1(bytes, host.start, end))?.equals(own.address)) return [];
  return [{ start: type.start, end, text: `IP${shown.address.family} ${shown.address}` }];
}

/** The first `count` words of a line. */
function fieldsOf(bytes: Uint8Array, start: number, end: number, count: number): ByteRange[] {
  const fields: ByteRange[] = [];
  for (let at = start; at < end && fields.length < count; ) {
    while (at < end && isEnd(bytes[at]!)) at++;
    const from = at;
    while (at < end && !isEnd(bytes[at]!)) at++;
    if (at > from) fields.push({ start: from, end: at });
  }
  return fields;
}

const isEnd = (byte: number): boolean => isBlank(byte) || byte === CR || byte === LF;
