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
const [LF, CR, COMMA] = [10, 13, 0x2c];

/** Holds `line`, which `maker` made, against what the client heard from `before` on and the entries since `placed`. */
export function checkLine(
  maker: LineMaker,
  line: Uint8Array,
  run: StreamHost,
  before: number,
  placed: number,
): Violation | null {
  for (let i = placed; i < run.placed.length; i++) {
    const wrong = checkEntry(run, run.placed[i]!);
    if (wrong !== null) return wrong;
  }
  const news = run.placed.length - placed;
  const known = maker.fate !== Fate.UNKNOWN;
  if (known && maker.fate !== Fate.ANNOUNCED && news > 0) return told("opened", line, run, before);
  switch (maker.fate) {
    case Fate.SAME:
      return isSame(line, run, before) ? null : told("stream", line, run, before);
    case Fate.ANNOUNCED:
      if (news !== 1) return told("missed", line, run, before);
      return checkAnnounced(maker, line, run, before, run.placed[placed]!);
    case Fate.REFUSED:
      return offersNothing(run, before) ? null : told("rewrite", line, run, before);
    default:
      return checkUnknown(line, run, before, news);
  }
}

function checkUnknown(line: Uint8Array, run: StreamHost, before: number, news: number): Violation | null {
  if (run.length - before > line.length * 2 + MOST_GROWTH * (1 + news) * LINE_ENDS)
    return told("grew", line, run, before);
  return mayOffer(run.heard, before, run.length) ? checkOffers(line, run, before) : null;
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

const told = (property: Property, line: Uint8Array, { heard, length }: StreamHost, before: number): Violation =>
  violation(property, `${textOf(line)} became ${textOf(heard.subarray(before, length))}`);

function isSame(line: Uint8Array, { heard, length }: StreamHost, before: number): boolean {
  if (length - before !== line.length) return false;
  for (let i = 0; i < line.length; i++) if (line[i] !== heard[before + i]) return false;
  return true;
}

/** One line with a code of its own, 4xx, and no comma or bar in it but the reason's. */
function offersNothing({ heard, length }: StreamHost, before: number): boolean {
  if (heard[before] !== 0x34 || heard[length - 1] !== LF) return false;
  for (let i = before; i < length - 1; i++) if (heard[i] === LF || heard[i] === COMMA) return false;
  return true;
}

/** What is heard is the line, with the end at which the entry is met in the place of the one announced. */
function checkAnnounced(
  { start, end, port }: LineMaker,
  line: Uint8Array,
  run: StreamHost,
  before: number,
  { target, seen }: RelatedEntry,
): Violation | null {
  const { heard, length } = run;
  if (target.port !== port || seen === null) return told("opened", line, run, before);
  for (let i = 0; i < start; i++) if (line[i] !== heard[before + i]) return told("stream", line, run, before);
  const behind = line.length - end;
  for (let i = 0; i < behind; i++) {
    if (line[end + i] !== heard[length - behind + i]) return told("stream", line, run, before);
  }
  const from = before + start;
  const to = length - behind;
  const named =
    line[2] === 0x37 ? namesHostPort(heard, from, to, seen) : namesPort(heard, from, to, line[start]!, seen.port);
  return named ? null : told("rewrite", line, run, before);
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

/** Anything that some client may take for a 227 or 229: their first digits, or what hides them. */
function mayOffer(bytes: Uint8Array, from: number, to: number): boolean {
  let twos = 0;
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (byte === 0 || byte === 0xff || (byte === CR && bytes[i + 1] !== LF)) return true;
    twos = byte === 0x32 ? twos + 1 : 0;
    if (twos === 2) return true;
  }
  return false;
}

function checkOffers(line: Uint8Array, run: StreamHost, before: number): Violation | null {
  let begin = before;
  while (begin > 0 && run.heard[begin - 1] !== LF) begin--;
  if (blind(run)) return null;
  for (const { address, port, said } of offersToClient(bytesText(run.heard.subarray(begin, run.length)))) {
    const led = run.placed.some(
      ({ seen }) => seen?.port === port && (said === "229" || seen.address.toString() === address),
    );
    if (!led) return told("rewrite", line, run, before);
  }
  return null;
}

const blind = ({ stream }: StreamHost): boolean => stream!.detached;

/** After a session of `asked` questions. */
export function checkWhole({ decisions, placed, stream }: StreamHost, asked: number): Violation | null {
  const broken = decisions.find(({ reason }) => reason === "helper-threw" || reason === "helper-broke-contract");
  if (broken !== undefined) return violation("threw", broken.reason);
  if (placed.length > asked) return violation("opened", `${placed.length} ends for ${asked} questions`);
  return stream!.waiting("reply") > MOST_HELD ? violation("grew", `${stream!.waiting("reply")} bytes are held`) : null;
}

const MOST_HELD = 4096;

interface Outcome {
  readonly decisions: readonly Decision[];
  readonly heard: Uint8Array;
  readonly length: number;
}

/** Another run of the same session. */
export function sameAs(one: Outcome, other: Outcome, property: Property = "segmentation"): Violation | null {
  const decided = differentDecision(one.decisions, other.decisions);
  if (decided !== null) return violation(property, decided);
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
