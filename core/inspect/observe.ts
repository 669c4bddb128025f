/**
 * One control connection, observed: bytes of both directions in, what was announced and what came of it out. The helper
 * is the same as live, but nothing is enforced: no limit, no expiry, no address policy. An announcement that a director
 * would refuse is listed like any other, with the fault it would be refused for.
 */
import type { Announcement, Connection, Helper, Inspector, Ref } from "../helper/api.ts";
import { explainRefusal, judge } from "../helper/judge.ts";
import { reasonText } from "../helper/reasons.ts";
import { Recorder, type Remark, type Settlement } from "../helper/recorder.ts";
import { endHelper, runHelper } from "../helper/run.ts";
import type { Direction, PortRange } from "../units.ts";
import { HeldBytes } from "./held.ts";

/**
 * - `accepted`, `rejected`  the other side's answer
 * - `unanswered`            the capture ends, or has a hole, before the answer
 * - `request-not-seen`      the answer is there, what it answers is not, and nothing else settles it
 */
export type AnnouncementState = "accepted" | "rejected" | "unanswered" | "request-not-seen";

export interface ObservedAnnouncement {
  announcement: Announcement;
  readonly speaker: Direction;
  /** The frame whose bytes completed the message; that of the answer, where it took that to complete it. */
  frame: number;
  /** Why a director would refuse it. */
  readonly refusal: string | null;
  state: AnnouncementState;
}

export interface ObservedFault {
  readonly code: string;
  readonly message: string;
  readonly frame: number;
}

export interface ObservedGroup {
  readonly reason: string;
  /** null: those declared for the realserver. */
  readonly ports: readonly PortRange[] | null;
  readonly frame: number;
}

/** Bytes up to `end` of what is held came in `frame`. */
interface Mark {
  readonly end: number;
  readonly frame: number;
}

interface Side {
  readonly direction: Direction;
  readonly held: HeldBytes;
  marks: Mark[];
}

const makeSide = (direction: Direction): Side => ({ direction, held: new HeldBytes(), marks: [] });

export class ControlObserver {
  readonly announcements: ObservedAnnouncement[] = [];
  readonly faults: ObservedFault[] = [];
  readonly notes: ObservedFault[] = [];
  readonly groups: ObservedGroup[] = [];
  readonly #helper: Helper;
  readonly #connection: Connection;
  readonly #inspector: Inspector;
  readonly #recorder = new Recorder();
  readonly #byRef = new Map<Ref, ObservedAnnouncement[]>();
  readonly #original = makeSide("original");
  readonly #reply = makeSide("reply");
  #detached = false;

  constructor(helper: Helper, connection: Connection, strict = false) {
    this.#helper = helper;
    this.#connection = connection;
    this.#inspector = helper.open(connection, { strict, hold: helper.limits.hold });
  }

  /** The next bytes of `direction`, which came in `frame`. */
  data(direction: Direction, bytes: Uint8Array, frame: number): void {
    if (this.#detached) return;
    const side = this.#side(direction);
    const view = side.held.take(bytes);
    side.marks.push({ end: view.length, frame });
    const rest = this.#read(side, view);
    if (rest.length > this.#helper.limits.hold) {
      this.#fault("message-too-long", "a message is longer than what is held", frame);
      this.gap(direction);
      return;
    }
    side.held.put(rest);
  }

  /** Bytes of `direction` are missing here. */
  gap(direction: Direction): void {
    const side = this.#side(direction);
    side.held.take();
    side.marks = [];
    if (!this.#detached) this.#inspector.gap?.(direction);
  }

  /** `direction` ended. */
  end(direction: Direction): void {
    const side = this.#side(direction);
    if (this.#detached || side.held.length === 0) return;
    const rest = side.held.take();
    endHelper(this.#inspector, rest, direction, this.#recorder, true);
    this.#apply(side, rest.length);
    side.marks = [];
  }

  /** Shows the helper all that it will consume. What is left: an incomplete message. */
  #read(side: Side, view: Uint8Array): Uint8Array {
    let at = 0;
    while (at < view.length && !this.#detached) {
      const rest = view.subarray(at);
      const { verdict, consumed } = runHelper(this.#inspector, rest, side.direction, this.#recorder);
      this.#apply(side, consumed);
      if (verdict === "detach") this.#detached = true;
      if (consumed === 0) break;
      at += consumed;
      forget(side, consumed);
    }
    return this.#detached ? view.subarray(view.length) : view.subarray(at);
  }

  #apply(side: Side, consumed: number): void {
    const recorder = this.#recorder;
    if (recorder.empty) return;
    const complete = frameAt(side, consumed);
    for (const { ref, bundle } of recorder.expected) {
      const observed = bundle.map((announcement) => this.#announced(side, announcement, consumed));
      // The same flows from their other end are listed already.
      this.#byRef.set(ref, bundle[0]?.answers === undefined ? observed : []);
      this.announcements.push(...this.#byRef.get(ref)!);
    }
    for (const settlement of recorder.settled) this.#settle(settlement, complete);
    for (const { reason, ports } of recorder.groups) this.groups.push({ reason, ports, frame: complete });
    for (const { code } of recorder.refusals) this.#fault(code, this.#words(code), complete);
    for (const remark of recorder.faults) this.faults.push(this.#remarked(side, remark, consumed));
    for (const remark of recorder.notes) this.notes.push(this.#remarked(side, remark, consumed));
  }

  #announced(side: Side, announcement: Announcement, consumed: number): ObservedAnnouncement {
    const speaker = side.direction;
    const frame = frameAt(side, Math.max(consumed, announcement.bytes.end));
    const refusal = judge(announcement, speaker, this.#connection, []);
    if (refusal !== null) {
      this.#fault(
        refusal,
        explainRefusal(refusal, this.#words(refusal), announcement, speaker, this.#connection),
        frame,
      );
    }
    const state = announcement.objection === "unsolicited" ? "request-not-seen" : "unanswered";
    return { announcement, speaker, frame, refusal, state };
  }

  #settle({ ref, outcome, completed }: Settlement, frame: number): void {
    for (const [index, observed] of (this.#byRef.get(ref) ?? []).entries()) {
      observed.state = outcome;
      if (completed === null) continue;
      observed.frame = frame;
      const from = completed[index];
      if (from === null) this.announcements.splice(this.announcements.lastIndexOf(observed), 1);
      else if (from !== undefined) observed.announcement = { ...observed.announcement, from };
    }
    this.#byRef.delete(ref);
  }

  #remarked(side: Side, { code, at }: Remark, consumed: number): ObservedFault {
    return { code, message: this.#words(code), frame: frameAt(side, at === null ? consumed : at.end) };
  }

  #words(code: string): string {
    return reasonText(this.#helper, code);
  }

  #fault(code: string, message: string, frame: number): void {
    this.faults.push({ code, message, frame });
  }

  #side(direction: Direction): Side {
    return direction === "original" ? this.#original : this.#reply;
  }
}

/** The frame that completed the first `length` bytes of what is shown: the latest of those that brought them. */
function frameAt({ marks }: Side, length: number): number {
  let latest = 0;
  for (const { end, frame } of marks) {
    latest = Math.max(latest, frame);
    if (end >= length) break;
  }
  return latest;
}

function forget(side: Side, consumed: number): void {
  const left = side.marks.filter(({ end }) => end > consumed);
  side.marks = left.map(({ end, frame }) => ({ end: end - consumed, frame }));
}
