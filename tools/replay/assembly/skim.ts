/**
 * The short way through a capture: packets of plain Ethernet, counted where they lie from what their headers have at fixed
 * places. Nearly all packets go it, in a fraction of the time of `Tracker.frame`, which
 * is the way of all others and finds the same. It stops at what is to be looked at, once that is counted.
 */

import {
  A,
  AT,
  BOUND_OF_TCP,
  BOUND_OF_UDP,
  BYTES,
  CAPTURED,
  CONTROL,
  COUNTED,
  END,
  ENDS,
  FOUND,
  FRAMES,
  KEY,
  MARK,
  RECORD,
  SENDER,
  SILENT,
  STOP,
  TELLING_OF_TCP,
  TELLING_OF_UDP,
  TRANSPORT,
  TUNNEL,
  UNSEEN,
  WIRE_END,
} from "../layout.ts";
import { add as addTo, findIpv4, findIpv6, opened, rowAt, tally } from "./flows.ts";
import { hashKey, PORTS } from "./key.ts";
import { frame, frameEnd, take, time } from "./records.ts";

export { addTo as add, findIpv4, findIpv6, hashKey, opened };

const ETHERNET = 14;
/** EtherType and version; in IPv4 a header without options. */
const PLAIN_IPV4 = 0x080045;
const PLAIN_IPV6 = 0x86dd60;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
/** More fragments, or an offset. */
const FRAGMENT = 0x3fff;
const TCP = 6;
const TCP_HEADER = 20;
const SYN = 2;
const ACK = 16;
const UDP = 17;
const UDP_HEADER = 8;
/** A reserved number: no protocol. */
const NONE = 255;

// In network byte order (RFC 791, appendix B).
function u16be(at: i32): i32 {
  return bswap<u16>(load<u16>(at));
}
function i32be(at: i32): i32 {
  return bswap<i32>(load<i32>(at));
}

/** Of the packet that is read: all of it in TCP or UDP, nothing in between. */
let transport: i32 = 0;
let wireEnd: i32 = 0;
let protocol: i32 = NONE;

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

/** The row of the packet, whose IP header is of `family`. */
function rowOf(family: i32): i32 {
  const ports = i32be(transport);
  if (family === 4) return findIpv4(i32be(transport - 8), i32be(transport - 4), ports, protocol);
  for (let at = 0; at < 32; at += 4) store<i32>(ENDS + at, i32be(transport - 32 + at));
  return findIpv6(ports, protocol);
}

/** Is the packet to be looked at, whose payload is `[payload, stop)` and whose row is at `at`? What `Tracker.look` would find of others. */
function concerns(at: usize, payload: i32, stop: i32): bool {
  const mark = load<i32>(at + MARK);
  if (mark === COUNTED) return false;
  const ports = load<i32>(at + KEY + PORTS);
  const isTcp = protocol === TCP;
  const bound = isTcp ? BOUND_OF_TCP : BOUND_OF_UDP;
  if (mark === CONTROL) return true;
  if (mark === UNSEEN && (load<u8>(bound + (ports >>> 16)) | load<u8>(bound + (ports & 0xffff))) !== 0) return true;
  if (payload === stop) {
    if (isTcp) store<i32>(at + MARK, SILENT);
    return !isTcp;
  }
  if (load<u8>((isTcp ? TELLING_OF_TCP : TELLING_OF_UDP) + load<u8>(payload)) !== 0) return true;
  // The datagram's own length may say that it is empty.
  if (!isTcp && u16be(transport + 4) === UDP_HEADER) return true;
  store<i32>(at + MARK, COUNTED);
  return false;
}

/** Whether a SYN opens a row anew that is read as a control connection: the long way ends that. */
function reopens(at: usize, flags: i32): bool {
  return (flags & ACK) === 0 && load<i32>(at + MARK) === CONTROL;
}

/** Counts the frame that was taken last, number `number`, from what its headers say. False: it is to be looked at, or goes the long way from its start (`FOUND` is -1 then). */
function count(number: i32): bool {
  store<i32>(FOUND, -1);
  const family = familyOf(frame, frameEnd);
  if (family === 0) return false;
  const stop = min(wireEnd, frameEnd);
  const header = headerLength(stop);
  if (header === 0) return false;
  let row = rowOf(family);
  let at = rowAt(row);
  const flags: i32 = protocol === TCP ? load<u8>(transport + 13) : 0;
  if ((flags & SYN) !== 0) {
    if (reopens(at, flags)) return false;
    row = opened(row, flags, i32be(transport + 4), i32be(transport + 8));
    at = rowAt(row);
  }
  // What its header says is there is, so that nothing is negative.
  const payload = transport + header;
  tally(at, load<i32>(SENDER) - A, time, number, wireEnd - payload, flags);
  if (!concerns(at, payload, stop)) return true;
  store<i32>(FOUND, row);
  store<i32>(TRANSPORT, transport - BYTES);
  store<i32>(STOP, stop - BYTES);
  store<i32>(WIRE_END, wireEnd - BYTES);
  return false;
}

/** Takes the records that come next. 1: up to one that `count` leaves to others; 0: as far as they are of the common kind. */
export function skim(): i32 {
  const end = load<i32>(END);
  let frames = load<i32>(FRAMES);
  let captured = load<i32>(CAPTURED);
  let record = load<i32>(AT);
  let next = take(record, end);
  let counted: bool = true;
  while (next !== 0) {
    captured += frameEnd - frame;
    counted = count(++frames);
    if (!counted) break;
    record = next;
    next = take(record, end);
  }
  store<i32>(FRAMES, frames);
  store<i32>(CAPTURED, captured);
  store<i32>(RECORD, record);
  store<i32>(AT, counted ? record : next);
  return i32(!counted);
}
