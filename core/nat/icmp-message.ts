/**
 * Messages to the sender of a packet that goes no further. They come from the address that it was sent to: the VIP, as the
 * only one its sender knows.
 *
 *   it is too large for the way it has to go    "fragmentation needed" (RFC 1191 §4), "packet too big" (RFC 4443 §3.2)
 *   nobody serves it                            "port unreachable" (RFC 792, RFC 4443 §3.1), by TCP too, as ip_vs_leave
 */
import { putU16, putU32 } from "../wire/bytes.ts";
import { fold, pseudoHeaderSum, sumOf } from "../wire/checksum.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as ipv6 from "../wire/ipv6.ts";

const HOPS = 64;
/** RFC 1812 §4.3.2.3, and the minimum MTU of IPv6 (RFC 8200 §5): the message itself is never too large. */
const MOST_IPV4 = 576;
const MOST_IPV6 = 1280;

/** The longest such message. */
export const MOST = MOST_IPV6;

/** Must this packet be refused where `mtu` bytes fit? IPv4 without DF is fragmented on the way instead. */
export const isTooBig = (bytes: Uint8Array, at: number, length: number, mtu: number): boolean =>
  length > mtu && (bytes[at]! >>> 4 === 6 || (bytes[at + 6]! & 0x40) !== 0);

/** Writes at `at` of `to` that the packet in `[from, from + length)` does not fit into `mtu`. Returns the length. */
export function tooBig(
  bytes: Uint8Array,
  from: number,
  length: number,
  mtu: number,
  to: Uint8Array,
  at: number,
): number {
  return write(bytes, from, length, bytes[from]! >>> 4 === 6 ? TOO_BIG_V6 : TOO_BIG, mtu, to, at);
}

/** The same, that nobody serves the port that it was sent to. */
export const portUnreachable = (bytes: Uint8Array, from: number, length: number, to: Uint8Array, at: number): number =>
  write(bytes, from, length, bytes[from]! >>> 4 === 6 ? UNREACHABLE_V6 : UNREACHABLE, 0, to, at);

/** Type << 8 | code. */
const TOO_BIG = (icmp.Type.DESTINATION_UNREACHABLE << 8) | icmp.FRAGMENTATION_NEEDED;
const TOO_BIG_V6 = icmp.TypeV6.PACKET_TOO_BIG << 8;
const UNREACHABLE = (icmp.Type.DESTINATION_UNREACHABLE << 8) | icmp.PORT_UNREACHABLE;
const UNREACHABLE_V6 = (icmp.TypeV6.DESTINATION_UNREACHABLE << 8) | icmp.PORT_UNREACHABLE_V6;

function write(
  bytes: Uint8Array,
  from: number,
  length: number,
  what: number,
  word: number,
  to: Uint8Array,
  at: number,
): number {
  const v6 = bytes[from]! >>> 4 === 6;
  const header = v6 ? ipv6.HEADER : ipv4.HEADER;
  const quoted = Math.min(length, (v6 ? MOST_IPV6 : MOST_IPV4) - header - icmp.HEADER);
  const body = at + header;
  const end = body + icmp.HEADER + quoted;
  to.fill(0, at, body + icmp.HEADER);
  putU16(to, body, what);
  putU32(to, body + 4, word);
  to.set(bytes.subarray(from, from + quoted), body + icmp.HEADER);
  if (v6) putIpv6(bytes, from, to, at, end);
  else putIpv4(bytes, from, to, at, end);
  const pseudo = v6 ? pseudoHeaderSum(to, at + ipv6.SOURCE, body, icmp.PROTOCOL_V6, end - body) : 0;
  putU16(to, body + icmp.CHECKSUM, ~fold(sumOf(to, body, end, pseudo)) & 0xffff);
  return end - at;
}

/** Back to where the packet came from. */
function putIpv4(bytes: Uint8Array, from: number, to: Uint8Array, at: number, end: number): void {
  to[at] = 0x45;
  putU16(to, at + 2, end - at);
  to[at + ipv4.TIME_TO_LIVE] = HOPS;
  to[at + 9] = icmp.PROTOCOL;
  to.set(bytes.subarray(from + ipv4.DESTINATION, from + ipv4.DESTINATION + 4), at + ipv4.SOURCE);
  to.set(bytes.subarray(from + ipv4.SOURCE, from + ipv4.SOURCE + 4), at + ipv4.DESTINATION);
  putU16(to, at + ipv4.CHECKSUM, ~fold(sumOf(to, at, at + ipv4.HEADER)) & 0xffff);
}

function putIpv6(bytes: Uint8Array, from: number, to: Uint8Array, at: number, end: number): void {
  to[at] = 6 << 4;
  putU16(to, at + 4, end - at - ipv6.HEADER);
  to[at + 6] = icmp.PROTOCOL_V6;
  to[at + ipv6.HOP_LIMIT] = HOPS;
  to.set(bytes.subarray(from + ipv6.DESTINATION, from + ipv6.DESTINATION + 16), at + ipv6.SOURCE);
  to.set(bytes.subarray(from + ipv6.SOURCE, from + ipv6.SOURCE + 16), at + ipv6.DESTINATION);
}
