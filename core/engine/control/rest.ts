/**
 * How a control connection comes to rest, and wakes: a `Machine` whose ways have nothing to do but to wait for an
 * acknowledgment becomes a row, and is another connection's machine next.
 */
import { ms } from "../../units.ts";
import { copyWords } from "../../wire/bytes.ts";
import {
  ACKNOWLEDGED,
  CLOCK,
  EDGE,
  HEARD,
  KEPT,
  LIMITS,
  MOST_KEPT,
  NEXT,
  type RestPage,
  ROOM,
  ROOM_READ,
  SACK_PERMITTED,
  SCALE_SHIFT,
  SENT,
  SMOOTHED,
  TIMED,
  TIMED_AT,
  TIMESTAMPS,
  TOLD_EDGE,
  VARIANCE,
  WAY_SHIFT,
} from "./rest-rows.ts";
import { NOT_TIMED } from "./retransmission.ts";
import { UNKNOWN, type Way } from "./way.ts";

const NEVER = Number.POSITIVE_INFINITY;
/** Offsets of a way that wakes begin here: so far from 0 that none is ever negative, and no other number modulo 2^32. */
const BASE = 2 ** 32;
const LIMIT_MASK = 0xffff;
const SCALE_MASK = 15;

/** A row says all there is to say of both. */
export function mayRest(original: Way, reply: Way): boolean {
  if (!isStill(original) || !isStill(reply)) return false;
  const kept = original.outbound.kept + reply.outbound.kept;
  return kept <= MOST_KEPT && (original.outbound.kept === 0 || reply.outbound.kept === 0);
}

/** Nothing is waited for but one acknowledgment. */
function isStill(way: Way): boolean {
  const { outbound, offsets, timer } = way;
  if (!way.quiet || way.told !== way.acknowledged || way.windowNews || way.duplicates > 0) return false;
  if (timer.fired > 0 || timer.at < NEVER) return false;
  if (way.recover > outbound.acknowledged || way.urgentOutput > outbound.acknowledged) return false;
  return offsets.isOne(way.acknowledged, outbound.acknowledged);
}

/** Writes both ways into the row at `row` of `page`. */
export function layDown(page: RestPage, row: number, original: Way, reply: Way): void {
  layWay(page, row, 0, original, reply);
  layWay(page, row, 1, reply, original);
  const { outbound } = original.outbound.kept > 0 ? original : reply;
  const start = outbound.indexOf(outbound.acknowledged);
  copyWords(outbound.view, start, start + outbound.kept, page.view, (row << 2) + KEPT);
}

function layWay({ words, doubles }: RestPage, row: number, index: number, way: Way, back: Way): void {
  const { inbound, outbound, timer } = way;
  const at = row + (index << WAY_SHIFT);
  words[at + NEXT] = way.sequenceOf(inbound.next);
  words[at + ACKNOWLEDGED] = way.sequenceOf(way.acknowledged);
  words[at + SENT] = way.sequenceOf(outbound.sent);
  words[at + HEARD] = way.sequenceOf(outbound.acknowledged);
  words[at + EDGE] = way.sequenceOf(way.edge);
  words[at + TOLD_EDGE] = way.sequenceOf(way.toldEdge);
  words[at + ROOM] = way.sequenceOf(outbound.edge);
  words[at + ROOM_READ] = back.sequenceOf(way.windowReadAt);
  words[at + CLOCK] = way.clock;
  words[at + TIMED] = way.sequenceOf(timer.timed === NOT_TIMED ? outbound.acknowledged : timer.timed);
  const timestamps = way.timestamps ? TIMESTAMPS : 0;
  const sack = way.sackPermitted ? SACK_PERMITTED : 0;
  words[row + LIMITS + index] = way.segmentLimit | (way.scale << SCALE_SHIFT) | timestamps | sack;
  doubles[(at >> 1) + SMOOTHED] = timer.smoothed;
  doubles[(at >> 1) + VARIANCE] = timer.variance;
  doubles[(at >> 1) + TIMED_AT] = timer.timedAt;
}

/** Fills both ways from the row at `row` of `page`. They have been another connection's, which came to rest. */
export function wakeUp(page: RestPage, row: number, original: Way, reply: Way): void {
  wakeWay(page, row, 0, original);
  wakeWay(page, row, 1, reply);
  wakeReadAt(page, row, original, reply);
  wakeReadAt(page, row + (1 << WAY_SHIFT), reply, original);
}

function wakeWay({ words, doubles, bytes }: RestPage, row: number, index: number, way: Way): void {
  const at = row + (index << WAY_SHIFT);
  const { inbound, outbound, offsets, timer } = way;
  const first = words[at + ACKNOWLEDGED]!;
  const offset = (word: number): number => BASE + ((words[at + word]! - first) | 0);
  const limits = words[row + LIMITS + index]!;
  way.opened = true;
  way.first = first >>> 0;
  way.segmentLimit = limits & LIMIT_MASK;
  way.scale = (limits >>> SCALE_SHIFT) & SCALE_MASK;
  way.timestamps = (limits & TIMESTAMPS) !== 0;
  way.sackPermitted = (limits & SACK_PERMITTED) !== 0;
  way.clock = words[at + CLOCK]! >>> 0;
  inbound.next = offset(NEXT);
  way.consumed = inbound.next;
  way.acknowledged = BASE;
  way.told = BASE;
  way.edge = offset(EDGE);
  way.toldEdge = offset(TOLD_EDGE);
  const heard = offset(HEARD);
  const kept = (row << 2) + KEPT;
  outbound.begin(heard, bytes, kept, kept + offset(SENT) - heard);
  outbound.edge = offset(ROOM);
  way.owned = heard;
  way.recover = 0;
  way.urgentOutput = UNKNOWN;
  offsets.begin(BASE, inbound.next, heard, outbound.sent);
  timer.timed = words[at + TIMED] === words[at + HEARD] ? NOT_TIMED : offset(TIMED);
  timer.smoothed = doubles[(at >> 1) + SMOOTHED]!;
  timer.variance = doubles[(at >> 1) + VARIANCE]!;
  timer.timedAt = ms(doubles[(at >> 1) + TIMED_AT]!);
}

/** Where R's room was read is a place in R's own stream. */
function wakeReadAt({ words }: RestPage, at: number, way: Way, back: Way): void {
  way.windowReadAt = BASE + ((words[at + ROOM_READ]! - back.first) | 0);
}
