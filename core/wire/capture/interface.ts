/**
 * pcapng's interface description block: link type, snap length, and how its packets' times are counted.
 *
 *   8 |           LinkType            |           Reserved            |
 *  12 |                            SnapLen                            |
 *  16 | Options: code (16), length (16), value padded to 32 bits, ... |
 */
import type { ByteOrder } from "../bytes.ts";
import type { Frame } from "./frame.ts";

export interface Interface {
  readonly linkType: number;
  /** 0 = no limit. */
  readonly snapLength: number;
  readonly ticksPerSecond: number;
  /** Seconds to add to every time. */
  readonly offset: number;
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
  return { linkType: order.u16(bytes, at + 8), snapLength: order.u32(bytes, at + 12), ticksPerSecond, offset };
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

/** The 64-bit tick count `upper`, `lower` of an interface as the frame's time. */
export function setTime(frame: Frame, { ticksPerSecond, offset }: Interface, upper: number, lower: number): void {
  let seconds: number;
  let ticks: number;
  if (ticksPerSecond <= EXACT) {
    const middle = (upper % ticksPerSecond) * 65536 + (lower >>> 16);
    const low = (middle % ticksPerSecond) * 65536 + (lower & 0xffff);
    const quotient = Math.floor(upper / ticksPerSecond) * 65536 + Math.floor(middle / ticksPerSecond);
    seconds = quotient * 65536 + Math.floor(low / ticksPerSecond);
    ticks = low % ticksPerSecond;
  } else {
    const total = upper * 2 ** 32 + lower;
    seconds = Math.floor(total / ticksPerSecond);
    ticks = total - seconds * ticksPerSecond;
  }
  frame.seconds = seconds + offset;
  frame.nanoseconds = Math.floor((ticks / ticksPerSecond) * 1e9);
}
