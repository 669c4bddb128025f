/**
 * One control connection, live: stream bytes of both directions in, the bytes that may go on out.
 *
 *   bytes -> helper -> announced?  --no-->                                                     forwarded
 *                         | yes
 *                      balancer: let in?  --no--> refused, in the protocol's own words         forwarded
 *                         | yes
 *                      host: put in place (a listener, a rule) --failed, too late--> the same  forwarded
 *                         | done
 *                      rewritten for its receiver                                              forwarded
 *
 * Until an announcement is in place its direction stands still (the release barrier); the other one flows on. Whatever
 * the segmentation of the input, entries and output are the same.
 */
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import type { RelatedEntry } from "../flow/related.ts";
import type { Announcement, Helper, Inspector, Ref, Settings } from "../helper/api.ts";
import { explainRefusal } from "../helper/judge.ts";
import { type Expected, Recorder, type Remark, type Rewrite } from "../helper/recorder.ts";
import { endHelper, type OnFailure, runHelper } from "../helper/run.ts";
import { type Edit, splice } from "../nat/splice.ts";
import type { Direction, Endpoint, Ms, PortRange } from "../units.ts";
import { later, rangeText, seconds } from "../units.ts";
import { HeldBytes } from "./held.ts";

/** What was decided, why, and about which bytes. Live it is an event and a metric, in replay a line of the report. */
export interface Decision {
  readonly outcome: "expected" | "refused" | "settled" | "revoked" | "group" | "fault" | "note";
  /** Kebab-case; the metric label. */
  readonly reason: string;
  readonly message: string;
  readonly direction: Direction;
  /** Where the message begins in the stream of its direction, and its length, in bytes. */
  readonly offset: number;
  readonly length: number;
  readonly related: readonly RelatedEntry[];
}

export interface ControlHost {
  /** `bytes` may go on. They are not written to again, unless the caller of `feed` writes to its own. */
  forward(direction: Direction, bytes: Uint8Array): void;
  /** Make `entry` reachable and answer with `prepared`, now or within two seconds. */
  prepare(entry: RelatedEntry): void;
  explain(decision: Decision): void;
  /** The helper failed, and the configuration prefers no connection to an unread one. */
  abort(reason: string): void;
}

export interface ControlOptions {
  readonly helper: Helper;
  readonly settings: Settings;
  readonly entry: ConnectionEntry;
  readonly balancer: Balancer;
  readonly host: ControlHost;
  /** `forward`: let refused announcements through as they are, for those who insist. */
  readonly onRefuse: "refuse" | "forward";
  readonly onFailure: OnFailure;
}

/** An announcement that waits for its entries to be put in place. */
interface Barrier {
  readonly message: Uint8Array;
  readonly announced: Expected;
  readonly rewrites: readonly Rewrite[];
  readonly entries: readonly RelatedEntry[];
  readonly answers: (Endpoint | null | undefined)[];
  readonly expires: Ms;
}

interface Side {
  readonly direction: Direction;
  readonly held: HeldBytes;
  heldSince: Ms;
  /** Bytes consumed so far. */
  offset: number;
  barrier: Barrier | null;
  ended: boolean;
}

const NEVER = Number.POSITIVE_INFINITY as Ms;
const BARRIER_PATIENCE = seconds(2);
/** Announcements remembered for a later `settle` or `revoke`. */
const REMEMBERED = 64;

const makeSide = (direction: Direction): Side => ({
  direction,
  held: new HeldBytes(),
  heldSince: NEVER,
  offset: 0,
  barrier: null,
  ended: false,
});

export class ControlStream {
  readonly #options: ControlOptions;
  readonly #inspector: Inspector;
  readonly #recorder = new Recorder();
  readonly #original = makeSide("original");
  readonly #reply = makeSide("reply");
  readonly #announced = new Map<Ref, readonly RelatedEntry[]>();
  #detached = false;
  /** The helper's last verdict was `drop`. */
  #dropping = false;
  #preparing = false;

  constructor(options: ControlOptions) {
    this.#options = options;
    this.#inspector = options.helper.open(options.entry, options.settings);
  }

  /** The helper looks at nothing any more: what comes may go on unseen. */
  get detached(): boolean {
    return this.#detached && this.#original.barrier === null && this.#reply.barrier === null;
  }

  /** `direction` stands still: read no more of it. */
  blocked(direction: Direction): boolean {
    return this.#side(direction).barrier !== null;
  }

  /** When `advance` has something to do; Infinity: never. */
  get deadline(): Ms {
    return Math.min(this.#sideDeadline(this.#original), this.#sideDeadline(this.#reply)) as Ms;
  }

  /** The next bytes of `direction`, in order. */
  feed(direction: Direction, bytes: Uint8Array, now: Ms): void {
    const side = this.#side(direction);
    if (side.barrier !== null) side.held.append(bytes);
    else if (this.#detached) this.#options.host.forward(direction, bytes);
    else this.#read(side, side.held.take(bytes), now);
  }

  /** `direction` ends here: an unfinished announcement is not let out, other unfinished bytes are. */
  end(direction: Direction): void {
    const side = this.#side(direction);
    side.ended = true;
    if (side.barrier === null) this.#flushUnread(side);
  }

  /** The host's answer to `prepare`: what the opener must be told to connect to, or null when that failed. */
  prepared(entry: RelatedEntry, seen: Endpoint | null, now: Ms): void {
    for (const side of [this.#original, this.#reply]) {
      const index = side.barrier?.entries.indexOf(entry) ?? -1;
      if (side.barrier === null || index < 0) continue;
      side.barrier.answers[index] = seen;
      if (!this.#preparing && !side.barrier.answers.includes(undefined)) this.#lift(side, now);
      return;
    }
  }

  advance(now: Ms): void {
    for (const side of [this.#original, this.#reply]) {
      if (side.barrier !== null && now >= side.barrier.expires) {
        side.barrier.answers.fill(null);
        this.#lift(side, now);
      } else if (side.barrier === null && now >= this.#sideDeadline(side)) {
        this.#remark(side, "fault", { code: "message-too-slow", at: null }, 0);
        this.#flushUnread(side);
        this.#detach();
      }
    }
  }

  /** Reads messages until the rest is incomplete, or one of them raises the barrier. */
  #read(side: Side, view: Uint8Array, now: Ms): void {
    let sent = 0;
    let at = 0;
    while (at < view.length && !this.#detached) {
      const consumed = this.#inspect(side, view.subarray(at));
      if (consumed === 0) break;
      const end = at + consumed;
      if (!this.#recorder.empty || this.#dropping) {
        this.#forward(side, view.subarray(sent, at));
        sent = this.#apply(side, view.subarray(at, end), now) ? at : end;
        if (side.barrier !== null) {
          side.held.put(view.subarray(end));
          return;
        }
      }
      side.offset += consumed;
      at = end;
    }
    const done = this.#detached ? view.length : at;
    this.#forward(side, view.subarray(sent, done));
    this.#hold(side, view.subarray(done), at > 0, now);
    if (this.#detached) this.#detach();
  }

  #forward(side: Side, bytes: Uint8Array): void {
    if (bytes.length > 0) this.#options.host.forward(side.direction, bytes);
  }

  /** How many bytes of `rest` the helper has done with; what it asked for is in the recorder. */
  #inspect(side: Side, rest: Uint8Array): number {
    const { onFailure, host } = this.#options;
    const { verdict, consumed } = runHelper(this.#inspector, rest, side.direction, this.#recorder, onFailure);
    if (verdict === "detach") this.#detached = true;
    this.#dropping = verdict === "drop";
    if (consumed > 0) return consumed;
    this.#remarks(side, 0);
    if (verdict === "abort") host.abort("helper-failed");
    return 0;
  }

  #hold(side: Side, rest: Uint8Array, progressed: boolean, now: Ms): void {
    side.held.put(rest);
    if (rest.length === 0) side.heldSince = NEVER;
    else if (progressed || side.heldSince === NEVER) side.heldSince = now;
    if (rest.length <= this.#options.helper.limits.hold) return;
    this.#remark(side, "fault", { code: "message-too-long", at: null }, rest.length);
    this.#flushUnread(side);
    this.#detach();
  }

  /** Applies what the helper asked for about `message`. True: the message may be forwarded as it is. */
  #apply(side: Side, message: Uint8Array, now: Ms): boolean {
    const { balancer, entry, host, onRefuse } = this.#options;
    const { settled, revoked, groups, refusals, expected } = this.#recorder;
    this.#remarks(side, message.length);
    for (const { ref, outcome } of settled) this.#settle(side, ref, outcome);
    for (const ref of revoked) this.#withdraw(side, ref);
    for (const { reason, ports } of groups) {
      this.#explainGroup(side, reason, balancer.group(entry, ports, now), message.length);
    }
    const refusal = refusals[0];
    if (refusal !== undefined) {
      this.#decide(side, "refused", refusal.code, `refused: ${refusal.code}`, message.length);
      if (onRefuse === "forward") return true;
      host.forward(side.direction, splice(message, [{ ...refusal.instead, text: refusal.instead.text(refusal.code) }]));
      return false;
    }
    const announced = expected[0];
    return announced === undefined ? !this.#dropping : this.#announce(side, message, announced, now);
  }

  /** True: forward the message as it is. False: it was dealt with, or the barrier is up. */
  #announce(side: Side, message: Uint8Array, announced: Expected, now: Ms): boolean {
    const { balancer, entry: control, helper, host } = this.#options;
    const entries: RelatedEntry[] = [];
    for (const announcement of announced.bundle) {
      const entry = balancer.announce(control, announcement, side.direction, helper.limits, now);
      if (typeof entry === "string") {
        for (const other of entries) balancer.revoke(other);
        return this.#refuse(side, message, announcement, entry);
      }
      entries.push(entry);
    }
    side.barrier = {
      message,
      announced,
      rewrites: [...this.#recorder.rewrites],
      entries,
      answers: entries.map(() => undefined),
      expires: later(now, BARRIER_PATIENCE),
    };
    this.#preparing = true;
    for (const entry of entries) host.prepare(entry);
    this.#preparing = false;
    if (side.barrier.answers.includes(undefined)) {
      side.barrier = { ...side.barrier, message: message.slice() };
    } else {
      this.#release(side);
    }
    return false;
  }

  /** The barrier's answers are in: lets its message out, then reads what came behind it. */
  #lift(side: Side, now: Ms): void {
    const length = side.barrier!.message.length;
    this.#release(side);
    side.offset += length;
    const rest = side.held.take();
    if (this.#detached) this.#forward(side, rest);
    else if (rest.length > 0) this.#read(side, rest, now);
    if (side.ended && side.barrier === null) this.#flushUnread(side);
  }

  /** Forwards the message of the barrier, as its receiver must see it, and takes the barrier down. */
  #release(side: Side): void {
    const { balancer, host } = this.#options;
    const { message, announced, rewrites, entries, answers } = side.barrier!;
    side.barrier = null;
    const placed = entries.every((entry, i) => answers[i] != null && balancer.place(entry, answers[i]!));
    const edits = placed ? renderAll(rewrites, entries) : null;
    if (edits === null) {
      for (const entry of entries) balancer.revoke(entry, "unavailable");
      const reason = placed ? "family-mismatch" : "unavailable";
      if (this.#refuse(side, message, announced.bundle[0]!, reason)) host.forward(side.direction, message);
      return;
    }
    this.#remember(announced.ref, entries);
    const { kind, said } = announced.bundle[0]!;
    this.#decide(side, "expected", kind, `${said} announces ${kind}`, message.length, entries);
    host.forward(side.direction, splice(message, edits));
  }

  #refuse(side: Side, message: Uint8Array, announcement: Announcement, reason: string): boolean {
    const { entry, host, onRefuse } = this.#options;
    const text = explainRefusal(reason, announcement, side.direction, entry);
    this.#decide(side, "refused", reason, text, message.length);
    if (onRefuse === "forward") return true;
    const { start, end, text: instead } = announcement.instead;
    host.forward(side.direction, splice(message, [{ start, end, text: instead(reason) }]));
    return false;
  }

  #settle(side: Side, ref: Ref, outcome: "accepted" | "rejected"): void {
    const entries = this.#announced.get(ref) ?? [];
    this.#decide(side, "settled", outcome, `announcement ${outcome} by the other side`, 0, entries);
    if (outcome === "rejected") this.#withdraw(side, ref);
  }

  #withdraw(side: Side, ref: Ref): void {
    const entries = this.#announced.get(ref) ?? [];
    this.#announced.delete(ref);
    const pending = entries.filter(({ state }) => state === "pending");
    for (const entry of pending) this.#options.balancer.revoke(entry);
    if (pending.length > 0) this.#decide(side, "revoked", "revoked", "announcement withdrawn", 0, pending);
  }

  #remember(ref: Ref, entries: readonly RelatedEntry[]): void {
    this.#announced.set(ref, entries);
    if (this.#announced.size > REMEMBERED) this.#announced.delete(this.#announced.keys().next().value!);
  }

  /** Lets go of bytes that no helper will read, but not of an announcement among them. */
  #flushUnread(side: Side): void {
    const { onRefuse } = this.#options;
    if (side.held.length === 0) return;
    const bytes = side.held.take();
    side.heldSince = NEVER;
    if (!this.#detached) endHelper(this.#inspector, bytes, side.direction, this.#recorder);
    else this.#recorder.clear();
    this.#remarks(side, bytes.length);
    const refusal = this.#recorder.refusals[0];
    if (refusal !== undefined) this.#decide(side, "refused", refusal.code, `refused: ${refusal.code}`, bytes.length);
    side.offset += bytes.length;
    const out =
      refusal === undefined || onRefuse === "forward"
        ? bytes
        : splice(bytes, [{ ...refusal.instead, text: refusal.instead.text(refusal.code) }]);
    this.#forward(side, out);
  }

  #detach(): void {
    for (const side of [this.#original, this.#reply]) if (side.barrier === null) this.#flushUnread(side);
    this.#detached = true;
  }

  #remarks(side: Side, length: number): void {
    for (const fault of this.#recorder.faults) this.#remark(side, "fault", fault, length);
    for (const note of this.#recorder.notes) this.#remark(side, "note", note, length);
  }

  #remark(side: Side, outcome: "fault" | "note", { code, at }: Remark, length: number): void {
    const start = at?.start ?? 0;
    this.#options.host.explain({
      outcome,
      reason: code,
      message: code,
      direction: side.direction,
      offset: side.offset + start,
      length: at === null ? length : at.end - start,
      related: [],
    });
  }

  #explainGroup(side: Side, reason: string, ports: readonly PortRange[], length: number): void {
    const text = ports.length === 0 ? "no data ports are declared" : ports.map(rangeText).join(", ");
    this.#decide(side, "group", reason, `port group (${reason}): ${text}`, length);
  }

  #decide(
    side: Side,
    outcome: Decision["outcome"],
    reason: string,
    message: string,
    length: number,
    related: readonly RelatedEntry[] = [],
  ): void {
    const { direction, offset } = side;
    this.#options.host.explain({ outcome, reason, message, direction, offset, length, related });
  }

  #side(direction: Direction): Side {
    return direction === "original" ? this.#original : this.#reply;
  }

  #sideDeadline({ barrier, heldSince }: Side): Ms {
    if (barrier !== null) return barrier.expires;
    return heldSince === NEVER ? NEVER : later(heldSince, this.#options.helper.limits.patience);
  }
}

/** The rewrites as text, or null when one of them cannot carry its endpoint. */
function renderAll(rewrites: readonly Rewrite[], entries: readonly RelatedEntry[]): Edit[] | null {
  const edits: Edit[] = [];
  for (const { start, end, index, render } of rewrites) {
    const text = render(entries[index]!.seen!);
    if (text === null) return null;
    edits.push({ start, end, text });
  }
  return edits;
}
