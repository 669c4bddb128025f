/**
 * The short way through a capture, which nearly all packets go, in a fraction of the time of `Tracker.frame`, which
 * is the way of all others and finds the same. It stops at what is to be looked at, once that is counted.
 */

import {
  A,
  BOUND_OF_TCP,
  BOUND_OF_UDP,
  BYTES,
  CONTROL,
  COUNTED,
  FOUND,
  FRAMES,
  MARK,
  RECORD,
  SENDER,
  SILENT,
  STOP,
  TELLING_OF_TCP,
  TELLING_OF_UDP,
  TRANSPORT,
  UNSEEN,
  WIRE_END,
} from "../layout.ts";
import { add, find, findIpv4, findIpv6, hasRoom, opened, rowAt, tally, watch } from "./flows.ts";
import { hashKey, PORTS } from "./key.ts";
import * as packets from "./packets.ts";
import { i32be, isTcp, packetAt, readAhead, u16be } from "./packets.ts";
import { between, hasAddress, lastTime, nextBetween, nextOfPort } from "./rows.ts";

export {
  add,
  between,
  findIpv4,
  findIpv6,
  hasAddress,
  hashKey,
  hasRoom,
  lastTime,
  nextBetween,
  nextOfPort,
  opened,
  watch,
};

const SYN = 2;
const ACK = 16;

/** Of the packets that were read ahead, how many there are, and how many of them were taken. */
let ready: i32 = 0;
let taken: i32 = 0;

/** Takes the packets that come next. 1: up to one that `count` leaves to others; 0: as far as their records are common ones. */
export function skim(): i32 {
  let frames = load<i32>(FRAMES);
  do {
    while (taken < ready) {
      const packet = packetAt(taken++);
      if (count(packet, ++frames)) continue;
      store<i32>(FRAMES, frames);
      store<i32>(RECORD, load<i32>(packet + packets.RECORD) - BYTES);
      return 1;
    }
    taken = 0;
    ready = readAhead();
  } while (ready > 0);
  store<i32>(FRAMES, frames);
  return 0;
}

/** Counts `packet`, in frame `number`. False: it is to be looked at, or goes the long way from its start (`FOUND` is -1 then). */
function count(packet: usize, number: i32): bool {
  store<i32>(FOUND, -1);
  const payload = load<i32>(packet + packets.PAYLOAD);
  if (payload === 0) return false;
  let row = find(packet, load<i32>(packet + packets.HASH));
  let at = rowAt(row);
  const side = load<i32>(packet + packets.SIDE);
  store<i32>(SENDER, A + side);
  const transport = load<i32>(packet + packets.TRANSPORT);
  const tcp = isTcp(packet);
  const flags: i32 = tcp ? load<u8>(transport + 13) : 0;
  if ((flags & SYN) !== 0) {
    if (reopens(at, flags)) return false;
    row = opened(row, flags, i32be(transport + 4), i32be(transport + 8));
    at = rowAt(row);
  }
  const wireEnd = load<i32>(packet + packets.WIRE_END);
  // What its header says is there is, so that nothing is negative.
  const octets = wireEnd - payload;
  const time = load<f64>(packet + packets.TIME);
  tally(at, side, time, number, octets, flags);
  if (tcp) watch(row, side, i32be(transport + 4), u16be(transport + 14), time, number, octets, flags);
  if (!concerns(packet, at)) return true;
  store<i32>(FOUND, row);
  store<i32>(TRANSPORT, transport - BYTES);
  store<i32>(STOP, load<i32>(packet + packets.STOP) - BYTES);
  store<i32>(WIRE_END, wireEnd - BYTES);
  return false;
}

/** Whether a SYN opens a row anew that is read as a control connection: the long way ends that. */
function reopens(at: usize, flags: i32): bool {
  return (flags & ACK) === 0 && load<i32>(at + MARK) === CONTROL;
}

/** Is `packet` to be looked at, whose row is at `at`? What `Tracker.look` would find of others. */
function concerns(packet: usize, at: usize): bool {
  const mark = load<i32>(at + MARK);
  if (mark === COUNTED) return false;
  const ports = load<i32>(packet + PORTS);
  const tcp = isTcp(packet);
  const bound = tcp ? BOUND_OF_TCP : BOUND_OF_UDP;
  if (mark === CONTROL) return true;
  if (mark === UNSEEN && (load<u8>(bound + (ports >>> 16)) | load<u8>(bound + (ports & 0xffff))) !== 0) return true;
  const payload = load<i32>(packet + packets.PAYLOAD);
  if (payload === load<i32>(packet + packets.STOP)) {
    if (tcp) store<i32>(at + MARK, SILENT);
    return !tcp;
  }
  if (load<u8>((tcp ? TELLING_OF_TCP : TELLING_OF_UDP) + load<u8>(payload)) !== 0) return true;
  // The datagram's own length may say that it is empty.
  if (!tcp && u16be(payload - 4) === packets.UDP_HEADER) return true;
  store<i32>(at + MARK, COUNTED);
  return false;
}
