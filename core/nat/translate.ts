/**
 * Network address translation of one packet, in place: one end of it gets another address and port, its checksums follow
 * incrementally, and it has one hop less to live.
 *
 *   client:40112 -> VIP:21     becomes   client:40112 -> real:2121     `DESTINATION` is rewritten
 *   real:2121 -> client:40112  becomes   VIP:21 -> client:40112        `SOURCE` is rewritten
 *
 * An ICMP error is about a packet that went the other way, so the same end is the other one in the packet embedded in it:
 *
 *   router -> VIP   [ VIP:21 -> client:40112 ]       becomes   router -> real  [ real:2121 -> client:40112 ]
 *   real -> client  [ client:40112 -> real:2121 ]    becomes   VIP -> client   [ client:40112 -> VIP:21 ]
 *
 * A router among the realservers that reports to a client becomes the VIP too: the addresses there are nobody's business,
 * and could not be answered (as ip_vs_nat_icmp does). The MTU that a path-MTU message brings stays: translation changes
 * no length.
 */
import { adjust, adjusted, adjustPartial, adjustUdp, difference16, difference32 } from "../wire/checksum.ts";
import { CHECKSUM as ICMP_CHECKSUM } from "../wire/icmp.ts";
import { CHECKSUM as IPV4_CHECKSUM, SOURCE as IPV4_SOURCE, TIME_TO_LIVE } from "../wire/ipv4.ts";
import { HOP_LIMIT, SOURCE as IPV6_SOURCE } from "../wire/ipv6.ts";
import { PROTOCOL as TCP, CHECKSUM as TCP_CHECKSUM, SEQUENCE as TCP_SEQUENCE } from "../wire/tcp.ts";
import { CHECKSUM as UDP_CHECKSUM } from "../wire/udp.ts";

/** Which end of the packet is rewritten. */
export const SOURCE = 0;
export const DESTINATION = 1;

/** TTL and protocol are one 16-bit word of the header; one less in its upper byte is this difference: ~m + m - 0x100. */
const ONE_HOP_LESS = 0xffff - 0x0100;

/** May it be forwarded another hop? (RFC 1812 §5.3.1, RFC 8200 §3.) */
export const mayTravel = (view: DataView, at: number, family: 4 | 6): boolean =>
  view.getUint8(at + (family === 4 ? TIME_TO_LIVE : HOP_LIMIT)) > 1;

/** The IPv4 header at `at` gets `address` at its `end`. Returns the difference that a pseudo-header sees. */
export function readdressIpv4(view: DataView, at: number, end: number, address: number): number {
  const place = at + IPV4_SOURCE + (end << 2);
  const difference = difference32(view.getInt32(place), address);
  view.setInt32(place, address);
  // TTL, protocol and header checksum are one word.
  const word = view.getInt32(at + TIME_TO_LIVE);
  const checksum = adjusted(word & 0xffff, difference + ONE_HOP_LESS) & 0xffff;
  view.setInt32(at + TIME_TO_LIVE, (((word >>> 16) - 0x100) << 16) | checksum);
  return difference;
}

/** The IPv6 header at `at` gets the address whose first 96 bits are at `prefix` of `prefixes`, and whose last are `low`. */
export function readdressIpv6(
  view: DataView,
  at: number,
  end: number,
  prefixes: Int32Array,
  prefix: number,
  low: number,
): number {
  view.setUint8(at + HOP_LIMIT, view.getUint8(at + HOP_LIMIT) - 1);
  return putIpv6Address(view, at + IPV6_SOURCE + (end << 4), prefixes, prefix, low);
}

function putIpv6Address(view: DataView, at: number, prefixes: Int32Array, prefix: number, low: number): number {
  let difference = 0;
  for (let i = 0; i < 4; i++) {
    const word = i === 3 ? low : prefixes[prefix + i]!;
    difference += difference32(view.getInt32(at + i * 4), word);
    view.setInt32(at + i * 4, word);
  }
  return difference;
}

/**
 * The transport header at `at` gets `port` at its `end`, and its checksum follows that and `difference`, the change of
 * the pseudo-header. `partial`: the checksum is a partial one.
 */
export function retarget(
  view: DataView,
  at: number,
  protocol: number,
  end: number,
  port: number,
  difference: number,
  partial: boolean,
): void {
  const place = at + (end << 1);
  const whole = difference + difference16(view.getUint16(place), port);
  view.setUint16(place, port);
  const checksum = at + (protocol === TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
  if (partial) adjustPartial(view, checksum, difference);
  else if (protocol === TCP) adjust(view, checksum, whole);
  else adjustUdp(view, checksum, whole);
}

/** What an error is about, and where it stands; filled by `Headers` from the embedded packet. */
export interface Embedded {
  readonly family: 4 | 6;
  readonly protocol: number;
  /** Of the embedded packet's transport header; eight bytes of it are there. */
  readonly transport: number;
  readonly end: number;
}

/**
 * The embedded packet, whose IP header is at `at`, gets address and port at its `end`. Returns the difference that the
 * ICMP checksum, which covers all of it, sees. The rest of the packet may be missing; only what is there is changed.
 */
export function translateEmbedded(
  view: DataView,
  at: number,
  inner: Embedded,
  end: number,
  prefixes: Int32Array,
  prefix: number,
  low: number,
  port: number,
): number {
  const { family, protocol, transport } = inner;
  let difference: number;
  let seen: number;
  if (family === 4) {
    const place = at + IPV4_SOURCE + (end << 2);
    difference = difference32(view.getInt32(place), low);
    view.setInt32(place, low);
    const before = view.getUint16(at + IPV4_CHECKSUM);
    adjust(view, at + IPV4_CHECKSUM, difference);
    seen = difference + difference16(before, view.getUint16(at + IPV4_CHECKSUM));
  } else {
    difference = putIpv6Address(view, at + IPV6_SOURCE + (end << 4), prefixes, prefix, low);
    seen = difference;
  }
  const place = transport + (end << 1);
  const ports = difference16(view.getUint16(place), port);
  view.setUint16(place, port);
  const checksum = transport + (protocol === TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
  // Eight bytes of TCP do not reach to its checksum (RFC 792).
  if (checksum + 2 > inner.end) return seen + ports;
  const before = view.getUint16(checksum);
  if (protocol === TCP) adjust(view, checksum, difference + ports);
  else adjustUdp(view, checksum, difference + ports);
  return seen + ports + difference16(before, view.getUint16(checksum));
}

/**
 * The embedded TCP segment gets the sequence number by which its sender knows it, where what it carries was rewritten on
 * the way. Returns the difference that the ICMP checksum sees.
 */
export function renumberEmbedded(view: DataView, { transport, end }: Embedded, sequence: number): number {
  const place = transport + TCP_SEQUENCE;
  const difference = difference32(view.getInt32(place), sequence | 0);
  view.setInt32(place, sequence);
  const checksum = transport + TCP_CHECKSUM;
  if (checksum + 2 > end) return difference;
  const before = view.getUint16(checksum);
  adjust(view, checksum, difference);
  return difference + difference16(before, view.getUint16(checksum));
}

/** The ICMP checksum of the error at `at` follows; `pseudo`: the change of the pseudo-header, which ICMPv6 counts in. */
export const settleIcmp = (view: DataView, at: number, difference: number): void =>
  adjust(view, at + ICMP_CHECKSUM, difference);
