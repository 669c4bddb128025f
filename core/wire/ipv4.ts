/**
 * IPv4 (RFC 791 §3.1), by offset.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   0 |Version|  IHL  |Type of Service|          Total Length         |
 *   4 |         Identification        |Flags|      Fragment Offset    |
 *   8 |  Time to Live |    Protocol   |         Header Checksum       |
 *  12 |                         Source Address                        |
 *  16 |                      Destination Address                      |
 *  20 |                    Options                    |    Padding    |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { u16 } from "./bytes.ts";

export const HEADER = 20;
export const TIME_TO_LIVE = 8;
export const CHECKSUM = 10;
export const SOURCE = 12;
export const DESTINATION = 16;

const MORE_FRAGMENTS = 0x2000;
const OFFSET_MASK = 0x1fff;

/** A whole header stands at `at`, and its lengths agree. Everything below is for such a header. */
export function check(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at < HEADER || bytes[at]! >>> 4 !== 4) return false;
  const header = headerLength(bytes, at);
  if (header < HEADER || at + header > end) return false;
  const total = totalLength(bytes, at);
  return total === 0 || total >= header;
}

export const headerLength = (bytes: Uint8Array, at: number): number => (bytes[at]! & 15) << 2;

/** 0 in what a sending host captures before its interface segments it (TSO): then as long as what is there. */
export const totalLength = (bytes: Uint8Array, at: number): number => u16(bytes, at + 2);
export const identification = (bytes: Uint8Array, at: number): number => u16(bytes, at + 4);
export const moreFragments = (bytes: Uint8Array, at: number): boolean => (u16(bytes, at + 6) & MORE_FRAGMENTS) !== 0;

/** In bytes. */
export const fragmentOffset = (bytes: Uint8Array, at: number): number => (u16(bytes, at + 6) & OFFSET_MASK) << 3;
export const isFragment = (bytes: Uint8Array, at: number): boolean =>
  (u16(bytes, at + 6) & (MORE_FRAGMENTS | OFFSET_MASK)) !== 0;
export const protocol = (bytes: Uint8Array, at: number): number => bytes[at + 9]!;
