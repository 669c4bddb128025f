/** MMS over TCP (MS-MMSP 2.2.2, 2.2.3, 2.2.4), little-endian: packets, the messages in them, the name of a funnel. */
import type { ByteRange } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { u16le, u32le } from "../../core/wire/bytes.ts";
import { decimal, latin1, skipDigits } from "../../core/wire/text.ts";

/** 2.2.3: rep, version, session, length, seal, chunks, sequence, time. */
const HEADER = 32;
/** What messageLength leaves out. */
const UNCOUNTED = 16;
/** 2.2.2: what opens a packet of the stream itself, when that is sent within the connection. */
const DATA_HEADER = 8;
/** Everything is counted in these. */
const CHUNK = 8;

/** 2.2.4.18. */
export const CONNECT_FUNNEL = 0x00030002;
/** 2.2.4.4. */
export const DISCONNECTED_FUNNEL = 0x00040003;

/** Of a message: the fields of LinkViewerToMacConnectFunnel before its name. */
const FUNNEL_NAME = 28;

/** By their places in a packet: rep, the session's and the seal's bytes. */
const SIGNATURE: readonly (readonly [at: number, byte: number])[] = [
  [0, 0x01],
  [4, 0xce],
  [5, 0xfa],
  [6, 0x0b],
  [7, 0xb0],
  [12, 0x4d],
  [13, 0x4d],
  [14, 0x53],
  [15, 0x20],
];

/** Whether these bytes open a packet of messages; null: more are needed to tell. */
export function isPacket(bytes: Uint8Array): boolean | null {
  for (const [at, byte] of SIGNATURE) {
    if (at >= bytes.length) return null;
    if (bytes[at] !== byte) return false;
  }
  return true;
}

/** Bytes of the packet of messages that begins here. */
export const packetLength = (bytes: Uint8Array): number => u32le(bytes, 8) + UNCOUNTED;

/** Bytes of the packet of data that begins here; 0: less than its own header; null: that is not there yet. */
export function dataLength(bytes: Uint8Array): number | null {
  if (bytes.length < DATA_HEADER) return null;
  const length = u16le(bytes, 6);
  return length < DATA_HEADER ? 0 : length;
}

export interface Message extends ByteRange {
  readonly id: number;
}

/** The messages of a packet, or null where their lengths do not add up to its own. */
export function parseMessages(packet: Uint8Array): Message[] | null {
  const messages: Message[] = [];
  if (packet.length < HEADER) return null;
  for (let at = HEADER; at < packet.length; ) {
    const length = at + CHUNK <= packet.length ? u32le(packet, at) * CHUNK : 0;
    if (length === 0 || at + length > packet.length) return null;
    messages.push({ start: at, end: at + length, id: u32le(packet, at + 4) });
    at += length;
  }
  return messages;
}

/** The socket that a client wants its stream sent to. */
export interface Funnel extends ByteRange {
  readonly transport: "tcp" | "udp";
  readonly address: Address;
  readonly port: number;
}

export type Malformed = "unterminated-name" | "bad-name" | "bad-address" | "bad-port";

/** Longest name: `\\`, an IPv6 address, `\UDP\65535`. */
const LONGEST_NAME = 64;

/** Where the name of a funnel stands: to the end of its message. */
export const nameRange = ({ start, end }: Message): ByteRange => ({ start: Math.min(end, start + FUNNEL_NAME), end });

/** `\\ip-addr\UDP\port` in UTF-16, ended by a NUL. What is behind that is padding, and some players' left-overs. */
export function parseFunnel(packet: Uint8Array, message: Message): Funnel | Malformed {
  const { start, end } = nameRange(message);
  let at = start;
  const ascii = new Uint8Array(LONGEST_NAME);
  for (let length = 0; ; length++, at += 2) {
    if (at + 1 >= end) return "unterminated-name";
    const unit = u16le(packet, at);
    if (unit === 0) return parseName(ascii, length, { start, end: at });
    if (unit > 0x7e || length === LONGEST_NAME) return "bad-name";
    ascii[length] = unit;
  }
}

function parseName(ascii: Uint8Array, length: number, range: ByteRange): Funnel | Malformed {
  const text = latin1(ascii, 0, length);
  const [empty, none, host, protocol, digits, ...more] = text.split("\\");
  if (empty !== "" || none !== "" || host === undefined || digits === undefined || more.length > 0) return "bad-name";
  const transport = protocol === "UDP" ? "udp" : protocol === "TCP" ? "tcp" : null;
  if (transport === null) return "bad-name";
  const address = Address.parse(host);
  if (address === null) return "bad-address";
  const from = length - digits.length;
  const whole = digits !== "" && skipDigits(ascii, from, length) === length;
  const port = whole ? decimal(ascii, from, length) : Number.POSITIVE_INFINITY;
  return port > 0xffff ? "bad-port" : { ...range, transport, address, port };
}

/** The same with room for at least `name` (its characters): the packet, the message in it and their lengths. */
export function renderFunnel(packet: Uint8Array, message: Message, name: string): string {
  const room = nameRange(message);
  const needed = 2 * (name.length + 1);
  const longer = Math.max(0, Math.ceil((needed - (room.end - room.start)) / CHUNK) * CHUNK);
  // Copies: `slice()` of a Node Buffer is none.
  const header = new Uint8Array(packet.subarray(0, HEADER));
  put32(header, 8, u32le(packet, 8) + longer);
  put32(header, 16, u32le(packet, 16) + longer / CHUNK);
  const fixed = new Uint8Array(packet.subarray(message.start, room.start));
  put32(fixed, 0, (message.end - message.start + longer) / CHUNK);
  const before = latin1(packet, HEADER, message.start);
  const after = latin1(packet, message.end, packet.length);
  const written = wide(name, room.end - room.start + longer);
  return latin1(header, 0, HEADER) + before + latin1(fixed, 0, fixed.length) + written + after;
}

/** Characters as UTF-16 in `length` bytes, NULs behind them; a NUL at the end whatever happens. */
export function wide(name: string, length: number): string {
  let text = "";
  for (const character of name) if (text.length + 4 <= length) text += `${character}\0`;
  return text.padEnd(length, "\0");
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = (value >>> (8 * i)) & 0xff;
}
