/**
 * TCP (RFC 9293 §3.1), by offset.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   0 |          Source Port          |       Destination Port        |
 *   4 |                        Sequence Number                        |
 *   8 |                    Acknowledgment Number                      |
 *     |  Data |       |C|E|U|A|P|R|S|F|                               |
 *  12 | Offset| Rsrvd |W|C|R|C|S|S|Y|I|            Window             |
 *     |       |       |R|E|G|K|H|T|N|N|                               |
 *  16 |           Checksum            |         Urgent Pointer        |
 *  20 |                           [Options]                           |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { u16, u32 } from "./bytes.ts";

export const PROTOCOL = 6;
export const HEADER = 20;
export const SEQUENCE = 4;
export const ACKNOWLEDGMENT = 8;
/** Header length, flags and window in one word. */
export const CONTROL = 12;
export const CHECKSUM = 16;

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;

/** A whole header stands at `at`. Everything below is for such a header. */
export function check(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at < HEADER) return false;
  const header = headerLength(bytes, at);
  return header >= HEADER && at + header <= end;
}

export const sourcePort = (bytes: Uint8Array, at: number): number => u16(bytes, at);
export const destinationPort = (bytes: Uint8Array, at: number): number => u16(bytes, at + 2);
export const sequence = (bytes: Uint8Array, at: number): number => u32(bytes, at + SEQUENCE);
export const acknowledgment = (bytes: Uint8Array, at: number): number => u32(bytes, at + ACKNOWLEDGMENT);
export const headerLength = (bytes: Uint8Array, at: number): number => (bytes[at + 12]! >>> 4) << 2;
export const flags = (bytes: Uint8Array, at: number): number => bytes[at + 13]!;
export const window = (bytes: Uint8Array, at: number): number => u16(bytes, at + 14);
export const urgentPointer = (bytes: Uint8Array, at: number): number => u16(bytes, at + 18);
