import { Address } from "../../core/wire/address.ts";
import type { Packet } from "../../core/wire/packet.ts";

/** Words of a key: the lower end's address, the higher end's, both ports. */
const KEY = 9;
const EMPTY = 0;

/** Which end of a flow; the lower one is `a`. */
export const UNKNOWN = 0;
export const A = 1;
export const B = 2;
export type End = typeof A | typeof B;

/**
 * Every connection and flow of a capture, a row each, in columns of typed arrays: about a hundred bytes a flow, and
 * nothing that grows with its packets. A port pair used again for a new connection has a new row.
 */
export class Flows {
  /** Rows in use: 0 to `count` - 1. */
  count = 0;
  firstFrame = new Float64Array(64);
  lastFrame = new Float64Array(64);
  frames = new Float64Array(64);
  /** Seconds since 1970-01-01 UTC. */
  firstTime = new Float64Array(64);
  lastTime = new Float64Array(64);
  /** Frames that the end `A` sent, and when each end sent its last; `B`'s are the rest. */
  framesOfA = new Float64Array(64);
  lastTimeOfA = new Float64Array(64);
  lastTimeOfB = new Float64Array(64);
  /** TCP flags that were seen: `A`'s in the low byte, `B`'s in the high one. */
  flags = new Uint16Array(64);
  /** Payload bytes, both ways, as often as they were sent. */
  bytes = new Float64Array(64);
  /** Who listened: `A`, `B`, or `UNKNOWN` where no SYN tells. */
  listener = new Uint8Array(64);
  /** Initial sequence number of whoever opened; the number that a repeated SYN has, and a new connection's has not. */
  initial = new Float64Array(64).fill(-1);
  /** For the owner's use. */
  mark = new Uint8Array(64);
  #keys = new Uint32Array(64 * KEY);
  #protocol = new Uint8Array(64);
  #slots = new Int32Array(256);
  readonly #key = new Uint32Array(KEY);

  /** The row of the packet's flow, made if it is new; `sender` then tells which end sent it. */
  find(packet: Packet, sourcePort: number, destinationPort: number): number {
    const sender = this.#load(packet, sourcePort, destinationPort);
    this.sender = sender;
    const slot = this.#slot(packet.protocol);
    const row = this.#slots[slot]! - 1;
    return row >= 0 ? row : this.#insert(slot, packet.protocol);
  }

  /** Which end sent the packet that `find` was called with. */
  sender: End = A;

  /** A new row for the same ends as `row`, which packets belong to from now on. */
  renew(row: number): number {
    this.#key.set(this.#keys.subarray(row * KEY, row * KEY + KEY));
    const protocol = this.#protocol[row]!;
    return this.#insert(this.#slot(protocol), protocol);
  }

  isTcp(row: number): boolean {
    return this.#protocol[row] === 6;
  }

  port(row: number, end: End): number {
    const ports = this.#keys[row * KEY + 8]!;
    return end === A ? ports >>> 16 : ports & 0xffff;
  }

  address(row: number, end: End): Address {
    const at = row * KEY + (end === A ? 0 : 4);
    const keys = this.#keys;
    return Address.ipv6(keys[at]!, keys[at + 1]!, keys[at + 2]!, keys[at + 3]!);
  }

  hasAddress(row: number, end: End, { words }: Address): boolean {
    const at = row * KEY + (end === A ? 0 : 4);
    for (let i = 0; i < 4; i++) if (this.#keys[at + i] !== words[i]) return false;
    return true;
  }

  /** The packet's ends into the key, the lower first: both directions are one flow. */
  #load({ words }: Packet, sourcePort: number, destinationPort: number): End {
    const key = this.#key;
    let order = 0;
    for (let i = 0; i < 4 && order === 0; i++) order = words[i]! - words[i + 4]!;
    if (order === 0) order = sourcePort - destinationPort;
    const forward = order <= 0;
    for (let i = 0; i < 8; i++) key[i] = words[forward ? i : (i + 4) & 7]!;
    key[8] = forward ? (sourcePort << 16) | destinationPort : (destinationPort << 16) | sourcePort;
    return forward ? A : B;
  }

  /** Where the key is, or where it belongs. */
  #slot(protocol: number): number {
    const mask = this.#slots.length - 1;
    let slot = this.#hash(protocol) & mask;
    for (; this.#slots[slot] !== EMPTY; slot = (slot + 1) & mask) {
      if (this.#holds(this.#slots[slot]! - 1, protocol)) return slot;
    }
    return slot;
  }

  #holds(row: number, protocol: number): boolean {
    if (this.#protocol[row] !== protocol) return false;
    const at = row * KEY;
    for (let i = KEY - 1; i >= 0; i--) if (this.#keys[at + i] !== this.#key[i]) return false;
    return true;
  }

  #hash(protocol: number): number {
    let hash = protocol;
    for (let i = 0; i < KEY; i++) {
      hash = Math.imul(hash ^ this.#key[i]!, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  #insert(slot: number, protocol: number): number {
    const row = this.count++;
    if (row === this.firstFrame.length) this.#widen();
    this.#keys.set(this.#key, row * KEY);
    this.#protocol[row] = protocol;
    this.#slots[slot] = row + 1;
    if (this.count * 2 > this.#slots.length) this.#rehash();
    return row;
  }

  #widen(): void {
    const rows = this.count * 2;
    const float = (column: Float64Array, fill = 0) => {
      const wider = new Float64Array(rows).fill(fill);
      wider.set(column);
      return wider;
    };
    const byte = (column: Uint8Array) => {
      const wider = new Uint8Array(rows);
      wider.set(column);
      return wider;
    };
    this.firstFrame = float(this.firstFrame);
    this.lastFrame = float(this.lastFrame);
    this.frames = float(this.frames);
    this.firstTime = float(this.firstTime);
    this.lastTime = float(this.lastTime);
    this.framesOfA = float(this.framesOfA);
    this.lastTimeOfA = float(this.lastTimeOfA);
    this.lastTimeOfB = float(this.lastTimeOfB);
    const flags = new Uint16Array(rows);
    flags.set(this.flags);
    this.flags = flags;
    this.bytes = float(this.bytes);
    this.initial = float(this.initial, -1);
    this.listener = byte(this.listener);
    this.mark = byte(this.mark);
    this.#protocol = byte(this.#protocol);
    const keys = new Uint32Array(rows * KEY);
    keys.set(this.#keys);
    this.#keys = keys;
  }

  /** In the order of rows, so that the newest of the same ends is the one found. */
  #rehash(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    const key = this.#key.slice();
    for (let row = 0; row < this.count; row++) {
      this.#key.set(this.#keys.subarray(row * KEY, row * KEY + KEY));
      this.#slots[this.#slot(this.#protocol[row]!)] = row + 1;
    }
    this.#key.set(key);
  }
}
