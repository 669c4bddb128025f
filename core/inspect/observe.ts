/**
 * One control connection, observed: bytes of both directions in, what was announced and what came of it out. The helper
 * is the same as live, but nothing is enforced: no limit, no expiry, no address policy. An announcement that a director
 * would refuse is listed like any other, with the fault it would be refused for.
 */
import {
  type Announcement,
  type BriefForm,
  type Connection,
  type Helper,
  type Ref,
  UNFINISHED,
} from "../helper/api.ts";
import { explainRefusal, judge, judgeOffer } from "../helper/judge.ts";
import { HelperReader } from "../helper/reader.ts";
import { reasonText, textOf, type Words } from "../helper/reasons.ts";
import { Recorder, type Remark, type Settlement } from "../helper/recorder.ts";
import { announcementOf, offer, type RunOptions } from "../helper/run.ts";
import type { Direction, PortRange } from "../units.ts";
import type { Address } from "../wire/address.ts";
import { part } from "../wire/bytes.ts";
import { joinInto, kept, NOTHING, Room } from "./held.ts";

/**
 * - `announced`             the protocol has no answer to it
 * - `accepted`, `rejected`  the other side's answer
 * - `unanswered`            the capture ends, or has a hole, before the answer
 * - `request-not-seen`      the answer is there, what it answers is not, and nothing else settles it
 */
export type AnnouncementState = "announced" | "accepted" | "rejected" | "unanswered" | "request-not-seen";

/** The message that something was said in, as far as it is remembered. */
export interface ObservedMessage {
  readonly speaker: Direction;
  /** The frames that its first and its last byte came in. */
  readonly begun: number;
  readonly complete: number;
  /** Its first bytes, a copy. */
  readonly bytes: Uint8Array;
}

export interface ObservedAnnouncement {
  announcement: Announcement;
  readonly speaker: Direction;
  /** The frame whose bytes completed the message; that of the answer, where it took that to complete it. */
  frame: number;
  readonly message: ObservedMessage;
  /** Why a director would refuse it. */
  readonly refusal: string | null;
  state: AnnouncementState;
}

export interface ObservedFault {
  readonly code: string;
  readonly message: string;
  readonly frame: number;
  readonly source: ObservedMessage;
}

/** Its message is made when somebody reads it. */
class Fault implements ObservedFault {
  readonly code: string;
  readonly frame: number;
  readonly source: ObservedMessage;
  readonly #words: Words;

  constructor(code: string, words: Words, frame: number, source: ObservedMessage) {
    this.code = code;
    this.frame = frame;
    this.source = source;
    this.#words = words;
  }

  get message(): string {
    return textOf(this.#words, this.code);
  }
}

export interface ObservedGroup {
  readonly reason: string;
  /** null: those declared for the realserver. */
  readonly ports: readonly PortRange[] | null;
  readonly frame: number;
  readonly source: ObservedMessage;
}

/** Questions of a connection that are remembered. */
const MOST_SUBJECTS = 1000;

/** Bytes up to `end` of the stream came in `frame`. */
interface Mark {
  readonly end: number;
  readonly frame: number;
}

/** Nobody's addresses are declared. */
const NOBODY: readonly Address[] = [];

/** What was held of a message, and what came behind it, of whatever connection. */
const joint = new Room();

/** Bytes of a message that are remembered. */
const REMEMBERED = 256;

interface Side {
  readonly direction: Direction;
  held: Uint8Array;
  /** Bytes of the stream that the helper has done with. */
  done: number;
  /** The frames of those behind, if anybody asked. */
  marks: Mark[];
  /** The one that came last. */
  latest: number;
}

const makeSide = (direction: Direction): Side => ({ direction, held: NOTHING, done: 0, marks: [], latest: 0 });

/** The last of `length` bytes that the helper has not done with came in the latest frame. */
const mark = ({ marks, done, latest }: Side, length: number): void => {
  marks.push({ end: done + length, frame: latest });
};

export class ControlObserver {
  readonly announcements: ObservedAnnouncement[] = [];
  readonly faults: ObservedFault[] = [];
  readonly notes: ObservedFault[] = [];
  readonly groups: ObservedGroup[] = [];
  /** What was said to be its subject, at most `MOST_SUBJECTS` times. */
  readonly subjects = new Set<string>();
  readonly #helper: Helper;
  readonly #connection: Connection;
  readonly #reader: HelperReader;
  readonly #running: RunOptions;
  readonly #recorder = new Recorder();
  readonly #byRef = new Map<Ref, ObservedAnnouncement[]>();
  readonly #original = makeSide("original");
  readonly #reply = makeSide("reply");
  readonly #remembered: number;
  #detached = false;
  /** Anything was read of it before that. */
  #accepted = false;

  /** `remembered`: bytes of each message of which something is told. */
  constructor(helper: Helper, connection: Connection, strict = false, remembered = REMEMBERED) {
    this.#remembered = remembered;
    this.#helper = helper;
    this.#connection = connection;
    this.#running = { datagram: connection.transport === "udp" };
    this.#reader = new HelperReader(helper, connection, { strict, hold: helper.limits.hold });
  }

  /** The helper let go of it. */
  get detached(): boolean {
    return this.#detached;
  }

  /** The helper let go of it at once, and had nothing to tell of it but notes: it is another protocol's. */
  get disowned(): boolean {
    if (!this.#detached || this.#accepted) return false;
    return this.announcements.length + this.faults.length + this.groups.length === 0;
  }

  /** The next bytes of `direction`, or a datagram, which came in `frame`: `[start, end)` of `bytes`. */
  data(direction: Direction, bytes: Uint8Array, frame: number, start = 0, end = bytes.length): void {
    if (this.#detached) return;
    const side = this.#side(direction);
    side.latest = frame;
    if (side.held.length === 0) {
      this.#keep(side, bytes, this.#read(side, bytes, start, end), end, frame);
      return;
    }
    const { held } = side;
    const length = held.length + end - start;
    const all = joint.reach(length);
    joinInto(all, held, bytes, start, end);
    side.held = NOTHING;
    mark(side, length);
    this.#keep(side, all, this.#read(side, all, 0, length), length, frame);
  }

  /** Bytes `[start, end)` are an incomplete message, which waits for more, or none. */
  #keep(side: Side, bytes: Uint8Array, start: number, end: number, frame: number): void {
    if (end - start > this.#helper.limits.hold) {
      const source = this.#messageOf(side, bytes, end - start, start);
      this.faults.push(new Fault("message-too-long", "a message is longer than what is held", frame, source));
      this.gap(side.direction);
      return;
    }
    side.held = kept(bytes, start, end);
  }

  /** Bytes of `direction` are missing here. */
  gap(direction: Direction): void {
    const side = this.#side(direction);
    side.held = NOTHING;
    side.marks = [];
    if (!this.#detached) this.#reader.gap(direction);
  }

  /** `direction` ended. */
  end(direction: Direction): void {
    const side = this.#side(direction);
    if (this.#detached || side.held.length === 0) return;
    const rest = side.held;
    side.held = NOTHING;
    this.#reader.end(rest, direction, this.#recorder, true);
    this.#apply(side, rest, rest.length);
    side.marks = [];
  }

  /**
   * Shows the helper all that it will consume. Returns where that ends: an incomplete message follows. Nearly always there is nothing to be said,
   * and then nobody asks which bytes came in which frame.
   */
  #read(side: Side, view: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && !this.#detached) {
      const consumed = this.#inBrief(side, view, at, end) || this.#inFull(side, view, at, end);
      if (consumed <= 0) break;
      at += consumed;
      forget(side, consumed);
    }
    return this.#detached ? end : at;
  }

  /** The length of the message at `at`, if that can be told, and is listed, in brief; or `UNFINISHED`; else 0. */
  #inBrief(side: Side, view: Uint8Array, at: number, end: number): number {
    const behind = this.#reader.brief(view, at, end, side.direction);
    if (behind === at) return 0;
    if (behind === UNFINISHED) {
      if (side.marks.length === 0) mark(side, end - at);
      return UNFINISHED;
    }
    const { form } = offer;
    if (form !== null && !this.#list(form, side, view, at, behind, end)) return 0;
    this.#accepted = true;
    return behind - at;
  }

  /** What the message `[at, behind)` of `view`, which was shown up to `end`, says in brief. False: it is to be told in full. */
  #list(form: BriefForm, side: Side, view: Uint8Array, at: number, behind: number, end: number): boolean {
    if (form.says === "offer" && side.direction !== "reply") return false;
    if (side.marks.length === 0) mark(side, end - at);
    const message = this.#messageOf(side, view, behind - at, at);
    const frame = message.complete;
    if (form.says !== "offer") {
      this.faults.push(new Fault(form.code, this.#helper, frame, message));
      return true;
    }
    const announcement = announcementOf(form);
    if (announcement === null) return false;
    const refusal = judgeOffer(offer, form, this.#connection, NOBODY);
    if (refusal !== null) this.#refused(refusal, announcement, "reply", frame, message);
    // Its own message settles it.
    this.announcements.push({ announcement, speaker: "reply", frame, message, refusal, state: "accepted" });
    return true;
  }

  #inFull(side: Side, view: Uint8Array, at: number, end: number): number {
    if (side.marks.length === 0) mark(side, end - at);
    return this.#inspect(side, part(view, at, end));
  }

  /** How many bytes of `rest` the helper has done with. */
  #inspect(side: Side, rest: Uint8Array): number {
    const { verdict, consumed } = this.#reader.inspect(rest, side.direction, this.#recorder, this.#running);
    this.#apply(side, rest, consumed);
    if (verdict === "detach") this.#detached = true;
    else if (consumed > 0) this.#accepted = true;
    return consumed;
  }

  #apply(side: Side, shown: Uint8Array, consumed: number): void {
    const recorder = this.#recorder;
    if (recorder.empty) return;
    const source = this.#messageOf(side, shown, consumed);
    const complete = frameAt(side, consumed);
    for (const { ref, bundle } of recorder.expected) {
      if (this.#isRepeated(ref, bundle[0]!)) continue;
      const spared = bundle[0]?.either === true && this.#isLetIn(side, bundle);
      const observed = bundle.map((one) => this.#announced(side, one, consumed, source, spared));
      // The same flows from their other end are listed already.
      this.#byRef.set(ref, bundle[0]?.answers === undefined ? observed : []);
      this.announcements.push(...this.#byRef.get(ref)!);
    }
    for (const subject of recorder.subjects) if (this.subjects.size < MOST_SUBJECTS) this.subjects.add(subject);
    for (const settlement of recorder.settled) this.#settle(settlement, complete);
    for (const { reason, ports } of recorder.groups) this.groups.push({ reason, ports, frame: complete, source });
    for (const { code } of recorder.refusals) this.faults.push(new Fault(code, this.#helper, complete, source));
    for (const remark of recorder.faults) this.faults.push(this.#remarked(side, remark, consumed, source));
    for (const remark of recorder.notes) this.notes.push(this.#remarked(side, remark, consumed, source));
  }

  /** `spared`: another name for the same end is let in. */
  #announced(
    side: Side,
    announcement: Announcement,
    consumed: number,
    message: ObservedMessage,
    spared: boolean,
  ): ObservedAnnouncement {
    const speaker = side.direction;
    const frame = frameAt(side, Math.max(consumed, announcement.bytes.end));
    const refusal = this.#isUnasked(announcement)
      ? "unsolicited"
      : judge(announcement, speaker, this.#connection, NOBODY);
    if (refusal !== null && !spared) this.#refused(refusal, announcement, speaker, frame, message);
    return { announcement, speaker, frame, message, refusal, state: stateOf(announcement) };
  }

  #refused(code: string, one: Announcement, speaker: Direction, frame: number, source: ObservedMessage): void {
    const words = () => explainRefusal(code, reasonText(this.#helper, code), one, speaker, this.#connection);
    this.faults.push(new Fault(code, words, frame, source));
  }

  #isLetIn(side: Side, bundle: readonly Announcement[]): boolean {
    return bundle.some((announcement) => judge(announcement, side.direction, this.#connection, NOBODY) === null);
  }

  /** What it answers was not let in. */
  #isUnasked({ answers }: Announcement): boolean {
    const asked = answers === undefined ? undefined : this.#byRef.get(answers);
    return asked?.every(({ refusal }) => refusal !== null) === true;
  }

  /** The same was said before: `ref` is another name for what was observed then. */
  #isRepeated(ref: Ref, { repeats }: Announcement): boolean {
    const observed = repeats === undefined ? undefined : this.#byRef.get(repeats);
    if (observed !== undefined) this.#byRef.set(ref, observed);
    return observed !== undefined;
  }

  #settle({ ref, outcome, completed }: Settlement, frame: number): void {
    for (const [index, observed] of (this.#byRef.get(ref) ?? []).entries()) {
      observed.state = outcome;
      if (completed === null) continue;
      observed.frame = frame;
      const from = completed[index];
      if (from === null) this.#unlist(observed);
      else if (from !== undefined) observed.announcement = { ...observed.announcement, from };
    }
  }

  #unlist(observed: ObservedAnnouncement): void {
    const at = this.announcements.lastIndexOf(observed);
    if (at >= 0) this.announcements.splice(at, 1);
  }

  #remarked(side: Side, { code, at }: Remark, consumed: number, source: ObservedMessage): ObservedFault {
    return new Fault(code, this.#helper, frameAt(side, at === null ? consumed : at.end), source);
  }

  #messageOf(side: Side, shown: Uint8Array, consumed: number, at = 0): ObservedMessage {
    const length = Math.min(consumed === 0 ? shown.length - at : consumed, this.#remembered);
    return {
      speaker: side.direction,
      begun: side.marks[0]?.frame ?? 0,
      complete: frameAt(side, consumed),
      bytes: length === 0 ? NOTHING : shown.slice(at, at + length),
    };
  }

  #side(direction: Direction): Side {
    return direction === "original" ? this.#original : this.#reply;
  }
}

function stateOf({ objection, answered }: Announcement): AnnouncementState {
  if (objection === "unsolicited") return "request-not-seen";
  return answered === false ? "announced" : "unanswered";
}

/** The frame that completed the first `length` bytes of what is shown: the latest of those that brought them. */
function frameAt({ marks, done }: Side, length: number): number {
  let latest = 0;
  for (const { end, frame } of marks) {
    latest = Math.max(latest, frame);
    if (end >= done + length) break;
  }
  return latest;
}

function forget(side: Side, consumed: number): void {
  side.done += consumed;
  const { marks } = side;
  while (marks.length > 0 && marks[0]!.end <= side.done) marks.shift();
}
