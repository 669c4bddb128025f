/**
 * A datagram that was put together leaves in fragments again, none larger than those it came in: what is behind the
 * director was reached that way (as Linux's conntrack does with `frag_max_size`).
 */
import { putU16, putU32 } from "../wire/bytes.ts";
import { fold, sumOf } from "../wire/checksum.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as ipv6 from "../wire/ipv6.ts";

const MORE = 0x2000;
const NEXT_HEADER = 6;

/** Puts `parts`, the bytes of a datagram by where they begin, behind the header of `first`, which is one of its packets. */
export function assemble(
  first: Uint8Array,
  protocol: number,
  parts: readonly { readonly start: number; readonly body: Uint8Array }[],
): Uint8Array | null {
  const header = headerOf(first);
  const length = parts.reduce((sum, { body }) => sum + body.length, 0);
  // RFC 791 §3.1: 65,535 bytes, its header included; more is an attack on who adds up. IPv6 counts the payload.
  if (length + (header === ipv4.HEADER ? header : 0) > 0xffff) return null;
  const whole = new Uint8Array(header + length);
  whole.set(first.subarray(0, header));
  for (const { start, body } of parts) whole.set(body, header + start);
  if (header === ipv6.HEADER) {
    whole[NEXT_HEADER] = protocol;
    putU16(whole, 4, length);
  } else putIpv4(whole, 0, whole.length, 0);
  return whole;
}

/**
 * Hands out the fragments of the IP packet `whole`, which has no options or extension headers; each is at most `most`
 * bytes long, and is valid until the next.
 */
export function cut(
  whole: Uint8Array,
  most: number,
  identification: number,
  out: (fragment: Uint8Array) => void,
): void {
  const header = headerOf(whole);
  const before = header === ipv4.HEADER ? header : header + ipv6.FRAGMENT_HEADER;
  const step = Math.max((most - before) & ~7, 8);
  const fragment = new Uint8Array(before + step);
  fragment.set(whole.subarray(0, header));
  for (let start = 0; header + start < whole.length; start += step) {
    const body = whole.subarray(header + start, header + start + step);
    const more = header + start + step < whole.length;
    fragment.set(body, before);
    if (header === ipv4.HEADER) {
      putU16(fragment, 4, identification);
      putIpv4(fragment, 0, before + body.length, (start >>> 3) | (more ? MORE : 0));
    } else putIpv6Fragment(fragment, whole[NEXT_HEADER]!, body.length, start | (more ? 1 : 0), identification);
    out(fragment.subarray(0, before + body.length));
  }
}

const headerOf = (packet: Uint8Array): number => (packet[0]! >>> 4 === 4 ? ipv4.HEADER : ipv6.HEADER);

/** A header without options. */
function putIpv4(bytes: Uint8Array, at: number, length: number, fragmentation: number): void {
  bytes[at] = 0x45;
  putU16(bytes, at + 2, length);
  putU16(bytes, at + 6, fragmentation);
  putU16(bytes, at + ipv4.CHECKSUM, 0);
  putU16(bytes, at + ipv4.CHECKSUM, ~fold(sumOf(bytes, at, at + ipv4.HEADER)) & 0xffff);
}

function putIpv6Fragment(
  bytes: Uint8Array,
  next: number,
  length: number,
  offset: number,
  identification: number,
): void {
  putU16(bytes, 4, ipv6.FRAGMENT_HEADER + length);
  bytes[NEXT_HEADER] = ipv6.FRAGMENT;
  bytes[ipv6.HEADER] = next;
  bytes[ipv6.HEADER + 1] = 0;
  putU16(bytes, ipv6.HEADER + 2, offset);
  putU32(bytes, ipv6.HEADER + 4, identification);
}
