/** Places in the head of a message where its speaker names the service, by how its receiver knows it. */
import type { ByteRange, Endpoint } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { decimal, isDigit, isLetter, latin1, skipDigits } from "../../core/wire/text.ts";

const COLON = 0x3a;
const DOT = 0x2e;
const DASH = 0x2d;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const LONGEST_HOST = 48;

export interface Edit extends ByteRange {
  readonly text: string;
}
/** `own`: how the speaker knows the service. `shown`: how the receiver does. */
export interface Names {
  readonly own: Endpoint;
  readonly shown: Endpoint;
}

/** Every host in `[start, end)`, with the port behind it, that is the service. */
export function hostEdits(bytes: Uint8Array, { start, end }: ByteRange, names: Names): Edit[] {
  const edits: Edit[] = [];
  for (let at = start; at < end; ) {
    const host = hostEnd(bytes, at, end);
    const edit = host > at ? hostEdit(bytes, { start: at, end: host }, end, names) : null;
    if (edit !== null) edits.push(edit);
    at = Math.max(host, at + 1);
  }
  return edits;
}

const RPORT = ";rport=";

/** RFC 3581 §4: the port that `own` was seen at, as a realserver tells it in Via. */
export function portEdit(bytes: Uint8Array, { start, end }: ByteRange, { own, shown }: Names): Edit | null {
  const text = latin1(bytes, start, end).toLowerCase();
  const at = text.indexOf(RPORT);
  if (at < 0) return null;
  const digits = start + at + RPORT.length;
  const stop = skipDigits(bytes, digits, end);
  if (stop === digits || decimal(bytes, digits, stop) !== own.port) return null;
  return { start: digits, end: stop, text: `${shown.port}` };
}

function hostEdit(bytes: Uint8Array, host: ByteRange, end: number, { own, shown }: Names): Edit | null {
  if (host.end - host.start > LONGEST_HOST) return null;
  const bracketed = bytes[host.start] === OPEN ? 1 : 0;
  const text = latin1(bytes, host.start + bracketed, host.end - bracketed);
  if (!Address.parse(text)?.equals(own.address)) return null;
  const name = shown.address.family === 6 ? `[${shown.address}]` : `${shown.address}`;
  const digits = bytes[host.end] === COLON ? skipDigits(bytes, host.end + 1, end) : host.end;
  // Another port of the same host: another service, of which only the address is known here.
  if (digits <= host.end + 1 || decimal(bytes, host.end + 1, digits) !== own.port) return { ...host, text: name };
  return { start: host.start, end: digits, text: `${name}:${shown.port}` };
}

/** The end of a host that begins at `at`; `at`: none does. */
function hostEnd(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] === OPEN) {
    const close = bytes.subarray(at, Math.min(end, at + LONGEST_HOST)).indexOf(CLOSE);
    return close < 0 ? at : at + close + 1;
  }
  let stop = at;
  while (stop < end && isHostByte(bytes[stop])) stop++;
  return stop;
}

const isHostByte = (byte: number | undefined): boolean =>
  isDigit(byte) || isLetter(byte) || byte === DOT || byte === DASH;
