/**
 * The short way of ordinary segments, which nearly all are: what `Machine` comes to where it has nothing to put in order, to
 * wait for, or to repeat. On the rows of connections at rest (rest-rows.ts), of which `way` and `back` are the places of
 * both ways in the words of a page.
 */
import type { Direction, Ms } from "../../units.ts";
import { copyWords } from "../../wire/bytes.ts";
import * as tcp from "../../wire/tcp.ts";
import { hasTimestampsOnly, putTimestamps, TIMESTAMPS_LENGTH, timestampOf } from "../../wire/tcp-options.ts";
import * as rows from "./rest-rows.ts";
import { smoothedWith, varianceWith } from "./retransmission.ts";
import { Segment } from "./segment.ts";
import { MOST_QUEUED, MOST_WINDOW } from "./way.ts";

const { ACK, ACKNOWLEDGMENT, CONTROL, HEADER, PSH, SEQUENCE } = tcp;
const { ACKNOWLEDGED, CLOCK, EDGE, HEARD, KEPT, LIMITS, MOST_KEPT, NEXT, ROOM, ROOM_READ, ROW_SHIFT } = rows;
const { SCALE_SHIFT, SENT, SMOOTHED, TIMED, TIMED_AT, TIMESTAMPS, TOLD_EDGE, VARIANCE, WAY_SHIFT } = rows;
const LIMIT_MASK = 0xffff;
const SCALE_MASK = 15;

/** Of all connections: what is said is said before anything else is. Who has read puts in what it carries, `say` the rest. */
export const said = new Segment();

/** Where the original way of the row at `row` is, and where the other. */
export const wayAt = (row: number, direction: Direction): number =>
  direction === "original" ? row : row + (1 << WAY_SHIFT);

export const oppositeOf = (way: number): number => way ^ (1 << WAY_SHIFT);

const rowOf = (way: number): number => (way >>> ROW_SHIFT) << ROW_SHIFT;

/** What stands behind both ways for this one. */
const limitsOf = (words: Int32Array, way: number): number => words[rowOf(way) + LIMITS + ((way >>> WAY_SHIFT) & 1)]!;

const scaleOf = (words: Int32Array, way: number): number => (limitsOf(words, way) >>> SCALE_SHIFT) & SCALE_MASK;

/**
 * Whether a segment can take the short way: next in turn, from an end that has everything it was sent, to one that has too;
 * data within the window, or else the first acknowledgment of what it was sent.
 */
export function isOrdinary(
  { words }: rows.RestPage,
  way: number,
  back: number,
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
): boolean {
  const control = view.getInt32(at + CONTROL);
  if ((((control >>> 16) & 0xff) | PSH) !== (ACK | PSH)) return false;
  const from = at + ((control >>> 28) << 2);
  if (from > at + HEADER && !hasTimestampsOnly(bytes, at)) return false;
  const next = words[way + NEXT]!;
  if (view.getInt32(at + SEQUENCE) !== next) return false;
  const sent = words[back + SENT]!;
  if (view.getInt32(at + ACKNOWLEDGMENT) !== sent || words[way + SENT] !== words[way + HEARD]) return false;
  if (from < end) return end - from <= ((words[way + EDGE]! - next) | 0);
  return words[back + HEARD] !== sent && words[back + ACKNOWLEDGED] !== words[back + NEXT];
}

/** Whether `length` bytes of output are something to say, can be said to R in one segment, and kept in the row. */
export function canSay({ words }: rows.RestPage, way: number, length: number): boolean {
  if (length === 0 || length > MOST_KEPT || length > (limitsOf(words, way) & LIMIT_MASK)) return false;
  return length <= ((words[way + ROOM]! - words[way + SENT]!) | 0);
}

/** Takes in what an ordinary segment says but for its payload, which has `length` bytes. */
export function hearAll(
  { words, doubles }: rows.RestPage,
  way: number,
  back: number,
  bytes: Uint8Array,
  view: DataView,
  at: number,
  length: number,
  now: Ms,
): void {
  const control = view.getInt32(at + CONTROL);
  if (control >>> 28 > HEADER >> 2) noteClock(words, way, timestampOf(bytes, at));
  const sent = words[back + SENT]!;
  const moved = words[back + HEARD] !== sent;
  hearRoom(words, way, back, control & 0xffff, moved);
  words[way + NEXT] = words[way + NEXT]! + length;
  if (!moved) return;
  if (words[back + TIMED] !== words[back + HEARD]) measure(doubles, back >> 1, now);
  words[back + HEARD] = sent;
  words[back + TIMED] = sent;
  words[back + ACKNOWLEDGED] = words[back + NEXT]!;
}

/** As in hearing.ts. */
function hearRoom(words: Int32Array, way: number, back: number, window: number, moved: boolean): void {
  const edge = words[back + SENT]! + (window << scaleOf(words, back));
  const at = words[way + NEXT]!;
  const later = (at - words[back + ROOM_READ]!) | 0;
  const told = later === 0 && (((edge - words[back + ROOM]!) | 0) > 0 || window === 0);
  if (!(moved || later > 0 || told)) return;
  words[back + ROOM] = edge;
  words[back + ROOM_READ] = at;
}

function noteClock(words: Int32Array, way: number, value: number): void {
  if (((value - words[way + CLOCK]!) | 0) > 0) words[way + CLOCK] = value;
}

/** As `RetransmissionTimer` does; the line begins at `line` of the doubles. */
function measure(doubles: Float64Array, line: number, now: Ms): void {
  const smoothed = doubles[line + SMOOTHED]!;
  const trip = now - doubles[line + TIMED_AT]!;
  doubles[line + VARIANCE] = varianceWith(smoothed, doubles[line + VARIANCE]!, trip);
  doubles[line + SMOOTHED] = smoothedWith(smoothed, trip);
}

/** Of what `say` says this way. */
export const optionsLength = ({ words }: rows.RestPage, way: number): number =>
  (limitsOf(words, way) & TIMESTAMPS) === 0 ? 0 : TIMESTAMPS_LENGTH;

/** Completes `said`: what became of the segment, or nothing but an acknowledgment. R has room for it, see `canSay`. */
export function say(page: rows.RestPage, way: number, back: number, now: Ms): void {
  const { words } = page;
  const segment = said;
  const silent = segment.start === segment.end;
  segment.sequence = words[way + SENT]!;
  segment.acknowledgment = words[back + NEXT]!;
  segment.flags = silent ? ACK : ACK | PSH;
  segment.window = tellWindow(words, back);
  segment.optionsLength =
    optionsLength(page, way) === 0 ? 0 : putTimestamps(segment.options, 0, words[way + CLOCK]!, words[back + CLOCK]!);
  if (!silent) keep(page, way, segment, now);
}

/** What was said is kept until R has acknowledged it. */
function keep(
  { words, doubles, view: kept }: rows.RestPage,
  way: number,
  { view, start, end }: Segment,
  now: Ms,
): void {
  copyWords(view, start, end, kept, (rowOf(way) << 2) + KEPT);
  words[way + SENT] = words[way + SENT]! + end - start;
  words[way + TIMED] = words[way + SENT]!;
  doubles[(way >> 1) + TIMED_AT] = now;
}

/** The window that R of `way`, who is S of `back`, is told, as it stands in the header. As `Way.window`, then `tell`. */
function tellWindow(words: Int32Array, back: number): number {
  const scale = scaleOf(words, back);
  const next = words[back + NEXT]!;
  const room = Math.min((words[back + ROOM]! - words[back + SENT]!) | 0, MOST_QUEUED);
  const allowed = Math.max((words[back + EDGE]! - next) | 0, room, 0);
  const window = Math.min(MOST_WINDOW, allowed >>> scale);
  const edge = (next + (window << scale)) | 0;
  words[back + TOLD_EDGE] = edge;
  if (((edge - words[back + EDGE]!) | 0) > 0) words[back + EDGE] = edge;
  return window;
}

/** S should hear of its window though nothing else is to be said. As `Way.windowDue`. */
export function windowDue({ words }: rows.RestPage, way: number): boolean {
  const limits = limitsOf(words, way);
  const scale = (limits >>> SCALE_SHIFT) & SCALE_MASK;
  const from = words[way + ACKNOWLEDGED]!;
  const taken = (words[way + NEXT]! - from) | 0;
  const kept = (words[way + SENT]! - words[way + HEARD]!) | 0;
  const room = Math.min((words[way + ROOM]! - words[way + SENT]!) | 0, MOST_QUEUED - kept);
  const allowed = Math.max((words[way + EDGE]! - from) | 0, taken + Math.max(0, room));
  const edge = Math.min(MOST_WINDOW, allowed >>> scale) << scale;
  const told = (words[way + TOLD_EDGE]! - from) | 0;
  return edge > told && (told <= taken || edge - told >= (limits & LIMIT_MASK));
}
