/**
 * X Display Manager Control Protocol 1.1, network byte order. ARRAY8 is a length of two bytes and as many bytes.
 *
 *    0        2        4        6
 *   +--------+--------+--------+----------
 *   |version |opcode  |length  | body of that length
 *   +--------+--------+--------+----------
 *
 *   Request (7)           display number, connection types (u8 count, u16 each), connection addresses (u8 count, ARRAY8
 *                         each), authentication name and data, authorization names, manufacturer display ID
 *   Accept (8)            session ID at 6
 *   Manage (10)           session ID at 6, display number at 10
 *   Refuse, Failed (11, 12)  session ID at 6
 *   KeepAlive (13)        display number at 6, session ID at 8
 *   ForwardQuery (4)      client address ARRAY8, client port ARRAY8, authentication names
 */

import { Address } from "../../core/wire/address.ts";
import { u16, u32 } from "../../core/wire/bytes.ts";

export const Opcode = {
  BROADCAST_QUERY: 1,
  QUERY: 2,
  INDIRECT_QUERY: 3,
  FORWARD_QUERY: 4,
  WILLING: 5,
  UNWILLING: 6,
  REQUEST: 7,
  ACCEPT: 8,
  DECLINE: 9,
  MANAGE: 10,
  REFUSE: 11,
  FAILED: 12,
  KEEP_ALIVE: 13,
  ALIVE: 14,
} as const;

export const HEADER = 6;
const VERSION = 1;
/** A display's port is 6000 and its number. */
export const X11 = 6000;
export const LAST_DISPLAY = 0xffff - X11;
const MOST_ADDRESSES = 32;
/** Connection types, which are the X protocol's families of hosts. */
export const INTERNET = 0;
export const INTERNET_V6 = 6;
/** Bytes of an address of those that are read. */
const SIZES: Readonly<Record<number, number>> = { [INTERNET]: 4, [INTERNET_V6]: 16 };

export type Malformed =
  | "truncated"
  | "bad-version"
  | "bad-length"
  | "bad-count"
  | "bad-address"
  | "bad-display"
  | "no-address"
  | "too-many-addresses";

/** Bytes of a body that must be there at least, by opcode. */
const SHORTEST: Readonly<Record<number, number>> = {
  [Opcode.ACCEPT]: 4,
  [Opcode.MANAGE]: 6,
  [Opcode.REFUSE]: 4,
  [Opcode.FAILED]: 4,
  [Opcode.KEEP_ALIVE]: 6,
  [Opcode.ALIVE]: 5,
};

/** The opcode of a datagram whose length is right. */
export function parseHeader(payload: Uint8Array): number | Malformed {
  if (payload.length < HEADER) return "truncated";
  if (u16(payload, 0) !== VERSION) return "bad-version";
  if (u16(payload, 4) !== payload.length - HEADER) return "bad-length";
  const opcode = u16(payload, 2);
  return payload.length - HEADER < (SHORTEST[opcode] ?? 0) ? "truncated" : opcode;
}

export const sessionOf = (payload: Uint8Array): number => u32(payload, HEADER);
export const keptSession = (payload: Uint8Array): number => u32(payload, HEADER + 2);

/** Where `MANAGE` and `KEEP_ALIVE` say their display number. */
export const DISPLAY_AT: Readonly<Record<number, number>> = { [Opcode.MANAGE]: 10, [Opcode.KEEP_ALIVE]: HEADER };

export interface Request {
  readonly display: number;
  /** IPv4 and IPv6 addresses, in the order of the message. */
  readonly addresses: readonly Address[];
  /** Behind the last of them. */
  readonly end: number;
}

export function parseRequest(payload: Uint8Array): Request | Malformed {
  const types = typesOf(payload, HEADER + 2);
  if (typeof types === "string") return types;
  const display = u16(payload, HEADER);
  const parsed = addressesOf(payload, types.end, types.families);
  if (typeof parsed === "string") return parsed;
  const whole = skipRest(payload, parsed.end) === payload.length;
  if (!whole) return "bad-length";
  if (display > LAST_DISPLAY) return "bad-display";
  return parsed.addresses.length === 0 ? "no-address" : { display, ...parsed };
}

interface Types {
  readonly families: readonly number[];
  readonly end: number;
}

function typesOf(payload: Uint8Array, at: number): Types | Malformed {
  const count = payload[at];
  if (count === undefined || at + 1 + count * 2 > payload.length) return "truncated";
  const families = Array.from({ length: count }, (_, i) => u16(payload, at + 1 + i * 2));
  return { families, end: at + 1 + count * 2 };
}

function addressesOf(
  payload: Uint8Array,
  at: number,
  families: readonly number[],
): Omit<Request, "display"> | Malformed {
  const count = payload[at];
  if (count === undefined) return "truncated";
  if (count !== families.length) return "bad-count";
  if (count > MOST_ADDRESSES) return "too-many-addresses";
  const addresses: Address[] = [];
  let start = at + 1;
  for (const family of families) {
    const end = skipArray8(payload, start);
    if (end === null) return "truncated";
    const size = SIZES[family];
    if (size !== undefined) {
      if (end - start - 2 !== size) return "bad-address";
      addresses.push(Address.fromBytes(payload, start + 2, size === 4 ? 4 : 6));
    }
    start = end;
  }
  return { addresses, end: start };
}

/** Behind the ARRAY8 at `at`; null: it is not whole. */
function skipArray8(payload: Uint8Array, at: number): number | null {
  if (at + 2 > payload.length) return null;
  const end = at + 2 + u16(payload, at);
  return end <= payload.length ? end : null;
}

/** Authentication name and data, authorization names, manufacturer display ID. */
function skipRest(payload: Uint8Array, at: number): number | null {
  let end: number | null = at;
  for (let i = 0; i < 2 && end !== null; i++) end = skipArray8(payload, end);
  if (end === null || end >= payload.length) return null;
  const names = payload[end++]!;
  for (let i = 0; i < names && end !== null; i++) end = skipArray8(payload, end);
  return end === null ? null : skipArray8(payload, end);
}

/** Where a forwarded query wants its answer; null: it does not say so in four or sixteen bytes. */
export function parseForwarded(payload: Uint8Array): Address | null {
  const end = skipArray8(payload, HEADER);
  if (end === null) return null;
  const length = end - HEADER - 2;
  if (length !== 4 && length !== 16) return null;
  return Address.fromBytes(payload, HEADER + 2, length === 4 ? 4 : 6);
}
