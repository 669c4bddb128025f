/** The table of flows: finds the row of a packet's flow, makes it if it is new, and counts the packet in it. */

import {
  A,
  B,
  COUNT,
  FIRST_FRAME,
  FIRST_TIME,
  FLAGS,
  FRAMES_OF_A,
  INITIAL,
  KEY,
  LARGE,
  LARGE_OF_A,
  LAST_FRAME,
  LAST_TIME_OF_A,
  LISTENER,
  LISTENER_MASK,
  OCTETS,
  OPENED,
  RENEWED,
  ROW,
  ROWS,
  SENDER,
  SEQUENCE,
  SLOTS,
  SMALL,
  TABLE,
  UNKNOWN,
  WANTED,
} from "../layout.ts";
import * as key from "./key.ts";
import { equalKeys, hashKey } from "./key.ts";

const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;
const PAGE = 65536;
/** The table grows by so many pages, or by an eighth. */
const GROWTH = 16;

/** What few packets do, as `tools/replay/stalls.ts` has it. */
declare function repeated(row: i32, side: i32, sequence: i32, octets: i32, time: f64, frame: i32): void;
declare function closed(row: i32, side: i32, time: f64, frame: i32): void;

/** The row that was found last: most packets come in bursts. An empty row is nobody's: it has no protocol. */
let last: i32 = 0;
let mask: i32 = SLOTS - 1;

store<i32>(ROWS, TABLE + SLOTS * 4);

export function rowAt(row: i32): usize {
  return <usize>load<i32>(ROWS) + <usize>row * ROW;
}

function slotAt(slot: i32): usize {
  return TABLE + (slot << 2);
}

/** The row of a packet of IPv4 that goes from `source` to `destination`. */
export function findIpv4(source: i32, destination: i32, ports: i32, protocol: i32): i32 {
  store<i32>(SENDER, A + key.putIpv4(WANTED, source, destination, ports, protocol));
  return find(WANTED, hashKey(WANTED));
}

/** The same of IPv6, whose addresses are at `ENDS`. */
export function findIpv6(ports: i32, protocol: i32): i32 {
  store<i32>(SENDER, A + key.putIpv6(WANTED, ports, protocol));
  return find(WANTED, hashKey(WANTED));
}

/** The row of the key that is at `wanted`. */
export function find(wanted: usize, hash: i32): i32 {
  if (holds(last, wanted)) return last;
  const slot = slotOf(wanted, hash);
  const found = load<i32>(slotAt(slot));
  last = found === 0 ? insert(wanted, hash, slot) : (found & mask) - 1;
  return last;
}

function holds(row: i32, wanted: usize): bool {
  return equalKeys(rowAt(row) + KEY, wanted);
}

/** Has what `find` will read of the key with this `hash` fetched; it returns what nobody needs. */
export function fetch(hash: i32): i32 {
  const row = load<i32>(slotAt(hash & mask)) & mask;
  return load<i32>(rowAt(max(row, 1) - 1) + LAST_FRAME);
}

/**
 * Where the wanted key is, or where it belongs. A slot is a row plus 1, and in the bits that no row has, those of its key's
 * hash: nearly always only the row that is looked for is fetched, and slots are few enough to stay in the processor's cache.
 */
function slotOf(wanted: usize, hash: i32): i32 {
  let slot = hash & mask;
  let found = load<i32>(slotAt(slot));
  while (found !== 0 && !(((found ^ hash) & ~mask) === 0 && holds((found & mask) - 1, wanted))) {
    slot = (slot + 1) & mask;
    found = load<i32>(slotAt(slot));
  }
  return slot;
}

/** A row for the key at `wanted` in its `slot`, in the place of another that may have it. */
function insert(wanted: usize, hash: i32, slot: i32): i32 {
  // Whoever reads packets has asked before, and can stop between two of them.
  if (!hasRoom(1)) unreachable();
  const row = load<i32>(COUNT);
  const at = rowAt(row);
  store<i32>(COUNT, row + 1);
  const first = load<i32>(wanted + key.KIND) < key.IPV6 ? key.SOURCE : 0;
  memory.copy(at + KEY + first, wanted + first, key.LENGTH - first);
  store<i32>(slotAt(slot), (hash & ~mask) | (row + 1));
  if ((row + 1) * 2 > mask) rehash();
  return row;
}

/** Memory for so many `rows` more, and for the slots that they need: false, there is no more. */
export function hasRoom(rows: i32): bool {
  const count = load<i32>(COUNT) + rows;
  const slots = count * 2 > mask ? (<u64>mask + 1) << 2 : 0;
  return reach(<u64>rowAt(0) + slots + <u64>count * ROW);
}

/** Twice the slots, which the rows make room for. */
function rehash(): void {
  const count = load<i32>(COUNT);
  const rows = rowAt(0);
  const moved = rows + ((<usize>mask + 1) << 2);
  memory.copy(moved, rows, <usize>count * ROW);
  store<i32>(ROWS, <i32>moved);
  mask = mask * 2 + 1;
  memory.fill(TABLE, 0, moved - TABLE);
  for (let row = 0; row < count; row++) {
    if ((load<i32>(rowAt(row) + LISTENER) & RENEWED) !== 0) continue;
    const hash = hashKey(rowAt(row) + KEY);
    let slot = hash & mask;
    while (load<i32>(slotAt(slot)) !== 0) slot = (slot + 1) & mask;
    store<i32>(slotAt(slot), (hash & ~mask) | (row + 1));
  }
}

/** Memory up to `end`, which may be more than there can be: false then. */
function reach(end: u64): bool {
  const pages = memory.size();
  if (end <= <u64>pages * PAGE) return true;
  const needed = <i32>((end + PAGE - 1) / PAGE) - pages;
  return memory.grow(max(needed, max(pages / 8, GROWTH))) >= 0 || memory.grow(needed) >= 0;
}

/** A SYN of `row`: who listens, and whether these ends were used before by another connection. The row that it belongs to. */
export function opened(row: i32, flags: i32, sequence: i32, acknowledgment: i32): i32 {
  const at = rowAt(row);
  const sender = load<i32>(SENDER);
  const listener = load<i32>(at + LISTENER);
  if ((flags & ACK) !== 0) {
    // Captured before the SYN that it answers.
    if ((listener & OPENED) === 0) store<i32>(at + INITIAL, acknowledgment - 1);
    const known = (listener & LISTENER_MASK) === UNKNOWN ? sender : UNKNOWN;
    store<i32>(at + LISTENER, listener | known | OPENED);
    noteBeginning(at, sequence);
    return row;
  }
  if ((listener & OPENED) !== 0 && load<i32>(at + INITIAL) === sequence) return row;
  const renewed = load<i32>(at + LAST_FRAME) === 0 ? row : renew(row);
  noteBeginning(rowAt(renewed), sequence);
  store<i32>(rowAt(renewed) + INITIAL, sequence);
  store<i32>(rowAt(renewed) + LISTENER, (A + B - sender) | OPENED);
  return renewed;
}

/** The sequence number of a SYN from `SENDER`, which its first large payload takes the place of. */
function noteBeginning(at: usize, sequence: i32): void {
  const side = load<i32>(SENDER) - A;
  if ((load<i32>(at + FLAGS) & (LARGE << side)) === 0) store<i32>(at + LARGE_OF_A + (side << 2), sequence);
}

/** A new row for the same ends as `row`, which packets belong to from now on. */
function renew(row: i32): i32 {
  const at = rowAt(row);
  store<i32>(at + LISTENER, load<i32>(at + LISTENER) | RENEWED);
  memory.copy(WANTED, at + KEY, key.LENGTH);
  const hash = hashKey(WANTED);
  last = insert(WANTED, hash, slotOf(WANTED, hash));
  return last;
}

/** One more packet of the flow whose row is at `at`, from its end `A` (`side` 0) or `B` (1), whose numbers stand behind those of `A`. */
export function tally(at: usize, side: i32, time: f64, frame: i32, octets: i32, flags: i32): void {
  if (load<i32>(at + LAST_FRAME) === 0) {
    store<i32>(at + FIRST_FRAME, frame);
    store<f64>(at + FIRST_TIME, time);
  }
  const frames = at + FRAMES_OF_A + (side << 2);
  store<i32>(frames, load<i32>(frames) + 1);
  store<i32>(at + FLAGS, load<i32>(at + FLAGS) | (flags << (side << 3)));
  store<i32>(at + LAST_FRAME, frame);
  store<f64>(at + LAST_TIME_OF_A + (side << 3), time);
  store<f64>(at + OCTETS, load<f64>(at + OCTETS) + <f64>octets);
}

/** What is odd about a segment of TCP that was counted. */
export function watch(
  row: i32,
  side: i32,
  sequence: i32,
  window: i32,
  time: f64,
  frame: i32,
  octets: i32,
  flags: i32,
): void {
  if (window === 0 && (flags & (SYN | FIN | RST)) === 0) closed(row, side, time, frame);
  if (octets === 0) return;
  const at = rowAt(row);
  if (octets > SMALL) noteLarge(at, side, sequence);
  if (load<i32>(at + SEQUENCE) === sequence) repeated(row, side, sequence, octets, time, frame);
  else store<i32>(at + SEQUENCE, sequence);
}

/** Only the first: nothing else is in the row's first line that every packet would need. */
function noteLarge(at: usize, side: i32, sequence: i32): void {
  const flags = load<i32>(at + FLAGS);
  const large = LARGE << side;
  if ((flags & large) !== 0) return;
  store<i32>(at + FLAGS, flags | large);
  store<i32>(at + LARGE_OF_A + (side << 2), sequence);
}

/** The same of `row`, from whom `SENDER` says. */
export function add(row: i32, time: f64, frame: i32, octets: i32, flags: i32): void {
  tally(rowAt(row), load<i32>(SENDER) - A, time, frame, octets, flags);
}
