/**
 * Carries out what a helper asked for about one message of a control connection: announcements are reserved, put in
 * place by the host and written as their receiver must see them, or refused in the protocol's own words; what was
 * announced is settled or taken back; and everything is told to the host as a decision.
 */
import type { RelatedEntry } from "../flow/related.ts";
import type { Announcement, Ref, Replacement } from "../helper/api.ts";
import { explainRefusal } from "../helper/judge.ts";
import { reasonText } from "../helper/reasons.ts";
import type { Expected, Recorder, Remark, Settlement } from "../helper/recorder.ts";
import { inOrder, renderAll, replacementFor, translateAll } from "../helper/run.ts";
import { type Edit, splice } from "../nat/splice.ts";
import type { ByteRange, Endpoint, Ms, PortRange } from "../units.ts";
import { later, rangeText, seconds } from "../units.ts";
import { part } from "../wire/bytes.ts";
import { Announced } from "./announced.ts";
import { type Decision, decision, remark } from "./decision.ts";
import type { ControlOptions } from "./host.ts";
import type { Barrier, Side } from "./side.ts";

const BARRIER_PATIENCE = seconds(2);

const NO_EDITS: readonly Edit[] = [];
const NO_ENTRIES: readonly RelatedEntry[] = [];

interface Refused {
  readonly announcement: Announcement;
  readonly reason: string;
}

export class Executor {
  readonly #options: ControlOptions;
  readonly #announced = new Announced();

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  forward({ direction }: Side, bytes: Uint8Array, start = 0, end = bytes.length): void {
    if (start >= end) return;
    const { host } = this.#options;
    if (host.brief == null) host.forward(direction, part(bytes, start, end));
    else host.brief.append(direction, bytes, start, end);
  }

  /** What was `asked` for about `message`, which `drops` or not. True: the message may be forwarded as it is. */
  carryOut(asked: Recorder, side: Side, message: Uint8Array, drops: boolean, now: Ms): boolean {
    const { settled, revoked, groups, refusals, expected } = asked;
    const edits = this.#edits(asked, side);
    const whole: ByteRange = { start: 0, end: message.length };
    this.remarks(asked, side, message.length);
    for (const settlement of settled) this.#settle(side, settlement, whole);
    for (const ref of revoked) this.#withdraw(side, ref, whole);
    for (const { reason, ports } of groups) this.#group(side, reason, ports, whole, now);
    const refusal = refusals[0];
    if (refusal !== undefined) return this.refuse(side, message, refusal.code, refusal.at, refusal.instead);
    const announced = expected[0];
    if (announced !== undefined) return this.#announce(asked, side, message, announced, edits, now);
    if (edits.length > 0 && !drops) {
      this.forward(side, splice(message, inOrder(edits)));
      return false;
    }
    return !drops || this.#options.onRefuse === "forward";
  }

  /** Faults and notes about what is `length` long. */
  remarks({ faults, notes }: Recorder, side: Side, length: number): void {
    for (const fault of faults) this.#remark(side, "fault", fault, length);
    for (const note of notes) this.#remark(side, "note", note, length);
  }

  fault(side: Side, code: string): void {
    this.#remark(side, "fault", { code, at: null }, side.held);
  }

  /** True: forward the message as it is after all. */
  refuse(
    side: Side,
    message: Uint8Array,
    code: string,
    at: ByteRange,
    instead: Replacement,
    text = this.#words(code),
  ): boolean {
    this.#decide(side, "refused", code, text, at);
    if (this.#options.onRefuse === "forward") return true;
    this.forward(side, splice(message, [replacementFor(instead, code)]));
    return false;
  }

  /** Forwards the message of the barrier, as its receiver must see it, and takes the barrier down. */
  release(side: Side): void {
    const { balancer } = this.#options;
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
      if (this.#refuseAnnounced(side, message, announcement, reason)) this.forward(side, message);
      return;
    }
    if (!final) this.#announced.remember(announced.ref, entries);
    const { kind, said, bytes } = announcement;
    this.#decide(side, "expected", kind, `${said} announces ${kind}`, bytes, entries);
    const all = replaced.length === 0 ? edits : [...edits, ...replaced];
    this.forward(side, splice(message, inOrder(all)));
  }

  /** What is written in a message whatever is announced. */
  #edits({ edits, translations }: Recorder, { direction }: Side): readonly Edit[] {
    const { host } = this.#options;
    if (edits.length + translations.length === 0) return NO_EDITS;
    return [...edits, ...translateAll(translations, (pair) => host.translate?.(direction, pair) ?? null)];
  }

  #group(side: Side, reason: string, ports: readonly PortRange[] | null, at: ByteRange, now: Ms): void {
    const { balancer, entry } = this.#options;
    const text = balancer.group(entry, ports, now).map(rangeText).join(", ");
    this.#decide(side, "group", reason, `port group (${reason}): ${text || "no data ports are declared"}`, at);
  }

  /** True: forward the message as it is. False: it was dealt with, or the barrier is up. */
  #announce(
    { rewrites, settled }: Recorder,
    side: Side,
    message: Uint8Array,
    announced: Expected,
    replaced: readonly Edit[],
    now: Ms,
  ): boolean {
    const { bundle, ref } = announced;
    const entries = this.#unasked(bundle[0]!) ?? this.#reserve(side, bundle, now);
    if (!Array.isArray(entries)) return this.#refuseAnnounced(side, message, entries.announcement, entries.reason);
    const barrier: Barrier = {
      message,
      announced,
      rewrites,
      replaced,
      entries,
      answers: new Array(entries.length),
      missing: entries.length,
      final: isFinal(ref, settled),
      expires: later(now, BARRIER_PATIENCE),
      raised: false,
    };
    side.barrier = barrier;
    const { host } = this.#options;
    for (let i = 0; i < entries.length; i++) {
      host.prepare(entries[i]!, this.#answered(bundle[i]!, entries[i]!), entries[i - 1] ?? null);
    }
    if (barrier.missing === 0) this.release(side);
    else {
      barrier.message = new Uint8Array(message);
      barrier.raised = true;
    }
    return false;
  }

  /** The flow that `entry` is the other end of. */
  #answered({ answers, pairs = answers, answersIndex }: Announcement, { kind }: RelatedEntry): RelatedEntry | null {
    if (pairs === undefined) return null;
    const offered = this.#announced.get(pairs) ?? NO_ENTRIES;
    const isIt = (one: RelatedEntry, index: number): boolean => one.kind === kind && (answersIndex ?? index) === index;
    return offered.find((one, index) => isIt(one, index) && one.state !== "gone") ?? null;
  }

  /** What it answers was not let in, and was never heard by who answers. */
  #unasked(announcement: Announcement): Refused | null {
    const { answers } = announcement;
    const asked = answers === undefined || this.#announced.get(answers) !== null;
    return asked ? null : { announcement, reason: "unsolicited" };
  }

  /** The entries of a bundle, all or none; of names for one end, that of the first that is let in. */
  #reserve(side: Side, bundle: readonly Announcement[], now: Ms): RelatedEntry[] | Refused {
    const { balancer, entry: control, helper } = this.#options;
    const either = bundle[0]!.either === true;
    let entries: RelatedEntry[] | null = null;
    let refused: Refused | null = null;
    for (const announcement of bundle) {
      const entry = balancer.announce(control, announcement, side.direction, helper.limits, now);
      if (typeof entry === "string") refused ??= { announcement, reason: entry };
      // Nearly always the only one: an array made with it is a third of one that it is pushed onto.
      else if (entries === null) entries = [entry];
      else entries.push(entry);
      if (either ? entries !== null : refused !== null) break;
    }
    if (entries !== null && (refused === null || either)) return entries;
    for (const entry of entries ?? NO_ENTRIES) balancer.revoke(entry);
    return refused!;
  }

  #refuseAnnounced(side: Side, message: Uint8Array, announcement: Announcement, reason: string): boolean {
    const text = explainRefusal(reason, this.#words(reason), announcement, side.direction, this.#options.entry);
    return this.refuse(side, message, reason, announcement.bytes, announcement.instead, text);
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

  #remark(side: Side, outcome: "fault" | "note", about: Remark, length: number): void {
    const { host } = this.#options;
    if (host.brief?.count(outcome, about.code) === true) return;
    host.explain(remark(side, outcome, about, this.#words(about.code), length));
  }

  #words(code: string): string {
    return reasonText(this.#options.helper, code);
  }

  #decide(
    side: Side,
    outcome: Decision["outcome"],
    reason: string,
    message: string,
    at: ByteRange,
    related: readonly RelatedEntry[] = NO_ENTRIES,
  ): void {
    const { host } = this.#options;
    if (host.brief?.count(outcome, reason) === true) return;
    host.explain(decision(side, outcome, reason, message, at, related));
  }
}

/** Its own message settles it. */
function isFinal(ref: Ref, settled: readonly Settlement[]): boolean {
  for (const settlement of settled) if (settlement.ref === ref) return true;
  return false;
}
