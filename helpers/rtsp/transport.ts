/** The Transport header (RFC 2326 §12.39, RFC 7826 §18.54, and RealNetworks' own transports). */
import type { ByteRange } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { isSpace, trimmed } from "../../core/wire/head.ts";
import { decimal, latin1, skipDigits } from "../../core/wire/text.ts";

const COMMA = 0x2c;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const DASH = 0x2d;
const SLASH = 0x2f;
const COLON = 0x3a;

export type Malformed = "bad-port" | "too-many-ports" | "bad-address" | "too-many-transports";

/** Transports in one header, and ports in one parameter, that are looked at. RealPlayer offers six. */
const MOST_TRANSPORTS = 16;
/** RTP and RTCP. */
const MOST_PORTS = 2;

export interface PortAt extends ByteRange {
  readonly port: number;
}
export interface AddressAt extends ByteRange {
  /** null: a host name, or nothing that could be read. */
  readonly address: Address | null;
  /** It stands before a colon and a port, so that an IPv6 address needs brackets. */
  readonly bracketed: boolean;
}

/** Where one side of a transport is: RTP first, RTCP second. */
export interface Ends {
  readonly ports: readonly PortAt[];
  readonly addresses: readonly AddressAt[];
}

export interface TransportSpec {
  /** Within the control connection: no flow of its own. */
  readonly interleaved: boolean;
  readonly multicast: boolean;
  /** client_port, destination; dest_addr. */
  readonly client: Ends;
  /** server_port, source; src_addr. */
  readonly server: Ends;
  /** port: those of a multicast group. */
  readonly group: readonly PortAt[];
}

interface Parameters {
  interleaved: boolean;
  multicast: boolean;
  readonly ports: Record<"client" | "server" | "group", PortAt[]>;
  readonly addresses: Record<"client" | "server", AddressAt[]>;
}

/** The transports of a header's value, in their order; or what is wrong with them. */
export function parseTransports(bytes: Uint8Array, { start, end }: ByteRange): TransportSpec[] | Malformed {
  const specs: TransportSpec[] = [];
  for (const part of parts(bytes, start, end, COMMA)) {
    const spec = parseTransport(bytes, part);
    if (typeof spec === "string") return spec;
    if (specs.push(spec) > MOST_TRANSPORTS) return "too-many-transports";
  }
  return specs;
}

function parseTransport(bytes: Uint8Array, { start, end }: ByteRange): TransportSpec | Malformed {
  const read: Parameters = {
    interleaved: false,
    multicast: false,
    ports: { client: [], server: [], group: [] },
    addresses: { client: [], server: [] },
  };
  let first = true;
  for (const part of parts(bytes, start, end, SEMICOLON)) {
    const wrong = first ? protocol(bytes, part, read) : parameter(bytes, part, read);
    if (wrong !== null) return wrong;
    first = false;
  }
  const { interleaved, multicast, ports, addresses } = read;
  return {
    interleaved,
    multicast,
    client: { ports: ports.client, addresses: addresses.client },
    server: { ports: ports.server, addresses: addresses.server },
    group: ports.group,
  };
}

/** `RTP/AVP`, `RTP/AVP/TCP`, `x-real-rdt/udp`, `x-pn-tng/udp`, `MP2T/H2221/UDP`. */
function protocol(bytes: Uint8Array, { start, end }: ByteRange, read: Parameters): null {
  const name = latin1(bytes, start, Math.min(end, start + 64)).toLowerCase();
  const lower = name.slice(name.lastIndexOf("/") + 1);
  if (lower === "tcp") read.interleaved = true;
  if (lower === "mcast") read.multicast = true;
  return null;
}

const PORTS = { client_port: "client", server_port: "server", port: "group" } as const;
const ADDRESSES = { destination: "client", source: "server" } as const;
const SOCKETS = { dest_addr: "client", src_addr: "server" } as const;

function parameter(bytes: Uint8Array, { start, end }: ByteRange, read: Parameters): Malformed | null {
  const equals = bytes.subarray(start, end).indexOf(EQUALS);
  const stop = equals < 0 ? end : start + equals;
  const key = trimmed(bytes, start, stop);
  const name = latin1(bytes, key.start, Math.min(key.end, key.start + 16)).toLowerCase();
  if (name === "multicast") read.multicast = true;
  if (name === "interleaved") read.interleaved = true;
  if (equals < 0) return null;
  const value = unquoted(bytes, trimmed(bytes, stop + 1, end));
  if (name in PORTS) return ports(bytes, value, read.ports[PORTS[name as keyof typeof PORTS]]);
  if (name in ADDRESSES) read.addresses[ADDRESSES[name as keyof typeof ADDRESSES]].push(addressAt(bytes, value, false));
  if (name in SOCKETS)
    return sockets(bytes, trimmed(bytes, stop + 1, end), read, SOCKETS[name as keyof typeof SOCKETS]);
  return null;
}

/** `a`, `a-b`, and as some clients write it, `a/b`. */
function ports(bytes: Uint8Array, { start, end }: ByteRange, into: PortAt[]): Malformed | null {
  const first = skipDigits(bytes, start, end);
  const pair = first < end && (bytes[first] === DASH || bytes[first] === SLASH);
  const second = pair ? skipDigits(bytes, first + 1, end) : first;
  if (second !== end || (pair && second === first + 1)) return "bad-port";
  const wrong = portAt(bytes, start, first, into);
  return wrong ?? (pair ? portAt(bytes, first + 1, second, into) : null);
}

function portAt(bytes: Uint8Array, start: number, end: number, into: PortAt[]): Malformed | null {
  const port = start === end ? Number.POSITIVE_INFINITY : decimal(bytes, start, end);
  if (port > 0xffff) return "bad-port";
  if (into.length === MOST_PORTS) return "too-many-ports";
  into.push({ start, end, port });
  return null;
}

/** `"192.0.2.5:3456"/":3457"`, each address and each port perhaps left out (RFC 7826 §18.54.3). */
function sockets(
  bytes: Uint8Array,
  { start, end }: ByteRange,
  read: Parameters,
  side: "client" | "server",
): Malformed | null {
  for (const part of parts(bytes, start, end, SLASH)) {
    const inner = unquoted(bytes, part);
    const colon = bytes.subarray(inner.start, inner.end).lastIndexOf(COLON);
    const stop = colon < 0 ? inner.end : inner.start + colon;
    if (stop > inner.start) read.addresses[side].push(addressAt(bytes, { start: inner.start, end: stop }, true));
    const wrong = colon < 0 ? null : portAt(bytes, ...numberAt(bytes, stop + 1, inner.end), read.ports[side]);
    if (wrong !== null) return wrong;
  }
  return null;
}

/** The digits `[start, end)`; an empty range where there is anything else. */
const numberAt = (bytes: Uint8Array, start: number, end: number): [number, number] =>
  skipDigits(bytes, start, end) === end ? [start, end] : [start, start];

/** A host: an address, in brackets or not. */
function addressAt(bytes: Uint8Array, { start, end }: ByteRange, bracketed: boolean): AddressAt {
  const text = latin1(bytes, start, Math.min(end, start + 64));
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  return { start, end, address: Address.parse(bare), bracketed };
}

function unquoted(bytes: Uint8Array, { start, end }: ByteRange): ByteRange {
  const quoted = end - start >= 2 && bytes[start] === QUOTE && bytes[end - 1] === QUOTE;
  return quoted ? { start: start + 1, end: end - 1 } : { start, end };
}

/** What stands between separators that are not in quotes, without the white space around it; empty parts left out. */
function* parts(bytes: Uint8Array, start: number, end: number, separator: number): Generator<ByteRange> {
  let quoted = false;
  let from = start;
  for (let at = start; at <= end; at++) {
    if (at < end && bytes[at] === QUOTE) quoted = !quoted;
    if (at < end && (quoted || bytes[at] !== separator)) continue;
    const part = trimmed(bytes, from, at);
    if (part.end > part.start && !isSpace(bytes[part.start])) yield part;
    from = at + 1;
  }
}

/** 224.0.0.0/4 (RFC 5771), ff00::/8 (RFC 4291 §2.7). */
export const isMulticast = ({ family, words }: Address): boolean =>
  family === 4 ? words[3] >>> 28 === 0xe : words[0] >>> 24 === 0xff;
