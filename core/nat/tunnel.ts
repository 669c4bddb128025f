/**
 * IP in IP (RFC 2003 §3, RFC 2473 §3): the forwarding method *tunnelling*. The packet goes as it is, in the payload of
 * one from the director to the realserver, which takes it out and finds its own VIP in it.
 *
 *   [ director -> realserver | 4 or 41 ] [ client -> VIP | TCP ... ]
 */

import type { Address } from "../wire/address.ts";
import { putU16, putU32 } from "../wire/bytes.ts";
import { fold, sumOf } from "../wire/checksum.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as ipv6 from "../wire/ipv6.ts";

const IPV4_IN_IP = 4;
const IPV6_IN_IP = 41;
const DONT_FRAGMENT = 0x40;

/** What the outer header adds, in bytes. */
export const overhead = (outer: Address): number => (outer.family === 4 ? ipv4.HEADER : ipv6.HEADER);

/** Writes at `at` of `to` the packet in `[from, from + length)` of `bytes` behind a header of its own. Returns its length. */
export function encapsulate(
  bytes: Uint8Array,
  from: number,
  length: number,
  source: Address,
  destination: Address,
  to: Uint8Array,
  at: number,
): number {
  const header = overhead(destination);
  const inner = bytes[from]! >>> 4 === 4 ? IPV4_IN_IP : IPV6_IN_IP;
  if (destination.family === 4) putIpv4(bytes, from, length, inner, source, destination, to, at);
  else putIpv6(bytes, from, length, inner, source, destination, to, at);
  to.set(bytes.subarray(from, from + length), at + header);
  return header + length;
}

/** Service class and, in IPv4, DF are the inner packet's: so a path too narrow says so to who can do something about it. */
function putIpv4(
  bytes: Uint8Array,
  from: number,
  length: number,
  inner: number,
  source: Address,
  destination: Address,
  to: Uint8Array,
  at: number,
): void {
  const whole = inner === IPV4_IN_IP;
  to[at] = 0x45;
  to[at + 1] = whole ? bytes[from + 1]! : trafficClass(bytes, from);
  putU16(to, at + 2, ipv4.HEADER + length);
  putU16(to, at + 4, whole ? ipv4.identification(bytes, from) : 0);
  to[at + 6] = whole ? bytes[from + 6]! & DONT_FRAGMENT : DONT_FRAGMENT;
  to[at + 7] = 0;
  to[at + ipv4.TIME_TO_LIVE] = bytes[from + (whole ? ipv4.TIME_TO_LIVE : ipv6.HOP_LIMIT)]!;
  to[at + 9] = inner;
  putU16(to, at + ipv4.CHECKSUM, 0);
  putU32(to, at + ipv4.SOURCE, source.words[3]);
  putU32(to, at + ipv4.DESTINATION, destination.words[3]);
  putU16(to, at + ipv4.CHECKSUM, ~fold(sumOf(to, at, at + ipv4.HEADER)) & 0xffff);
}

function putIpv6(
  bytes: Uint8Array,
  from: number,
  length: number,
  inner: number,
  source: Address,
  destination: Address,
  to: Uint8Array,
  at: number,
): void {
  const whole = inner === IPV4_IN_IP;
  putU32(to, at, (6 << 28) | ((whole ? bytes[from + 1]! : trafficClass(bytes, from)) << 20));
  putU16(to, at + 4, length);
  to[at + 6] = inner;
  to[at + ipv6.HOP_LIMIT] = bytes[from + (whole ? ipv4.TIME_TO_LIVE : ipv6.HOP_LIMIT)]!;
  for (let i = 0; i < 4; i++) {
    putU32(to, at + ipv6.SOURCE + i * 4, source.words[i]!);
    putU32(to, at + ipv6.DESTINATION + i * 4, destination.words[i]!);
  }
}

const trafficClass = (bytes: Uint8Array, at: number): number => ((bytes[at]! & 15) << 4) | (bytes[at + 1]! >>> 4);
