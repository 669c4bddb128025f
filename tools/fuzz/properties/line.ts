/**
 * The properties of lines: of each line what its bytes became, its entries, and the ends that readers find in it; of a
 * session the decisions and bytes of all three hosts. On numbers and bytes: there are hundreds of thousands a second.
 */
import type { RelatedEntry } from "../../../core/flow/related.ts";
import type { Decision } from "../../../core/inspect/control.ts";
import type { ObservedAnnouncement } from "../../../core/inspect/observe.ts";
import { Fate } from "../generate/ftp/lines.ts";
import { type Script, SESSION } from "../generate/ftp/script.ts";
import type { ReplayHost } from "../hosts/replay.ts";
import type { StreamHost } from "../hosts/stream.ts";
import { bytesText } from "../hosts/text.ts";
import { WHEREVER } from "../hosts/trace.ts";
import { endOfLine, isPlain, NOWHERE, ReplyReader } from "../readers/reply.ts";
import { type Property, type Violation, violation } from "./finding.ts";

const FIRST_FREE = 1024;
/** What may stand in for a line. */
const MOST_GROWTH = 128;
/** What was held may go on with a line. */
const MOST_ENDS = 64;
const MOST_HELD = 4096;
const PORTS = 0x10000;
const [LF, COMMA, FOUR, SEVEN] = [10, 0x2c, 0x34, 0x37];

/** Holds the lines of a session against what the client heard of them on the socket path, and against the entries. */
export class LineCheck {
  readonly #run: StreamHost;
  readonly #script: Script;
  readonly #reader = new ReplyReader();
  /** By port of the virtual service: the session in which an entry is met there. */
  readonly #met = new Int32Array(PORTS);
  #session = 0;
  /** The address of the virtual service. */
  #virtual = 0;
  /** Of the line that is looked at: its number, where it stands, what was heard of it, and its entries. */
  #line = 0;
  #at = 0;
  #behind = 0;
  #before = 0;
  #after = 0;
  #placedBefore = 0;
  #placedAfter = 0;

  constructor(script: Script, run: StreamHost) {
    this.#script = script;
    this.#run = run;
  }

  /** The first line of the session that shows something broken. */
  session(): Violation | null {
    this.#session++;
    this.#virtual = this.#run.control!.virtual.address.words[3];
    for (let line = 0; line < SESSION; line++) {
      this.#turnTo(line);
      const wrong = this.#entries() ?? this.#check();
      if (wrong !== null) return wrong;
    }
    return null;
  }

  #turnTo(line: number): void {
    const { heardTo, placedTo } = this.#run;
    this.#line = line;
    this.#at = this.#script.at(line);
    this.#behind = this.#script.behind[line]!;
    this.#before = line === 0 ? this.#run.opened : heardTo[line - 1]!;
    this.#after = heardTo[line]!;
    this.#placedBefore = line === 0 ? 0 : placedTo[line - 1]!;
    this.#placedAfter = placedTo[line]!;
  }

  #entries(): Violation | null {
    const { placed } = this.#run;
    for (let i = this.#placedBefore; i < this.#placedAfter; i++) {
      const entry = placed[i]!;
      const wrong = checkEntry(this.#run, entry);
      if (wrong !== null) return wrong;
      if (entry.seen !== null) this.#met[entry.seen.port] = this.#session;
    }
    return null;
  }

  #check(): Violation | null {
    const news = this.#placedAfter - this.#placedBefore;
    switch (this.#script.fate[this.#line]) {
      case Fate.SAME:
        if (news > 0) return this.#told("opened");
        return this.#isSame() ? null : this.#told("stream");
      case Fate.ANNOUNCED:
        return news === 1 ? this.#announced(this.#run.placed[this.#placedBefore]!) : this.#told("missed");
      case Fate.REFUSED:
        if (news > 0) return this.#told("opened");
        return this.#offersNothing() ? null : this.#told("rewrite");
      default:
        return this.#unknown(news);
    }
  }

  #unknown(news: number): Violation | null {
    const most = (this.#behind - this.#at) * 2 + MOST_GROWTH * (1 + news) * MOST_ENDS;
    if (this.#after - this.#before > most) return this.#told("grew");
    if (this.#line >= this.#run.blindFrom) return null;
    return this.#leads() ? null : this.#told("rewrite");
  }

  #told(property: Property): Violation {
    const said = textOf(this.#script.replies.subarray(this.#at, this.#behind));
    return violation(property, `${said} became ${textOf(this.#run.heard.subarray(this.#before, this.#after))}`);
  }

  #isSame(): boolean {
    const length = this.#behind - this.#at;
    if (this.#after - this.#before !== length) return false;
    return sameBytes(this.#script.replies, this.#at, this.#run.heard, this.#before, length);
  }

  /** One line with a code of its own, 4xx, and no comma or bar in it but the reason's. */
  #offersNothing(): boolean {
    const { heard } = this.#run;
    if (heard[this.#before] !== FOUR || heard[this.#after - 1] !== LF) return false;
    for (let i = this.#before; i < this.#after - 1; i++) if (heard[i] === LF || heard[i] === COMMA) return false;
    return true;
  }

  /** What is heard is the line, with the end at which the entry is met in the place of the one announced. */
  #announced({ target, seen }: RelatedEntry): Violation | null {
    const { replies, start, end, port } = this.#script;
    const { heard } = this.#run;
    const [first, last] = [start[this.#line]!, end[this.#line]!];
    if (target.port !== port[this.#line] || seen === null) return this.#told("opened");
    const rest = this.#behind - this.#at - last;
    const from = this.#before + first;
    const to = this.#after - rest;
    const kept =
      sameBytes(replies, this.#at, heard, this.#before, first) && sameBytes(replies, this.#at + last, heard, to, rest);
    if (!kept) return this.#told("stream");
    const named =
      replies[this.#at + 2] === SEVEN
        ? namesHostPort(heard, from, to, seen)
        : namesPort(heard, from, to, replies[this.#at + first]!, seen.port);
    return named ? null : this.#told("rewrite");
  }

  /** All ends that any client finds in what was heard are those of entries of this session. */
  #leads(): boolean {
    const { heard } = this.#run;
    let at = this.#before;
    while (at > 0 && heard[at - 1] !== LF) at--;
    for (let lf = endOfLine(heard, at, this.#after); lf < this.#after; lf = endOfLine(heard, at, this.#after)) {
      if (isPlain(heard, at, lf)) this.#reader.read(heard, at, lf);
      else this.#reader.readVeiled(heard, at, lf);
      if (!this.#leadsTo(this.#reader)) return false;
      at = lf + 1;
    }
    return true;
  }

  #leadsTo({ count, addresses, ports }: ReplyReader): boolean {
    for (let i = 0; i < count; i++) {
      if (addresses[i] !== NOWHERE && addresses[i] !== this.#virtual) return false;
      if (!this.#isMet(ports[i]!)) return false;
    }
    return true;
  }

  #isMet(port: number): boolean {
    return port < PORTS && this.#met[port] === this.#session;
  }
}

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

function sameBytes(one: Uint8Array, at: number, other: Uint8Array, from: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (one[at + i] !== other[from + i]) return false;
  return true;
}

/** Six plain numbers with commas, of exactly this end. */
function namesHostPort(
  bytes: Uint8Array,
  from: number,
  to: number,
  { address, port }: NonNullable<RelatedEntry["seen"]>,
): boolean {
  const word = address.words[3];
  let at = from;
  for (let i = 0; i < 6; i++) {
    if (i > 0 && bytes[at++] !== COMMA) return false;
    const number = i < 4 ? (word >>> (24 - 8 * i)) & 255 : i === 4 ? port >>> 8 : port & 255;
    const stop = digits(bytes, at, to);
    if (stop === at || decimalOf(bytes, at, stop) !== number) return false;
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
  let stop = at;
  while (stop < to && bytes[stop]! >= 0x30 && bytes[stop]! <= 0x39) stop++;
  return stop;
}

function decimalOf(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) value = value * 10 + bytes[at]! - 0x30;
  return value;
}

/** What the socket path came to after a session of `asked` questions. */
export function checkWhole({ decisions, placed, stream }: StreamHost, asked: number): Violation | null {
  for (const { reason } of decisions) {
    if (reason === "helper-threw" || reason === "helper-broke-contract") return violation("threw", reason);
  }
  if (placed.length > asked) return violation("opened", `${placed.length} ends for ${asked} questions`);
  return stream!.waiting("reply") > MOST_HELD ? violation("grew", `${stream!.waiting("reply")} bytes are held`) : null;
}

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
  if (Buffer.compare(one.heard.subarray(0, one.length), other.heard.subarray(0, one.length)) === 0) return null;
  for (let i = 0; i < one.length; i++) {
    if (one.heard[i] === other.heard[i]) continue;
    const [from, to] = [Math.max(0, i - 30), i + 30];
    return violation(property, `${textOf(one.heard.subarray(from, to))} / ${textOf(other.heard.subarray(from, to))}`);
  }
  return null;
}

/** In order; notes decide nothing. */
function differentDecision(one: readonly Decision[], other: readonly Decision[]): string | null {
  let k = behindNotes(other, 0);
  for (let i = behindNotes(one, 0); i < one.length; i = behindNotes(one, i + 1)) {
    if (k >= other.length || !isTwin(one[i]!, other[k]!)) return `${nameOf(one[i])} / ${nameOf(other[k])}`;
    k = behindNotes(other, k + 1);
  }
  return k < other.length ? `nothing / ${nameOf(other[k])}` : null;
}

function behindNotes(decisions: readonly Decision[], from: number): number {
  let at = from;
  while (at < decisions.length && decisions[at]!.outcome === "note") at++;
  return at;
}

const nameOf = (decision: Decision | undefined): string =>
  decision === undefined ? "nothing" : `${decision.outcome} ${decision.reason} at ${decision.offset}`;

function isTwin(one: Decision, other: Decision): boolean {
  const { related } = one;
  if (one.outcome !== other.outcome || one.reason !== other.reason || one.direction !== other.direction) return false;
  if (one.offset !== other.offset && !WHEREVER.has(one.reason)) return false;
  if (related.length !== other.related.length) return false;
  for (let i = 0; i < related.length; i++) if (!isSameEntry(related[i]!, other.related[i]!)) return false;
  return true;
}

const isSameEntry = (one: RelatedEntry, other: RelatedEntry): boolean =>
  one.kind === other.kind && one.target.port === other.target.port && one.seen?.port === other.seen?.port;

/** What replay makes of the same session. */
export function sameAsObserved({ placed, decisions }: StreamHost, { observer }: ReplayHost): Violation | null {
  let k = 0;
  for (const announcement of observer.announcements) {
    if (announcement.refusal === null && !isOf(placed[k++], announcement)) {
      const { kind, to } = announcement.announcement;
      return violation("hosts", `replay lets ${kind} ${to.port} in`);
    }
  }
  if (k < placed.length) return violation("hosts", `replay lets ${k} in, not ${placed.length}`);
  let faults = 0;
  for (const { outcome } of decisions) if (outcome === "refused" || outcome === "fault") faults++;
  if (faults === observer.faults.length) return null;
  return violation("hosts", `replay finds ${observer.faults.length} faults, not ${faults}`);
}

const isOf = (entry: RelatedEntry | undefined, { announcement }: ObservedAnnouncement): boolean =>
  entry !== undefined && entry.kind === announcement.kind && entry.target.port === announcement.to.port;
