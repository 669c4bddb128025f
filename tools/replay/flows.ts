import * as key from "../../core/flow/key.ts";
import { Address } from "../../core/wire/address.ts";
import type { AddressWords, Packet } from "../../core/wire/packet.ts";

/** Which end of a flow; the lower one is `a`. */
export const UNKNOWN = 0;
export const A = 1;
export const B = 2;
export type End = typeof A | typeof B;

/** `Flows.mark` of a flow that nothing is known of yet. */
export const UNSEEN = 0;
/** Of one whose packets are counted, and not looked at. */
export const COUNTED = 2;
/** No helper is bound to its ports: what is said first tells what it is, and nothing was said yet. */
export const SILENT = 3;

/**
 * Words of a row, two cache lines: its key, with `A` as the source, and what is counted. What every packet of IPv4 reads
 * and writes, from the key's last four words to LAST_TIME_OF_B, is one line of them: V8's large arrays begin 16 bytes
 * behind the start of one.
 */
export const ROW = 32;
const FIRST_TIME = 0;
const FIRST_FRAME = 2;
const KEY_AT = 6;
const FRAMES_OF_A = 16;
const FRAMES_OF_B = 17;
const LAST_FRAME = 18;
const FLAGS = 19;
/** 64-bit floats, as is FIRST_TIME. */
const BYTES = 20;
const LAST_TIME_OF_A = 22;
const LAST_TIME_OF_B = 24;

const EMPTY = 0;
const SMALLEST = 256;
const MAPPED = 0x0000ffff;

/**
 * One more packet of the flow whose row begins at word `at` of `rows`, from its end `A` (`side` 0) or `B` (1), whose numbers stand
 * behind those of `A`. `floats` is the same memory. A function, so that those who count millions keep both arrays at hand.
 */
export function tally(
  rows: Int32Array,
  floats: Float64Array,
  at: number,
  side: number,
  time: number,
  frame: number,
  bytes: number,
  flags: number,
): void {
  if (rows[at + LAST_FRAME] === 0) {
    rows[at + FIRST_FRAME] = frame;
    floats[(at + FIRST_TIME) >> 1] = time;
  }
  rows[at + FRAMES_OF_A + side]! += 1;
  rows[at + FLAGS]! |= flags << (side * 8);
  rows[at + LAST_FRAME] = frame;
  floats[((at + LAST_TIME_OF_A) >> 1) + side] = time;
  floats[(at + BYTES) >> 1]! += bytes;
}

/** Of a packet; `words` has the source's address and the destination's. */
type Ends = Pick<Packet, "family" | "words" | "protocol">;

/**
 * Every connection and flow of a capture, a row each, in typed arrays: about 160 bytes a flow, and nothing that
 * grows with its packets. A port pair used again for a new connection has a new row.
 */
export class Flows {
  /** Rows in use: 0 to `count` - 1. */
  count = 0;
  /** Which end sent the packet that `find` was called with. */
  sender: End = A;
  /** Who listened: `A`, `B`, or `UNKNOWN` where no SYN tells. */
  listener = new Uint8Array(0);
  /** Initial sequence number of whoever opened; the number that a repeated SYN has, and a new connection's has not. */
  initial = new Float64Array(0);
  /** For the owner's use. */
  mark = new Uint8Array(0);
  /** What `tally` counts in. Both change with the number of rows. */
  rows = new Int32Array(0);
  floats = new Float64Array(this.rows.buffer);
  /**
   * A row plus 1, and in the bits that no row has, those of its key's hash: nearly always only the row that is looked for is
   * fetched, and slots are few enough to stay in the processor's cache. At least twice as many as rows, a power of two.
   */
  #slots = new Int32Array(SMALLEST * 2);
  /** Of the packet that is looked for. */
  readonly #key = new Int32Array(key.KEY);
  /** The row that was found last: most packets come in bursts. An empty row is nobody's: it has no protocol. */
  #last = 0;
  /**
   * So that nobody can make a capture whose flows all collide. V8 seeds its numbers from the system's randomness, and shows
   * none of these; node:crypto takes milliseconds to load.
   */
  readonly #seed = new Int32Array(2).map(() => Math.random() * 2 ** 32);

  /** The columns are put in the place of others at once: V8 takes what never changed for constant, in code that it throws away when it does. */
  constructor() {
    this.#widen(SMALLEST);
  }

  /** The row of the packet's flow, made if it is new; `sender` then tells which end sent it. */
  find({ family, words, protocol }: Ends, sourcePort: number, destinationPort: number): number {
    const ports = (sourcePort << 16) | destinationPort;
    if (family === 6) return this.findIpv6(words, ports, protocol);
    const source = words[3]! | 0;
    const destination = words[7]! | 0;
    const forward = source < destination || (source === destination && sourcePort <= destinationPort);
    this.sender = forward ? A : B;
    if (forward) return this.findIpv4(source, destination, ports, protocol);
    return this.findIpv4(destination, source, (ports << 16) | (ports >>> 16), protocol);
  }

  /** The same, of `A` and `B`, addresses and both ports as signed words. Who sent it is not told. */
  findIpv4(lower: number, higher: number, ports: number, protocol: number): number {
    const wanted = this.#key;
    wanted[key.SOURCE] = lower;
    wanted[key.DESTINATION] = higher;
    wanted[key.PORTS] = ports;
    wanted[key.KIND] = protocol;
    return this.#find();
  }

  /** `words`: of both addresses, as in `Packet`. */
  findIpv6(words: AddressWords, ports: number, protocol: number): number {
    let unequal = 0;
    while (unequal < 4 && words[unequal] === words[unequal + 4]) unequal++;
    const forward = unequal < 4 ? words[unequal]! < words[unequal + 4]! : ports >>> 16 <= (ports & 0xffff);
    const wanted = this.#key;
    const source = forward ? 0 : 4;
    for (let i = 0; i < 3; i++) {
      wanted[key.SOURCE_PREFIX + i] = words[source + i]!;
      wanted[key.DESTINATION_PREFIX + i] = words[4 - source + i]!;
    }
    this.sender = forward ? A : B;
    wanted[key.SOURCE] = words[source + 3]!;
    wanted[key.DESTINATION] = words[7 - source]!;
    wanted[key.PORTS] = forward ? ports : (ports << 16) | (ports >>> 16);
    wanted[key.KIND] = protocol | key.IPV6;
    return this.#holds(this.#last) ? this.#last : this.#find();
  }

  #find(): number {
    const hash = this.#hash();
    const slot = this.#slot(hash);
    const found = this.#slots[slot]!;
    if (found === EMPTY) return this.#insert(hash, slot);
    const row = (found & (this.#slots.length - 1)) - 1;
    this.#last = row;
    return row;
  }

  /** A packet from `sender` belongs to `row`: when it came, its frame's number, bytes of payload, TCP flags. */
  add(row: number, time: number, frame: number, bytes: number, flags: number): void {
    tally(this.rows, this.floats, row * ROW, this.sender - A, time, frame, bytes, flags);
  }

  /** A new row for the same ends as `row`, which packets belong to from now on. */
  renew(row: number): number {
    this.#key.set(this.rows.subarray(row * ROW + KEY_AT, row * ROW + KEY_AT + key.KEY));
    const hash = this.#hash();
    return this.#insert(hash, this.#slot(hash));
  }

  frames(row: number): number {
    return this.rows[row * ROW + FRAMES_OF_A]! + this.rows[row * ROW + FRAMES_OF_B]!;
  }

  framesOf(row: number, end: End): number {
    return this.rows[row * ROW + (end === A ? FRAMES_OF_A : FRAMES_OF_B)]!;
  }

  firstFrame(row: number): number {
    return this.rows[row * ROW + FIRST_FRAME]!;
  }

  lastFrame(row: number): number {
    return this.rows[row * ROW + LAST_FRAME]!;
  }

  /** Seconds since 1970-01-01 UTC. */
  firstTime(row: number): number {
    return this.floats[(row * ROW + FIRST_TIME) >> 1]!;
  }

  lastTime(row: number): number {
    return Math.max(this.lastTimeOf(row, A), this.lastTimeOf(row, B));
  }

  /** When `end` sent its last packet; 0: it sent none. */
  lastTimeOf(row: number, end: End): number {
    return this.floats[(row * ROW + (end === A ? LAST_TIME_OF_A : LAST_TIME_OF_B)) >> 1]!;
  }

  /** TCP flags that `end` sent in any of its packets. */
  flagsOf(row: number, end: End): number {
    const flags = this.rows[row * ROW + FLAGS]!;
    return end === A ? flags & 0xff : flags >>> 8;
  }

  /** Of payload, both ways, as often as they were sent. */
  bytes(row: number): number {
    return this.floats[(row * ROW + BYTES) >> 1]!;
  }

  isTcp(row: number): boolean {
    return (this.rows[row * ROW + KEY_AT + key.KIND]! & 0xff) === 6;
  }

  port(row: number, end: End): number {
    const ports = this.rows[row * ROW + KEY_AT + key.PORTS]!;
    return end === A ? ports >>> 16 : ports & 0xffff;
  }

  /** Whether an end has a port that is not 0 in `ports`, which has all of them. */
  hasPort(row: number, ports: Uint8Array): boolean {
    const both = this.rows[row * ROW + KEY_AT + key.PORTS]!;
    return (ports[both >>> 16]! | ports[both & 0xffff]!) !== 0;
  }

  /** The rows of which an end has one of these ports, in the order of their first frames. */
  having(ports: Iterable<number>): number[] {
    const wanted = new Uint8Array(65_536);
    for (const port of ports) wanted[port] = 1;
    const found: number[] = [];
    const { rows, count } = this;
    for (let row = 0, at = KEY_AT + key.PORTS; row < count; row++, at += ROW) {
      const both = rows[at]!;
      if ((wanted[both >>> 16]! | wanted[both & 0xffff]!) !== 0) found.push(row);
    }
    return found;
  }

  /** A number that flows between the same two addresses share, whatever the order. */
  between(row: number): number {
    const { rows } = this;
    const at = row * ROW + KEY_AT;
    let [one, another] = [mixed(0, rows[at + key.SOURCE]!), mixed(0, rows[at + key.DESTINATION]!)];
    if (rows[at + key.KIND]! < key.IPV6) return (one + another) | 0;
    for (let i = 0; i < 3; i++) {
      one = mixed(one, rows[at + key.SOURCE_PREFIX + i]!);
      another = mixed(another, rows[at + key.DESTINATION_PREFIX + i]!);
    }
    return (one + another) | 0;
  }

  address(row: number, end: End): Address {
    const word = (i: number) => this.#word(row, end, i);
    return Address.ipv6(word(0), word(1), word(2), word(3));
  }

  hasAddress(row: number, end: End, { words }: Address): boolean {
    for (let i = 3; i >= 0; i--) if (this.#word(row, end, i) !== words[i]) return false;
    return true;
  }

  /** Word `i` of the four of an address. */
  #word(row: number, end: End, i: number): number {
    const at = row * ROW + KEY_AT;
    if (i === 3) return this.rows[at + (end === A ? key.SOURCE : key.DESTINATION)]! >>> 0;
    if (this.rows[at + key.KIND]! < key.IPV6) return i === 2 ? MAPPED : 0;
    return this.rows[at + (end === A ? key.SOURCE_PREFIX : key.DESTINATION_PREFIX) + i]! >>> 0;
  }

  #hash(): number {
    return key.hashKey(this.#seed[0]!, this.#seed[1]!, this.#key, 0);
  }

  /** Where the key is, or where it belongs. */
  #slot(hash: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (; slots[slot] !== EMPTY; slot = (slot + 1) & mask) {
      const found = slots[slot]!;
      if (((found ^ hash) & ~mask) === 0 && this.#holds((found & mask) - 1)) return slot;
    }
    return slot;
  }

  #holds(row: number): boolean {
    const rows = this.rows;
    const wanted = this.#key;
    const at = row * ROW + KEY_AT;
    if (
      rows[at + key.PORTS] !== wanted[key.PORTS] ||
      rows[at + key.SOURCE] !== wanted[key.SOURCE] ||
      rows[at + key.DESTINATION] !== wanted[key.DESTINATION] ||
      rows[at + key.KIND] !== wanted[key.KIND]
    ) {
      return false;
    }
    if (wanted[key.KIND]! < key.IPV6) return true;
    for (let i = 0; i < key.SOURCE; i++) if (rows[at + i] !== wanted[i]) return false;
    return true;
  }

  /** A row for the key in its `slot`, in the place of another that may have it. */
  #insert(hash: number, slot: number): number {
    const row = this.count++;
    this.#last = row;
    if (row === this.mark.length) this.#widen(row * 2);
    const first = this.#key[key.KIND]! < key.IPV6 ? key.SOURCE : 0;
    for (let i = first; i < key.KEY; i++) this.rows[row * ROW + KEY_AT + i] = this.#key[i]!;
    this.#slots[slot] = (hash & -this.#slots.length) | (row + 1);
    if (this.count * 2 >= this.#slots.length) this.#rehash();
    return row;
  }

  #widen(rows: number): void {
    const widened = new Int32Array(rows * ROW);
    widened.set(this.rows);
    this.rows = widened;
    this.floats = new Float64Array(widened.buffer);
    const initial = new Float64Array(rows).fill(-1);
    initial.set(this.initial);
    this.initial = initial;
    this.listener = wider(this.listener, rows);
    this.mark = wider(this.mark, rows);
  }

  #rehash(): void {
    const old = this.#slots;
    const oldMask = old.length - 1;
    const slots = new Int32Array(old.length * 2);
    const mask = slots.length - 1;
    for (let from = 0; from < old.length; from++) {
      const found = old[from]!;
      if (found === EMPTY) continue;
      const row = (found & oldMask) - 1;
      const hash = key.hashKey(this.#seed[0]!, this.#seed[1]!, this.rows, row * ROW + KEY_AT);
      let slot = hash & mask;
      while (slots[slot] !== EMPTY) slot = (slot + 1) & mask;
      slots[slot] = (hash & ~mask) | (row + 1);
    }
    this.#slots = slots;
  }
}

const mixed = (sum: number, word: number): number => Math.imul(sum ^ word ^ (word >>> 15), 0x9e3779b1);

function wider(column: Uint8Array, rows: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(rows);
  copy.set(column);
  return copy;
}
