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
 * the segmentation of the input, entries and output are the same. Of a datagram protocol each `feed` is one datagram,
 * and so is each `forward`.
 */
import type { RelatedEntry } from "../flow/related.ts";
import type { Announcement, Inspector, Ref, Replacement } from "../helper/api.ts";
import { explainRefusal } from "../helper/judge.ts";
import { reasonText } from "../helper/reasons.ts";
import { type Expected, Recorder, type Remark, type Settlement } from "../helper/recorder.ts";
import {
  endHelper,
  inOrder,
  openHelper,
  type RunOptions,
  renderAll,
  replacementFor,
  runHelper,
  translateAll,
} from "../helper/run.ts";
import { type Edit, splice } from "../nat/splice.ts";
import type { ByteRange, Direction, Endpoint, Ms } from "../units.ts";
import { later, rangeText, seconds } from "../units.ts";
import { part } from "../wire/bytes.ts";
import { Announced } from "./announced.ts";
import { type Decision, decision, remark } from "./decision.ts";
import type { ControlOptions } from "./host.ts";
import { NEVER, Side } from "./side.ts";

export type { Decision } from "./decision.ts";
export type { ControlHost, ControlOptions } from "./host.ts";

const BARRIER_PATIENCE = seconds(2);
/** Datagrams that may wait behind a barrier. */
const MOST_WAITING = 16;

const NO_EDITS: readonly Edit[] = [];

/** Of all streams: what a helper asked for is dealt with before anything else is read. */
const recorder = new Recorder();

interface Refused {
  readonly announcement: Announcement;
  readonly reason: string;
}

export class ControlStream {
  readonly #options: ControlOptions;
  readonly #inspector: Inspector;
  readonly #running: RunOptions;
  readonly #original = new Side("original");
  readonly #reply = new Side("reply");
  readonly #announced = new Announced();
  #detached = false;
  /** The helper's last verdict was `drop`. */
  #dropping = false;
  #aborted = false;

  constructor(options: ControlOptions) {
    this.#options = options;
    this.#running = { onFailure: options.onFailure, datagram: options.entry.transport === "udp" };
    this.#inspector = openHelper(options.helper, options.entry, options.settings);
  }

  /** The helper looks at nothing any more: what comes may go on unseen. */
  get detached(): boolean {
    return this.#detached && this.#original.barrier === null && this.#reply.barrier === null;
  }

  get #datagrams(): boolean {
    return this.#options.entry.transport === "udp";
  }

  /** `direction` stands still: read no more of it. */
  blocked(direction: Direction): boolean {
    return this.#side(direction).barrier !== null;
  }

  /** Bytes of `direction` that were fed and of which nothing is decided yet. */
  waiting(direction: Direction): number {
    const { held, barrier } = this.#side(direction);
    return held.length + (barrier?.message.length ?? 0);
  }

  /** When `advance` has something to do; Infinity: never. */
  get deadline(): Ms {
    const { patience } = this.#options.helper.limits;
    if (this.#aborted) return NEVER;
    return Math.min(this.#original.deadline(patience), this.#reply.deadline(patience)) as Ms;
  }

  /** The next bytes of `direction`, in order. */
  feed(direction: Direction, bytes: Uint8Array, now: Ms): void {
    const side = this.#side(direction);
    if (this.#aborted) return;
    if (side.barrier !== null) this.#wait(side, bytes);
    else if (this.#detached) this.#options.host.forward(direction, bytes);
    else this.#read(side, side.held.take(bytes), now);
  }

  /** `direction` ends here: an unfinished announcement is not let out, other unfinished bytes are. */
  end(direction: Direction): void {
    const side = this.#side(direction);
    side.ended = true;
    if (side.barrier === null && !this.#aborted) this.#flushUnread(side);
  }

  /** The host's answer to `prepare`: what the opener must be told to connect to, or null when that failed. */
  prepared(entry: RelatedEntry, seen: Endpoint | null, now: Ms): void {
    for (const side of [this.#original, this.#reply]) {
      const index = side.barrier?.entries.indexOf(entry) ?? -1;
      if (side.barrier === null || index < 0) continue;
      side.barrier.answers[index] = seen;
      if (side.barrier.raised && !side.barrier.answers.includes(undefined)) this.#lift(side, now);
      return;
    }
  }

  advance(now: Ms): void {
    for (const side of [this.#original, this.#reply]) {
      if (this.#aborted || now < side.deadline(this.#options.helper.limits.patience)) continue;
      if (side.barrier !== null) {
        for (const [i, answer] of side.barrier.answers.entries()) side.barrier.answers[i] = answer ?? null;
        this.#lift(side, now);
      } else {
        this.#fault(side, "message-too-slow");
        this.#flushUnread(side);
        if (this.#inspector.end === undefined) this.#detach();
      }
    }
  }

  /** What comes while `side` stands still. A datagram too many is lost, as datagrams may be. */
  #wait(side: Side, bytes: Uint8Array): void {
    if (!this.#datagrams) side.held.append(bytes);
    else if (side.waiting.length < MOST_WAITING) side.waiting.push(new Uint8Array(bytes));
  }

  /** Reads messages until the rest is incomplete, or one of them raises the barrier. */
  #read(side: Side, view: Uint8Array, now: Ms): void {
    let sent = 0;
    let at = 0;
    while (at < view.length && !this.#detached) {
      const consumed = this.#inspect(side, part(view, at, view.length));
      if (consumed === 0) break;
      const end = at + consumed;
      if (!recorder.empty || this.#dropping) {
        this.#forward(side, view, sent, at);
        sent = this.#apply(side, part(view, at, end), now) ? at : end;
        if (side.barrier !== null) {
          side.held.put(view.subarray(end));
          side.heldSince = NEVER;
          return;
        }
      }
      side.offset += consumed;
      at = end;
    }
    const done = this.#detached ? view.length : at;
    this.#forward(side, view, sent, done);
    this.#hold(side, view, done, now);
    if (this.#detached) this.#detach();
  }

  #forward(side: Side, bytes: Uint8Array, start = 0, end = bytes.length): void {
    if (start < end) this.#options.host.forward(side.direction, part(bytes, start, end));
  }

  /** How many bytes of `rest` the helper has done with; what it asked for is in the recorder. */
  #inspect(side: Side, rest: Uint8Array): number {
    const { verdict, consumed } = runHelper(this.#inspector, rest, side.direction, recorder, this.#running);
    if (verdict === "detach") this.#detached = true;
    this.#dropping = verdict === "drop";
    if (consumed > 0) return consumed;
    this.#remarks(side, 0);
    if (verdict === "abort") {
      this.#aborted = true;
      this.#options.host.abort("helper-failed");
    }
    return 0;
  }

  /** What is from `done` on waits for more. */
  #hold(side: Side, view: Uint8Array, done: number, now: Ms): void {
    if (done === view.length) {
      side.heldSince = NEVER;
      return;
    }
    side.held.put(part(view, done, view.length));
    if (done > 0 || side.heldSince === NEVER) side.heldSince = now;
    if (side.held.length <= this.#options.settings.hold || this.#aborted) return;
    this.#fault(side, "message-too-long");
    this.#flushUnread(side);
    this.#detach();
  }

  /** Applies what the helper asked for about `message`. True: the message may be forwarded as it is. */
  #apply(side: Side, message: Uint8Array, now: Ms): boolean {
    const { balancer, entry } = this.#options;
    const { settled, revoked, groups, refusals, expected } = recorder;
    const edits = this.#edits(side);
    const whole: ByteRange = { start: 0, end: message.length };
    this.#remarks(side, message.length);
    for (const settlement of settled) this.#settle(side, settlement, whole);
    for (const ref of revoked) this.#withdraw(side, ref, whole);
    for (const { reason, ports } of groups) {
      const text = balancer.group(entry, ports, now).map(rangeText).join(", ");
      this.#decide(side, "group", reason, `port group (${reason}): ${text || "no data ports are declared"}`, whole);
    }
    const refusal = refusals[0];
    if (refusal !== undefined) {
      return this.#refuse(side, message, refusal.code, this.#words(refusal.code), refusal.at, refusal.instead);
    }
    const announced = expected[0];
    if (announced !== undefined) return this.#announce(side, message, announced, edits, now);
    if (edits.length > 0 && !this.#dropping) {
      this.#forward(side, splice(message, inOrder(edits)));
      return false;
    }
    return !this.#dropping || this.#options.onRefuse === "forward";
  }

  /** What is written in a message whatever is announced. */
  #edits({ direction }: Side): readonly Edit[] {
    const { host } = this.#options;
    const { edits, translations } = recorder;
    if (edits.length + translations.length === 0) return NO_EDITS;
    return [...edits, ...translateAll(translations, (pair) => host.translate?.(direction, pair) ?? null)];
  }

  /** True: forward the message as it is. False: it was dealt with, or the barrier is up. */
  #announce(side: Side, message: Uint8Array, announced: Expected, replaced: readonly Edit[], now: Ms): boolean {
    const { host } = this.#options;
    const entries = this.#reserve(side, announced.bundle, now);
    if (!Array.isArray(entries)) return this.#refuseAnnounced(side, message, entries.announcement, entries.reason);
    side.barrier = {
      message,
      announced,
      rewrites: recorder.rewrites,
      replaced,
      entries,
      answers: entries.map(() => undefined),
      final: isFinal(announced.ref),
      expires: later(now, BARRIER_PATIENCE),
      raised: false,
    };
    for (const [i, entry] of entries.entries()) host.prepare(entry, this.#answered(announced.bundle[i]!, entry));
    if (side.barrier.answers.includes(undefined)) {
      const rewrites = [...recorder.rewrites];
      side.barrier = { ...side.barrier, message: new Uint8Array(message), rewrites, raised: true };
    } else {
      this.#release(side);
    }
    return false;
  }

  /** The flow that `entry` is the other end of. */
  #answered({ answers, answersIndex }: Announcement, { kind }: RelatedEntry): RelatedEntry | null {
    const offered = (answers === undefined ? null : this.#announced.get(answers)) ?? [];
    const isIt = (one: RelatedEntry, index: number): boolean => one.kind === kind && (answersIndex ?? index) === index;
    return offered.find((one, index) => isIt(one, index) && one.state !== "gone") ?? null;
  }

  /** The entries of a bundle, all or none; of names for one end, that of the first that is let in. */
  #reserve(side: Side, bundle: readonly Announcement[], now: Ms): RelatedEntry[] | Refused {
    const { balancer, entry: control, helper } = this.#options;
    const either = bundle[0]!.either === true;
    const entries: RelatedEntry[] = [];
    let refused: Refused | null = null;
    for (const announcement of bundle) {
      const entry = balancer.announce(control, announcement, side.direction, helper.limits, now);
      if (typeof entry === "string") refused ??= { announcement, reason: entry };
      else entries.push(entry);
      if (either ? entries.length > 0 : refused !== null) break;
    }
    if (refused === null || (either && entries.length > 0)) return entries;
    for (const entry of entries) balancer.revoke(entry);
    return refused;
  }

  /** The barrier's answers are in: lets its message out, then reads what came behind it. */
  #lift(side: Side, now: Ms): void {
    const length = side.barrier!.message.length;
    this.#release(side);
    side.offset += length;
    while (side.barrier === null && side.waiting.length > 0) this.feed(side.direction, side.waiting.shift()!, now);
    const rest = side.held.take();
    if (this.#detached) this.#forward(side, rest);
    else if (rest.length > 0) this.#read(side, rest, now);
    if (side.ended && side.barrier === null) this.#flushUnread(side);
  }

  /** Forwards the message of the barrier, as its receiver must see it, and takes the barrier down. */
  #release(side: Side): void {
    const { balancer, host } = this.#options;
    const { message, announced, rewrites, replaced, entries, answers, final } = side.barrier!;
    side.barrier = null;
    // All that were given an end are placed, so that the host is told of those that go again.
    let ready = true;
    for (let i = 0; i < entries.length; i++) {
      if (answers[i] == null || !balancer.place(entries[i]!, answers[i]!)) ready = false;
    }
    const edits = ready ? renderAll(rewrites, answers as readonly Endpoint[]) : null;
    const announcement = announced.bundle[0]!;
    if (edits === null) {
      for (const entry of entries) balancer.revoke(entry, "unavailable");
      const reason = ready ? "family-mismatch" : "unavailable";
      if (this.#refuseAnnounced(side, message, announcement, reason)) host.forward(side.direction, message);
      return;
    }
    if (!final) this.#announced.remember(announced.ref, entries);
    const { kind, said, bytes } = announcement;
    this.#decide(side, "expected", kind, `${said} announces ${kind}`, bytes, entries);
    const all = replaced.length === 0 ? edits : [...edits, ...replaced];
    host.forward(side.direction, splice(message, inOrder(all)));
  }

  #refuseAnnounced(side: Side, message: Uint8Array, announcement: Announcement, reason: string): boolean {
    const text = explainRefusal(reason, this.#words(reason), announcement, side.direction, this.#options.entry);
    return this.#refuse(side, message, reason, text, announcement.bytes, announcement.instead);
  }

  /** True: forward the message as it is after all. */
  #refuse(side: Side, message: Uint8Array, code: string, text: string, at: ByteRange, instead: Replacement): boolean {
    this.#decide(side, "refused", code, text, at);
    if (this.#options.onRefuse === "forward") return true;
    this.#forward(side, splice(message, [replacementFor(instead, code)]));
    return false;
  }

  /** What was refused is not known here, and needs no settling. */
  #settle(side: Side, { ref, outcome, completed }: Settlement, at: ByteRange): void {
    const entries = this.#announced.get(ref);
    if (entries === null) return;
    this.#decide(side, "settled", outcome, `announcement ${outcome} by the other side`, at, entries);
    if (outcome === "rejected") this.#withdraw(side, ref, at);
    else this.#untaken(side, entries, completed, at);
  }

  /** Those of a bundle that the answer did not take up. */
  #untaken(side: Side, entries: readonly RelatedEntry[], completed: Settlement["completed"], at: ByteRange): void {
    const idle = entries.filter(({ state }, i) => completed?.[i] === null && state === "pending");
    for (const entry of idle) this.#options.balancer.revoke(entry);
    if (idle.length > 0) this.#decide(side, "revoked", "revoked", "announcement not taken up", at, idle);
  }

  #withdraw(side: Side, ref: Ref, at: ByteRange): void {
    const { balancer, host } = this.#options;
    const all = this.#announced.get(ref) ?? [];
    const entries = this.#announced.withdraw(ref, balancer);
    host.withdrawn?.(all);
    if (entries.length > 0) this.#decide(side, "revoked", "revoked", "announcement withdrawn", at, entries);
  }

  /** Lets go of bytes that no helper will read, but not of an announcement among them. */
  #flushUnread(side: Side): void {
    if (side.held.length === 0) return;
    const bytes = side.held.take();
    side.heldSince = NEVER;
    if (this.#detached) recorder.clear();
    else endHelper(this.#inspector, bytes, side.direction, recorder, side.ended);
    this.#remarks(side, bytes.length);
    const refusal = recorder.refusals[0];
    const whole =
      refusal === undefined ||
      this.#refuse(side, bytes, refusal.code, this.#words(refusal.code), refusal.at, refusal.instead);
    if (whole) this.#forward(side, bytes);
    side.offset += bytes.length;
  }

  #detach(): void {
    for (const side of [this.#original, this.#reply]) if (side.barrier === null) this.#flushUnread(side);
    this.#detached = true;
  }

  #remark(side: Side, outcome: "fault" | "note", about: Remark, length: number): void {
    this.#options.host.explain(remark(side, outcome, about, this.#words(about.code), length));
  }

  #words(code: string): string {
    return reasonText(this.#options.helper, code);
  }

  #remarks(side: Side, length: number): void {
    for (const fault of recorder.faults) this.#remark(side, "fault", fault, length);
    for (const note of recorder.notes) this.#remark(side, "note", note, length);
  }

  #fault(side: Side, code: string): void {
    this.#remark(side, "fault", { code, at: null }, side.held.length);
  }

  #decide(
    side: Side,
    outcome: Decision["outcome"],
    reason: string,
    message: string,
    at: ByteRange,
    related: readonly RelatedEntry[] = [],
  ): void {
    this.#options.host.explain(decision(side, outcome, reason, message, at, related));
  }

  #side(direction: Direction): Side {
    return direction === "original" ? this.#original : this.#reply;
  }
}

/** Its own message settles it. */
function isFinal(ref: Ref): boolean {
  for (const settlement of recorder.settled) if (settlement.ref === ref) return true;
  return false;
}
