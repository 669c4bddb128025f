/**
 * UDP (RFC 768), by offset.
 *
 *      0      7 8     15 16    23 24    31
 *     +--------+--------+--------+--------+
 *   0 |   Source Port   |Destination Port |
 *   4 |     Length      |    Checksum     |
 *     +--------+--------+--------+--------+
 */
import { u16 } from "./bytes.ts";

export const PROTOCOL = 17;
export const HEADER = 8;
export const CHECKSUM = 6;

/** A whole header stands at `at`. Everything below is for such a header. */
export const check = (_bytes: Uint8Array, at: number, end: number): boolean => end - at >= HEADER;

export const sourcePort = (bytes: Uint8Array, at: number): number => u16(bytes, at);
export const destinationPort = (bytes: Uint8Array, at: number): number => u16(bytes, at + 2);

/** Header and data. 0 in a jumbogram (RFC 2675 §4): then as long as what is there. */
export const length = (bytes: Uint8Array, at: number): number => u16(bytes, at + 4);
