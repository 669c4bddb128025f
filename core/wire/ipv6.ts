/**
 * IPv6 (RFC 8200 §3) and its extension headers (§4), by offset.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   0 |Version| Traffic Class |           Flow Label                  |
 *   4 |         Payload Length        |  Next Header  |   Hop Limit   |
 *   8 |                    Source Address (128 bits)                  |
 *  24 |                 Destination Address (128 bits)                |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { u16, u32 } from "./bytes.ts";

export const HEADER = 40;
export const HOP_LIMIT = 7;
export const SOURCE = 8;
export const DESTINATION = 24;

export const HOP_BY_HOP = 0;
export const ROUTING = 43;
export const FRAGMENT = 44;
export const AUTHENTICATION = 51;
export const DESTINATION_OPTIONS = 60;
export const MOBILITY = 135;

/** A whole header stands at `at`. Everything below is for such a header. */
export const check = (bytes: Uint8Array, at: number, end: number): boolean =>
  end - at >= HEADER && bytes[at]! >>> 4 === 6;

/** 0 in a jumbogram (RFC 2675 §3): then as long as what is there. */
export const payloadLength = (bytes: Uint8Array, at: number): number => u16(bytes, at + 4);
export const nextHeader = (bytes: Uint8Array, at: number): number => bytes[at + 6]!;

/** Is the header that `next` names to be walked over on the way to the payload? (RFC 7045 §1.) */
export const isExtension = (next: number): boolean =>
  next === HOP_BY_HOP ||
  next === ROUTING ||
  next === AUTHENTICATION ||
  next === DESTINATION_OPTIONS ||
  next === MOBILITY;

/**
 * The length of the extension header at `at`, whose first byte is the next header's number and whose second counts
 * 8-byte units after the first 8 (RFC 8200 §4.2); the authentication header counts 4-byte units less two (RFC 4302 §2.2).
 */
export const extensionLength = (bytes: Uint8Array, at: number, header: number): number =>
  header === AUTHENTICATION ? (bytes[at + 1]! + 2) << 2 : (bytes[at + 1]! + 1) << 3;

/**
 * The fragment header (RFC 8200 §4.5).
 *
 *   0 |  Next Header  |   Reserved    |      Fragment Offset    |Res|M|
 *   4 |                         Identification                        |
 */
export const FRAGMENT_HEADER = 8;
export const fragmentOffset = (bytes: Uint8Array, at: number): number => u16(bytes, at + 2) & 0xfff8;
export const moreFragments = (bytes: Uint8Array, at: number): boolean => (bytes[at + 3]! & 1) !== 0;
export const fragmentIdentification = (bytes: Uint8Array, at: number): number => u32(bytes, at + 4);
