/** Session descriptions (RFC 8866 §5, RFC 3605, RFC 3551 §11): which ends they offer. */
import type { ByteRange } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { CR, decimal, isBlank, LF, latin1, skipDigits } from "../../core/wire/text.ts";

const EQUALS = 0x3d;
const SLASH = 0x2f;
/** Streams of one description, and ends of them, that are looked at. */
const MOST_STREAMS = 16;
/** A line beyond this is none that names an end. */
const LONGEST_LINE = 512;

export interface AddressAt extends ByteRange {
  /** null: a host name. The range is that of the whole connection's address, `IP4 192.0.2.1`. */
  readonly address: Address | null;
}
export interface PortAt extends ByteRange {
  readonly port: number;
}

export interface Stream {
  /** `rtp`: with a flow of reports beside it. `udptl`: fax (RFC 7345). `other`: none that is carried by datagrams here. */
  readonly kind: "rtp" | "udptl" | "other";
  readonly port: PortAt;
  /** Its own, or the session's. */
  address: AddressAt | null;
  /** RFC 3605: where its reports go, if that is not the next port; null: it is. */
  reports: { readonly port: PortAt; readonly address: AddressAt | null } | null;
}

export interface Description {
  /** All that it names, whatever of it is in use. */
  readonly addresses: readonly AddressAt[];
  /** Port 0: switched off. */
  readonly streams: readonly Stream[];
}

interface Line extends ByteRange {
  /** Words of it, from `x=` on. */
  readonly words: readonly ByteRange[];
}

type Malformed = "bad-port" | "too-many-streams";

/** The description `[start, end)`, or what is wrong with it. */
export function parseDescription(bytes: Uint8Array, { start, end }: ByteRange): Description | Malformed {
  const read: Reading = { addresses: [], session: null, streams: [] };
  for (const line of linesOf(bytes, start, end)) {
    const wrong = readLine(bytes, line, read);
    if (wrong !== null) return wrong;
  }
  return read;
}

interface Reading {
  readonly addresses: AddressAt[];
  /** The session's address: that of every stream that has none of its own. */
  session: AddressAt | null;
  readonly streams: Stream[];
}

function readLine(bytes: Uint8Array, line: Line, read: Reading): Malformed | null {
  const stream = read.streams.at(-1);
  switch (String.fromCharCode(bytes[line.start]!)) {
    case "m": {
      const next = streamAt(bytes, line);
      if (next === "bad-port") return next;
      return read.streams.push({ ...next, address: read.session }) > MOST_STREAMS ? "too-many-streams" : null;
    }
    case "o": {
      note(read, addressAt(bytes, line.words.slice(4)));
      return null;
    }
    case "c": {
      const address = note(read, addressAt(bytes, line.words.slice(1)));
      if (stream === undefined) read.session = address;
      else stream.address = address;
      return null;
    }
    case "a": {
      const reports = reportsAt(bytes, line);
      if (reports === "bad-port") return reports;
      note(read, reports?.address ?? null);
      if (stream !== undefined && reports !== null) stream.reports = reports;
      return null;
    }
    default:
      return null;
  }
}

function note({ addresses }: Reading, address: AddressAt | null): AddressAt | null {
  if (address !== null) addresses.push(address);
  return address;
}

function* linesOf(bytes: Uint8Array, start: number, end: number): Generator<Line> {
  for (let at = start; at < end; ) {
    const lf = bytes.indexOf(LF, at);
    const next = lf < 0 || lf >= end ? end : lf + 1;
    if (bytes[at + 1] === EQUALS && next - at <= LONGEST_LINE)
      yield { start: at, end: next, words: wordsOf(bytes, at + 2, next) };
    at = next;
  }
}

function wordsOf(bytes: Uint8Array, start: number, end: number): ByteRange[] {
  const words: ByteRange[] = [];
  for (let at = start; at < end; ) {
    while (at < end && isEnd(bytes[at]!)) at++;
    const from = at;
    while (at < end && !isEnd(bytes[at]!)) at++;
    if (at > from) words.push({ start: from, end: at });
  }
  return words;
}

const isEnd = (byte: number): boolean => isBlank(byte) || byte === CR || byte === LF;

/** `audio 49170/2 RTP/AVP 0`. */
function streamAt(bytes: Uint8Array, { words }: Line): Omit<Stream, "address"> | "bad-port" {
  const [, word, protocol] = words;
  if (word === undefined || protocol === undefined) return "bad-port";
  const slash = bytes.subarray(word.start, word.end).indexOf(SLASH);
  const port = portAt(bytes, { start: word.start, end: slash < 0 ? word.end : word.start + slash });
  if (port === "bad-port") return port;
  const name = latin1(bytes, protocol.start, Math.min(protocol.end, protocol.start + 32)).toLowerCase();
  return { kind: kindOf(name), port, reports: null };
}

/** `RTP/SAVP`, `UDP/TLS/RTP/SAVPF`; `udptl`, `UDP/TLS/UDPTL`. */
const kindOf = (protocol: string): Stream["kind"] =>
  protocol.includes("rtp/") ? "rtp" : protocol.endsWith("udptl") ? "udptl" : "other";

function portAt(bytes: Uint8Array, { start, end }: ByteRange): PortAt | "bad-port" {
  const whole = end > start && skipDigits(bytes, start, end) === end;
  const port = whole ? decimal(bytes, start, end) : Number.POSITIVE_INFINITY;
  return port > 0xffff ? "bad-port" : { start, end, port };
}

/** `IP4 192.0.2.1/127`: these words. */
function addressAt(bytes: Uint8Array, [type, host]: readonly ByteRange[]): AddressAt | null {
  if (type === undefined || host === undefined) return null;
  const slash = bytes.subarray(host.start, host.end).indexOf(SLASH);
  const end = slash < 0 ? host.end : host.start + slash;
  return { start: type.start, end, address: Address.parse(latin1(bytes, host.start, Math.min(end, host.start + 64))) };
}

const REPORTS = "rtcp:";

/** `rtcp:4005 IN IP4 192.0.2.1`, the address perhaps left out. */
function reportsAt(bytes: Uint8Array, { words }: Line): Stream["reports"] | "bad-port" {
  const [first, , ...address] = words;
  if (first === undefined) return null;
  const start = first.start + REPORTS.length;
  if (latin1(bytes, first.start, Math.min(start, first.end)) !== REPORTS) return null;
  const port = portAt(bytes, { start, end: first.end });
  return port === "bad-port" ? port : { port, address: addressAt(bytes, address) };
}
