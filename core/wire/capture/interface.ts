/**
 * pcapng's interface description block: link type, snap length, and how its packets' times are counted.
 *
 *   8 |           LinkType            |           Reserved            |
 *  12 |                            SnapLen                            |
 *  16 | Options: code (16), length (16), value padded to 32 bits, ... |
 */
import type { ByteOrder } from "../bytes.ts";

export interface Interface {
  readonly linkType: number;
  /** 0 = no limit. */
  readonly snapLength: number;
  readonly clock: Clock;
}

const END_OF_OPTIONS = 0;
const IF_TSRESOL = 9;
const IF_TSOFFSET = 14;

/** The interface described by the block `[at, end)`, or what is wrong with it. */
export function parseInterface(bytes: Uint8Array, at: number, end: number, order: ByteOrder): Interface | string {
  if (end - at < 20) return "interface description block too short";
  let ticksPerSecond = 1_000_000;
  let offset = 0;
  const last = end - 4;
  for (let option = at + 16; option + 4 <= last; ) {
    const code = order.u16(bytes, option);
    const length = order.u16(bytes, option + 2);
    if (code === END_OF_OPTIONS) break;
    const value = option + 4;
    // Options that run out of the block: the packets can be read without them.
    if (value + length > last) break;
    if (code === IF_TSRESOL && length === 1) ticksPerSecond = resolution(bytes[value]!);
    if (code === IF_TSOFFSET && length === 8) offset = offsetSeconds(bytes, value, order);
    option = value + length + (-length & 3);
  }
  const clock = new Clock(ticksPerSecond, offset);
  return { linkType: order.u16(bytes, at + 8), snapLength: order.u32(bytes, at + 12), clock };
}

/** if_tsresol: a negative power of 10, or of 2 where the most significant bit is set. */
const resolution = (value: number): number => (value & 0x80 ? 2 ** (value & 0x7f) : 10 ** value);

/** if_tsoffset is 64 bits and signed; which half is first depends on the byte order. */
function offsetSeconds(bytes: Uint8Array, at: number, { big, u32 }: ByteOrder): number {
  const upper = u32(bytes, big ? at : at + 4) | 0;
  return upper * 2 ** 32 + u32(bytes, big ? at + 4 : at);
}

/** 2^32 ticks divided in two steps of 16 bits, which stays exact for every resolution up to this one. */
const EXACT = 2 ** 37;

/** Tells the times of an interface's packets. Most have the second of the packet before, which is not reckoned again. */
export class Clock {
  /** Of the packet asked for last: seconds since 1970-01-01 UTC, and what is behind them. */
  seconds = 0;
  nanoseconds = 0;
  readonly ticksPerSecond: number;
  readonly offset: number;
  /** The upper half of the tick count, and what the lower one was, or would have been, when the present second began. */
  #upper = -1;
  #begun = 0;

  constructor(ticksPerSecond: number, offset: number) {
    this.ticksPerSecond = ticksPerSecond;
    this.offset = offset;
  }

  /** No number on the way to a time is rounded. */
  get exact(): boolean {
    return this.ticksPerSecond <= EXACT;
  }

  /** The time is the 64-bit tick count `upper`, `lower`. */
  set(upper: number, lower: number): void {
    let ticks = lower - this.#begun;
    if (upper !== this.#upper || ticks < 0 || ticks >= this.ticksPerSecond) ticks = this.#divide(upper, lower);
    this.nanoseconds = Math.floor((ticks / this.ticksPerSecond) * 1e9);
  }

  /** The second that the tick count lies in; the ticks behind it. */
  #divide(upper: number, lower: number): number {
    const ticksPerSecond = this.ticksPerSecond;
    if (!this.exact) {
      const total = upper * 2 ** 32 + lower;
      const seconds = Math.floor(total / ticksPerSecond);
      this.seconds = seconds + this.offset;
      return total - seconds * ticksPerSecond;
    }
    const middle = (upper % ticksPerSecond) * 65536 + (lower >>> 16);
    const low = (middle % ticksPerSecond) * 65536 + (lower & 0xffff);
    const quotient = Math.floor(upper / ticksPerSecond) * 65536 + Math.floor(middle / ticksPerSecond);
    const ticks = low % ticksPerSecond;
    this.seconds = quotient * 65536 + Math.floor(low / ticksPerSecond) + this.offset;
    this.#upper = upper;
    this.#begun = lower - ticks;
    return ticks;
  }
}
