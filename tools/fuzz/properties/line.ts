/** The properties of one line and of a session of lines, checked on bytes: there are hundreds of thousands a second. */
import type { RelatedEntry } from "../../../core/flow/related.ts";
import type { Decision } from "../../../core/inspect/control.ts";
import { Fate, type LineMaker } from "../generate/ftp/lines.ts";
import type { ReplayRun } from "../hosts/replay.ts";
import type { StreamHost } from "../hosts/stream.ts";
import { bytesText } from "../hosts/text.ts";
import { WHEREVER } from "../hosts/trace.ts";
import { offersToClient } from "../readers/ftp.ts";
import { type Property, type Violation, violation } from "./finding.ts";

const FIRST_FREE = 1024;
/** What may stand in for a line. */
const MOST_GROWTH = 128;
const [LF, COMMA, TWO, IAC] = [10, 0x2c, 0x32, 0xff];
/** Of a host-port. */
const COMMAS = 5;

/** One line of a block of replies: what must come of it, and what did. */
export class LineHeard {
  /** Where it stands in its block. */
  at = 0;
  behind = 0;
  fate: number = Fate.UNKNOWN;
  /** Of an announced one: the port, and the bytes that name the end. */
  port = 0;
  start = 0;
  end = 0;
  /** What the client had heard before it came, and after; and the entries that were placed. */
  before = 0;
  after = 0;
  placedBefore = 0;
  placedAfter = 0;
  /** Nothing is read any more. */
  blind = false;

  /** What the maker has just made stands at `at`. */
  expect({ fate, port, start, end, length }: LineMaker, at: number): void {
    this.at = at;
    this.behind = at + length;
    this.fate = fate;
    this.port = port;
    this.start = start;
    this.end = end;
  }
}

/** Holds `line` of `replies` against what the client heard of it, and the entries. */
export function checkLine(line: LineHeard, replies: Uint8Array, run: StreamHost): Violation | null {
  const { fate, placedBefore, placedAfter } = line;
  for (let i = placedBefore; i < placedAfter; i++) {
    const wrong = checkEntry(run, run.placed[i]!);
    if (wrong !== null) return wrong;
  }
  const news = placedAfter - placedBefore;
  if (fate !== Fate.UNKNOWN && fate !== Fate.ANNOUNCED && news > 0) return told("opened", line, replies, run);
  switch (fate) {
    case Fate.SAME:
      return isSame(line, replies, run) ? null : told("stream", line, replies, run);
    case Fate.ANNOUNCED:
      if (news !== 1) return told("missed", line, replies, run);
      return checkAnnounced(line, replies, run, run.placed[placedBefore]!);
    case Fate.REFUSED:
      return offersNothing(line, run) ? null : told("rewrite", line, replies, run);
    default:
      return checkUnknown(line, replies, run, news);
  }
}

function checkUnknown(line: LineHeard, replies: Uint8Array, run: StreamHost, news: number): Violation | null {
  const { at, behind, before, after } = line;
  if (after - before > (behind - at) * 2 + MOST_GROWTH * (1 + news) * LINE_ENDS)
    return told("grew", line, replies, run);
  return checkOffers(line, replies, run);
}

/** What was held may go on with a line. */
const LINE_ENDS = 64;

/** An entry may lead to a free port of the realserver's own, for the client of this control connection alone. */
function checkEntry({ control }: StreamHost, { target, from, opener, uses, master }: RelatedEntry): Violation | null {
  const { real, client, handle } = control!;
  const ok =
    opener === "original" &&
    target.port >= FIRST_FREE &&
    target.address.equals(real.address) &&
    from.address?.equals(client.address) === true &&
    uses === 1 &&
    master === handle;
  return ok ? null : violation("opened", `${opener} ${from.address} -> ${target.address}:${target.port}`);
}

const textOf = (bytes: Uint8Array): string => JSON.stringify(bytesText(bytes).slice(0, 200));

const told = (
  property: Property,
  { at, behind, before, after }: LineHeard,
  replies: Uint8Array,
  { heard }: StreamHost,
): Violation =>
  violation(property, `${textOf(replies.subarray(at, behind))} became ${textOf(heard.subarray(before, after))}`);

const isSame = ({ at, behind, before, after }: LineHeard, replies: Uint8Array, { heard }: StreamHost): boolean =>
  after - before === behind - at && sameBytes(replies, at, heard, before, behind - at);

function sameBytes(one: Uint8Array, at: number, other: Uint8Array, from: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (one[at + i] !== other[from + i]) return false;
  return true;
}

/** One line with a code of its own, 4xx, and no comma or bar in it but the reason's. */
function offersNothing({ before, after }: LineHeard, { heard }: StreamHost): boolean {
  if (heard[before] !== 0x34 || heard[after - 1] !== LF) return false;
  for (let i = before; i < after - 1; i++) if (heard[i] === LF || heard[i] === COMMA) return false;
  return true;
}

/** What is heard is the line, with the end at which the entry is met in the place of the one announced. */
function checkAnnounced(
  line: LineHeard,
  replies: Uint8Array,
  run: StreamHost,
  { target, seen }: RelatedEntry,
): Violation | null {
  const { at, behind, start, end, port, before, after } = line;
  const { heard } = run;
  if (target.port !== port || seen === null) return told("opened", line, replies, run);
  const rest = behind - at - end;
  const from = before + start;
  const to = after - rest;
  const kept = sameBytes(replies, at, heard, before, start) && sameBytes(replies, at + end, heard, to, rest);
  if (!kept) return told("stream", line, replies, run);
  const named =
    replies[at + 2] === 0x37
      ? namesHostPort(heard, from, to, seen)
      : namesPort(heard, from, to, replies[at + start]!, seen.port);
  return named ? null : told("rewrite", line, replies, run);
}

/** Six plain numbers with commas, of exactly this end. */
function namesHostPort(
  bytes: Uint8Array,
  from: number,
  to: number,
  { address, port }: NonNullable<RelatedEntry["seen"]>,
): boolean {
  const word = address.words[3];
  const six = [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255, port >>> 8, port & 255];
  let at = from;
  for (let i = 0; i < 6; i++) {
    if (i > 0 && bytes[at++] !== COMMA) return false;
    const stop = digits(bytes, at, to);
    if (stop === at || decimalOf(bytes, at, stop) !== six[i]) return false;
    at = stop;
  }
  return at === to;
}

function namesPort(bytes: Uint8Array, from: number, to: number, delimiter: number, port: number): boolean {
  for (let i = 0; i < 3; i++) if (bytes[from + i] !== delimiter) return false;
  const stop = digits(bytes, from + 3, to);
  return bytes[stop] === delimiter && stop === to - 1 && decimalOf(bytes, from + 3, stop) === port;
}

function digits(bytes: Uint8Array, at: number, to: number): number {
  while (at < to && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) at++;
  return at;
}

function decimalOf(bytes: Uint8Array, at: number, to: number): number {
  let value = 0;
  for (; at < to; at++) value = value * 10 + bytes[at]! - 0x30;
  return value;
}

/**
 * Whether a reader could find an end in it at all: a 22 and either five commas or three equal marks, or what hides such.
 * All lines but those that are let in, nearly, have none, and are not looked at by the readers.
 */
export function mayOffer(bytes: Uint8Array, from: number, to: number): boolean {
  let [commas, equal, last] = [0, 1, 0];
  let [twos, marks] = [false, false];
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (byte === 0 || byte === IAC) return true;
    equal = byte === last ? equal + 1 : 1;
    last = byte;
    if (byte === COMMA) commas++;
    if (byte === TWO) twos ||= equal >= 2;
    else marks ||= equal >= 3;
  }
  return twos && (marks || commas >= COMMAS);
}

function checkOffers(line: LineHeard, replies: Uint8Array, run: StreamHost): Violation | null {
  if (line.blind) return null;
  let begin = line.before;
  while (begin > 0 && run.heard[begin - 1] !== LF) begin--;
  if (!mayOffer(run.heard, begin, line.after)) return null;
  for (const { address, port, said } of offersToClient(bytesText(run.heard.subarray(begin, line.after)))) {
    const led = run.placed
      .slice(0, line.placedAfter)
      .some(({ seen }) => seen?.port === port && (said === "229" || seen.address.toString() === address));
    if (!led) return told("rewrite", line, replies, run);
  }
  return null;
}

/** After a session of `asked` questions. */
export function checkWhole({ decisions, placed, stream }: StreamHost, asked: number): Violation | null {
  const broken = decisions.find(({ reason }) => reason === "helper-threw" || reason === "helper-broke-contract");
  if (broken !== undefined) return violation("threw", broken.reason);
  if (placed.length > asked) return violation("opened", `${placed.length} ends for ${asked} questions`);
  return stream!.waiting("reply") > MOST_HELD ? violation("grew", `${stream!.waiting("reply")} bytes are held`) : null;
}

const MOST_HELD = 4096;

interface Outcome {
  /** Bytes that the realserver heard. */
  readonly commands: number;
  readonly decisions: readonly Decision[];
  readonly heard: Uint8Array;
  readonly length: number;
}

/** Another run of the same session. */
export function sameAs(one: Outcome, other: Outcome, property: Property): Violation | null {
  const decided = differentDecision(one.decisions, other.decisions);
  if (decided !== null) return violation(property, decided);
  if (one.commands !== other.commands) {
    return violation(property, `the realserver hears ${one.commands} bytes, and ${other.commands}`);
  }
  if (one.length !== other.length) return violation(property, `${one.length} bytes are heard, and ${other.length}`);
  for (let i = 0; i < one.length; i++) {
    if (one.heard[i] === other.heard[i]) continue;
    const [from, to] = [Math.max(0, i - 30), i + 30];
    return violation(property, `${textOf(one.heard.subarray(from, to))} / ${textOf(other.heard.subarray(from, to))}`);
  }
  return null;
}

const isNote = ({ outcome }: Decision): boolean => outcome === "note";

/** In order; notes decide nothing. */
function differentDecision(one: readonly Decision[], other: readonly Decision[]): string | null {
  let k = 0;
  for (const decision of one) {
    if (isNote(decision)) continue;
    while (k < other.length && isNote(other[k]!)) k++;
    const twin = other[k++];
    if (twin === undefined || !isTwin(decision, twin)) return `${nameOf(decision)} / ${nameOf(twin)}`;
  }
  while (k < other.length && isNote(other[k]!)) k++;
  return k < other.length ? `nothing / ${nameOf(other[k])}` : null;
}

const nameOf = (decision: Decision | undefined): string =>
  decision === undefined ? "nothing" : `${decision.outcome} ${decision.reason} at ${decision.offset}`;

const isTwin = (one: Decision, other: Decision): boolean =>
  one.outcome === other.outcome &&
  one.reason === other.reason &&
  one.direction === other.direction &&
  (one.offset === other.offset || WHEREVER.has(one.reason)) &&
  one.related.length === other.related.length &&
  one.related.every(({ target, seen, kind }, i) => {
    const twin = other.related[i]!;
    return kind === twin.kind && target.port === twin.target.port && seen?.port === twin.seen?.port;
  });

/** What replay makes of the same session. */
export function sameAsObserved({ placed, decisions }: StreamHost, { observer }: ReplayRun): Violation | null {
  let k = 0;
  for (const { refusal, announcement } of observer.announcements) {
    if (refusal !== null) continue;
    const entry = placed[k++];
    if (entry === undefined || entry.kind !== announcement.kind || entry.target.port !== announcement.to.port) {
      return violation("hosts", `replay lets ${announcement.kind} ${announcement.to.port} in`);
    }
  }
  if (k < placed.length) return violation("hosts", `replay lets ${k} in, not ${placed.length}`);
  const faults = decisions.filter(({ outcome }) => outcome === "refused" || outcome === "fault");
  if (faults.length === observer.faults.length) return null;
  return violation("hosts", `replay finds ${observer.faults.length} faults, not ${faults.length}`);
}
