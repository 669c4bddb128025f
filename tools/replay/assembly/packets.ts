/**
 * Packets of plain Ethernet, read ahead some at a time from what their headers have at fixed places. When they are counted
 * their flows' rows have been fetched, all at once: one after the other they would take as long as all else together.
 */
import { AT, CAPTURED, END, ENDS, FETCHED, PACKETS, TUNNEL } from "../layout.ts";
import { fetch, hasRoom } from "./flows.ts";
import { equalKeys, hashKey, KIND, putIpv4, putIpv6 } from "./key.ts";
import { frame, frameEnd, take, time } from "./records.ts";

/** As many as their headers are still in the processor's first cache when they are counted. */
const MOST = 64;
/** So many bytes for each: its key, and what follows. */
const SIZE = 96;
export const HASH = 40;
/** 0 or 1: which end of its flow sent it, as in `putIpv4`. */
export const SIDE = 44;
/** A 64-bit float. */
export const TIME = 48;
/** The record that it is in. */
export const RECORD = 56;
/** In all of TCP or UDP, nothing in between. 0 in PAYLOAD: it is not plain, and the rest is nothing. */
export const TRANSPORT = 60;
export const PAYLOAD = 64;
/** Where it ends, and where it did before it was cut. */
export const STOP = 68;
export const WIRE_END = 72;

const ETHERNET = 14;
/** EtherType and version; in IPv4 a header without options. */
const PLAIN_IPV4 = 0x080045;
const PLAIN_IPV6 = 0x86dd60;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
/** More fragments, or an offset. */
const FRAGMENT = 0x3fff;
export const TCP = 6;
const TCP_HEADER = 20;
const UDP = 17;
export const UDP_HEADER = 8;
/** A reserved number: no protocol. */
const NONE = 255;

// In network byte order (RFC 791, appendix B).
export function u16be(at: i32): i32 {
  return bswap<u16>(load<u16>(at));
}
export function i32be(at: i32): i32 {
  return bswap<i32>(load<i32>(at));
}

/** Of the packet that is read. */
let transport: i32 = 0;
let wireEnd: i32 = 0;
let protocol: i32 = NONE;

export function packetAt(index: i32): usize {
  return PACKETS + index * SIZE;
}

/** Reads the packets that come next, as long as their records are common ones and each may have a flow of its own. How many. */
export function readAhead(): i32 {
  if (!hasRoom(MOST)) return 0;
  const end = load<i32>(END);
  let at = load<i32>(AT);
  let captured = load<i32>(CAPTURED);
  let count = 0;
  for (; count < MOST; count++) {
    const next = take(at, end);
    if (next === 0) break;
    captured += frameEnd - frame;
    const packet = packetAt(count);
    store<i32>(packet + RECORD, at);
    store<f64>(packet + TIME, time);
    store<i32>(packet + PAYLOAD, read(packet, count === 0 ? packet : packetAt(count - 1)));
    at = next;
  }
  store<i32>(AT, at);
  store<i32>(CAPTURED, captured);
  fetchRows(count);
  return count;
}

/** Nothing depends on what is fetched, so that the processor waits for none before it asks for the next. */
function fetchRows(count: i32): void {
  let fetched = 0;
  for (let index = 0; index < count; index++) fetched += fetch(load<i32>(packetAt(index) + HASH));
  store<i32>(FETCHED, fetched);
}

/** Reads the headers of the frame that was taken last. Where its payload begins; 0: it is not plain. Packets come in bursts: the one `before` mostly has the same hash. */
function read(packet: usize, before: usize): i32 {
  const family = familyOf(frame, frameEnd);
  if (family === 0) return 0;
  const stop = min(wireEnd, frameEnd);
  const header = headerLength(stop);
  if (header === 0) return 0;
  store<i32>(packet + TRANSPORT, transport);
  store<i32>(packet + STOP, stop);
  store<i32>(packet + WIRE_END, wireEnd);
  store<i32>(packet + SIDE, putKey(packet, family));
  store<i32>(
    packet + HASH,
    packet !== before && equalKeys(before, packet) ? load<i32>(before + HASH) : hashKey(packet),
  );
  return transport + header;
}

/** The family of the plain packet in the frame `[start, end)`; 0: it is not plain. */
function familyOf(start: i32, end: i32): i32 {
  const ip = start + ETHERNET;
  if (end < ip + IPV4_HEADER + UDP_HEADER) return 0;
  const type = i32be(ip - 2) >>> 8;
  if (type === PLAIN_IPV4) {
    if ((u16be(ip + 6) & FRAGMENT) !== 0) return 0;
    protocol = load<u8>(ip + 9);
    transport = ip + IPV4_HEADER;
    wireEnd = ip + u16be(ip + 2);
    return 4;
  }
  if ((type & ~0x0f) !== PLAIN_IPV6 || end < ip + IPV6_HEADER + UDP_HEADER) return 0;
  protocol = load<u8>(ip + 6);
  transport = ip + IPV6_HEADER;
  wireEnd = transport + u16be(ip + 4);
  return 6;
}

/** Of the TCP or UDP header that is whole; 0: it is not, or may be a tunnel's. */
function headerLength(stop: i32): i32 {
  if (protocol === TCP) {
    if (stop < transport + TCP_HEADER) return 0;
    const length = (<i32>load<u8>(transport + 12) >>> 4) << 2;
    return length < TCP_HEADER || stop < transport + length ? 0 : length;
  }
  if (protocol !== UDP || stop < transport + UDP_HEADER) return 0;
  const tunnel = load<u8>(TUNNEL + u16be(transport)) | load<u8>(TUNNEL + u16be(transport + 2));
  return tunnel === 0 ? UDP_HEADER : 0;
}

/** The key of the packet, whose IP header is of `family`. Which end sent it. */
function putKey(packet: usize, family: i32): i32 {
  const ports = i32be(transport);
  if (family === 4) return putIpv4(packet, i32be(transport - 8), i32be(transport - 4), ports, protocol);
  for (let at = 0; at < 32; at += 4) store<i32>(ENDS + at, i32be(transport - 32 + at));
  return putIpv6(packet, ports, protocol);
}

export function isTcp(packet: usize): bool {
  return (load<i32>(packet + KIND) & 0xff) === TCP;
}
