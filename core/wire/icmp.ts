/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443), by offset. Errors carry the beginning of the packet they are about.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   0 |     Type      |     Code      |          Checksum             |
 *   4 |       unused, pointer, or the MTU of the next hop             |
 *   8 |   IP header + at least 8 bytes of the packet (ICMPv6: all of it that fits the minimum MTU)   ...
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * The MTU is 32 bits in ICMPv6 (Packet Too Big), and the last 16 of them in ICMP (RFC 1191 §4).
 */
import { u16, u32 } from "./bytes.ts";

export const PROTOCOL = 1;
export const PROTOCOL_V6 = 58;
export const HEADER = 8;
export const CHECKSUM = 2;
/** Where the packet that an error is about begins. */
export const EMBEDDED = 8;
/** Of its transport header this much is there at least (RFC 792): the ports, and all of UDP's. */
export const EMBEDDED_TRANSPORT = 8;

export const Type = {
  ECHO_REPLY: 0,
  DESTINATION_UNREACHABLE: 3,
  REDIRECT: 5,
  ECHO: 8,
  TIME_EXCEEDED: 11,
  PARAMETER_PROBLEM: 12,
} as const;

/** Codes of a DESTINATION_UNREACHABLE (RFC 792; RFC 1191; RFC 4443 §3.1). */
export const PORT_UNREACHABLE = 3;
export const FRAGMENTATION_NEEDED = 4;
export const PORT_UNREACHABLE_V6 = 4;

export const TypeV6 = {
  DESTINATION_UNREACHABLE: 1,
  PACKET_TOO_BIG: 2,
  TIME_EXCEEDED: 3,
  PARAMETER_PROBLEM: 4,
  ECHO: 128,
  ECHO_REPLY: 129,
} as const;

/** A whole header stands at `at`. Everything below is for such a header. */
export const check = (_bytes: Uint8Array, at: number, end: number): boolean => end - at >= HEADER;

export const type = (bytes: Uint8Array, at: number): number => bytes[at]!;
export const code = (bytes: Uint8Array, at: number): number => bytes[at + 1]!;

/**
 * Does this type report on a packet of a flow, and so follow the flow? A redirect does not: it speaks of the sender's own
 * link, and must not cross a router. Nor does a source quench: nobody may send one or act on it any more (RFC 6633), and
 * who could would slow down others.
 */
export const isError = (family: 4 | 6, type: number): boolean =>
  family === 6
    ? type >= TypeV6.DESTINATION_UNREACHABLE && type <= TypeV6.PARAMETER_PROBLEM
    : type === Type.DESTINATION_UNREACHABLE || type === Type.TIME_EXCEEDED || type === Type.PARAMETER_PROBLEM;

/** The MTU that a path-MTU message brings; 0: it is none, or says nothing (RFC 1191 §4). */
export function nextHopMtu(family: 4 | 6, bytes: Uint8Array, at: number): number {
  if (family === 6) return type(bytes, at) === TypeV6.PACKET_TOO_BIG ? u32(bytes, at + 4) : 0;
  const tooBig = type(bytes, at) === Type.DESTINATION_UNREACHABLE && code(bytes, at) === FRAGMENTATION_NEEDED;
  return tooBig ? u16(bytes, at + 6) : 0;
}
