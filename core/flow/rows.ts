/**
 * How the connection table keeps an entry: one row of sixteen 32-bit words, 64 bytes, so that all a packet needs of it
 * comes with one cache line. The columns:
 */
import {
  DESTINATION,
  DESTINATION_PREFIX,
  IPV6,
  KIND as KEY_KIND,
  KIND_MASK,
  PORTS,
  SOURCE,
  SOURCE_PREFIX,
} from "./key.ts";

/** An entry's row begins at `id << ROW_SHIFT`. */
export const ROW_SHIFT = 4;

/** Last 32 bits of the three addresses. */
export const CLIENT = 0;
export const VIRTUAL = 1;
export const REAL = 2;
/** Client port << 16 | virtual port. */
export const OUTER_PORTS = 3;
/** Real port << 16 | what the owner of the table wants to know again: the destination's number. */
export const INNER_PORT = 4;
/** Protocol and family (`KIND_MASK`), state, and the owner's marks. */
export const KIND = 5;
export const STATE_SHIFT = 12;
export const STATE_MASK = 15 << STATE_SHIFT;
export const MARKS_SHIFT = 16;
export const GENERATION = 6;
/** The tick at which it expires. */
export const DEADLINE = 7;
/** Links of the list it waits in (wheel.ts); of a free row, NEXT is the next free one. */
export const PREVIOUS = 8;
export const NEXT = 9;
/** Of the original direction, then of the reply. */
export const PACKETS = 10;
/** 64 bits for each direction, the lower half first. */
export const BYTES = 12;

/** IPv6 entries keep the first 96 bits of client, virtual and real beside the rows. */
export const PREFIXES = 9;
export const CLIENT_PREFIX = 0;
export const VIRTUAL_PREFIX = 3;
export const REAL_PREFIX = 6;

export const ORIGINAL = 0;
export const REPLY = 1;

/** Whether the packet with the key at `at` is one of `found`: an entry and a direction of it. */
export function matches(rows: Int32Array, prefixes: Int32Array, found: number, keys: Int32Array, at: number): boolean {
  const id = found >>> 1;
  const row = id << ROW_SHIFT;
  const kind = keys[at + KEY_KIND]!;
  if (((rows[row + KIND]! ^ kind) & KIND_MASK) !== 0) return false;
  const source = keys[at + SOURCE]!;
  const destination = keys[at + DESTINATION]!;
  const ports = keys[at + PORTS]!;
  const outer = rows[row + OUTER_PORTS]!;
  if ((found & 1) === ORIGINAL) {
    if (rows[row + CLIENT] !== source || rows[row + VIRTUAL] !== destination || outer !== ports) return false;
    return (kind & IPV6) === 0 || samePrefixes(prefixes, id, CLIENT_PREFIX, VIRTUAL_PREFIX, keys, at);
  }
  if (rows[row + REAL] !== source || rows[row + CLIENT] !== destination) return false;
  if (rows[row + INNER_PORT]! >>> 16 !== ports >>> 16 || outer >>> 16 !== (ports & 0xffff)) return false;
  return (kind & IPV6) === 0 || samePrefixes(prefixes, id, REAL_PREFIX, CLIENT_PREFIX, keys, at);
}

function samePrefixes(
  prefixes: Int32Array,
  id: number,
  source: number,
  destination: number,
  keys: Int32Array,
  at: number,
): boolean {
  const base = id * PREFIXES;
  for (let i = 0; i < 3; i++) {
    if (prefixes[base + source + i] !== keys[at + SOURCE_PREFIX + i]) return false;
    if (prefixes[base + destination + i] !== keys[at + DESTINATION_PREFIX + i]) return false;
  }
  return true;
}

/** The key of packets that go `direction` on entry `id`. */
export function keyOf(
  rows: Int32Array,
  prefixes: Int32Array,
  id: number,
  direction: number,
  keys: Int32Array,
  at: number,
): void {
  const row = id << ROW_SHIFT;
  const reply = direction === REPLY;
  const client = rows[row + CLIENT]!;
  const outer = rows[row + OUTER_PORTS]!;
  keys[at + SOURCE] = reply ? rows[row + REAL]! : client;
  keys[at + DESTINATION] = reply ? client : rows[row + VIRTUAL]!;
  keys[at + PORTS] = reply ? (rows[row + INNER_PORT]! & ~0xffff) | (outer >>> 16) : outer;
  const kind = rows[row + KIND]! & KIND_MASK;
  keys[at + KEY_KIND] = kind;
  if ((kind & IPV6) === 0) return;
  const base = id * PREFIXES;
  for (let i = 0; i < 3; i++) {
    keys[at + SOURCE_PREFIX + i] = prefixes[base + (reply ? REAL_PREFIX : CLIENT_PREFIX) + i]!;
    keys[at + DESTINATION_PREFIX + i] = prefixes[base + (reply ? CLIENT_PREFIX : VIRTUAL_PREFIX) + i]!;
  }
}
