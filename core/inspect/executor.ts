/**
 * Carries out what a helper asked for about one message of a control connection: announcements are reserved, put in
 * place by the host and written as their receiver must see them, or refused in the protocol's own words; what was
 * announced is settled or taken back; and everything is told to the host as a decision.
 */
import type { RelatedEntry } from "../flow/related.ts";
import { type Announcement, MOST_WRITTEN, type OfferForm, type Ref, type Replacement } from "../helper/api.ts";
import { explainRefusal, judgeOffer } from "../helper/judge.ts";
import { reasonText } from "../helper/reasons.ts";
import type { Expected, Recorder, Remark, Settlement } from "../helper/recorder.ts";
import { inOrder, insteadOf, offer, renderAll, replacementFor, translateAll } from "../helper/run.ts";
import { type Edit, splice } from "../nat/splice.ts";
import type { ByteRange, Endpoint, Ms, PortRange } from "../units.ts";
import { later, rangeText, seconds } from "../units.ts";
import { Address } from "../wire/address.ts";
import { copyBytes, part } from "../wire/bytes.ts";
import { Announced } from "./announced.ts";
import { type Decision, decision, remark, type Words } from "./decision.ts";
import type { ControlOptions } from "./host.ts";
import { carryOutOffer } from "./offering.ts";
import type { Announcing, Barrier, Offering, Side } from "./side.ts";

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

  /**
   * What the message `[at, end)` of `view` says in brief, behind all that was read before it. False: nothing was done, and it
   * is to be told in full.
   */
  carryOutInBrief(side: Side, view: Uint8Array, at: number, end: number, now: Ms): boolean {
    const form = offer.form!;
    switch (form.says) {
      case "offer":
        return this.#offered(form, side, view, at, end, now) || this.#objects(form, side, view, at, end);
      case "refusal":
        this.#refuseInBrief(side, view, at, end, form.code, this.#words(form.code), form.instead);
        return true;
      case "fault":
        this.#decide(side, "fault", form.code, this.#words(form.code), { start: 0, end: end - at });
        return true;
    }
  }

  #offered(form: OfferForm, side: Side, view: Uint8Array, at: number, end: number, now: Ms): boolean {
    const { balancer, entry, helper, host } = this.#options;
    if (host.brief != null) return carryOutOffer(this.#options, side, view, at, end, now);
    const row = side.direction === "reply" ? balancer.offer(entry, offer, form, helper.limits, now) : 0;
    if (row === 0) return false;
    this.forward(side, view, side.sent, at);
    side.sent = end;
    const { address, port, start, end: stop, length, detail } = offer;
    const what = { form, address, port, start, end: stop, length, detail };
    this.#prepare(side, part(view, at, end), what, [balancer.related.entry(row)], now);
    return true;
  }

  /** Asks the host to put `entries` in place, which raises the barrier, unless it does so at once. */
  #prepare(side: Side, message: Uint8Array, what: Barrier["what"], entries: Barrier["entries"], now: Ms): void {
    const answers = new Array(entries.length);
    const expires = later(now, BARRIER_PATIENCE);
    const barrier: Barrier = { message, what, entries, answers, missing: entries.length, expires, raised: false };
    side.barrier = barrier;
    const { host } = this.#options;
    for (let i = 0; i < entries.length; i++) {
      const answered = what.form === null ? this.#answered(what.announced.bundle[i]!, entries[i]!) : null;
      host.prepare(entries[i]!, answered, entries[i - 1] ?? null);
    }
    if (barrier.missing === 0) this.release(side);
    else {
      barrier.message = new Uint8Array(message);
      barrier.raised = true;
    }
  }

  /** Refuses what the realserver offers. False: nothing speaks against it as such. */
  #objects(form: OfferForm, side: Side, view: Uint8Array, at: number, end: number): boolean {
    const { balancer, entry } = this.#options;
    if (side.direction !== "reply" || balancer.connections.get(entry.handle) !== entry) return false;
    const reason = judgeOffer(offer, form, entry, entry.realserver.announces);
    if (reason === null) return false;
    const words = this.#whyNot(form, offer.address, offer.port, reason);
    this.#refuseInBrief(side, view, at, end, reason, words, insteadOf(form, reason));
    return true;
  }

  /** Why an offer is refused. */
  #whyNot({ said }: OfferForm, address: number, port: number, reason: string): Words {
    return () => {
      const to = { address: address < 0 ? null : Address.ipv4(address), port };
      const announcement = { said, opener: "original", to } as const;
      return explainRefusal(reason, this.#words(reason), announcement, "reply", this.#options.entry);
    };
  }

  #refuseInBrief(
    side: Side,
    view: Uint8Array,
    at: number,
    end: number,
    code: string,
    words: Words,
    instead: Uint8Array,
  ): void {
    this.forward(side, view, side.sent, at);
    side.sent = at;
    this.#decide(side, "refused", code, words, { start: 0, end: end - at });
    if (this.#options.onRefuse === "forward") return;
    this.forward(side, instead);
    side.sent = end;
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
    words: Words = this.#words(code),
  ): boolean {
    this.#decide(side, "refused", code, words, at);
    if (this.#options.onRefuse === "forward") return true;
    this.forward(side, splice(message, [replacementFor(instead, code)]));
    return false;
  }

  /** Forwards the message of the barrier, as its receiver must see it, and takes the barrier down. */
  release(side: Side): void {
    const { what } = side.barrier!;
    if (what.form === null) this.#releaseAnnounced(side, side.barrier!, what);
    else this.#releaseOffered(side, side.barrier!, what);
  }

  #releaseAnnounced(side: Side, { message, entries, answers }: Barrier, what: Announcing): void {
    const { announced, rewrites, replaced, final } = what;
    side.barrier = null;
    const ready = this.#place(entries, answers);
    const edits = ready ? renderAll(rewrites, answers as readonly Endpoint[]) : null;
    const announcement = announced.bundle[0]!;
    if (edits === null) {
      const reason = this.#unplace(entries, ready);
      if (this.#refuseAnnounced(side, message, announcement, reason)) this.forward(side, message);
      return;
    }
    if (!final) this.#announced.remember(announced.ref, entries);
    const { kind, said, bytes } = announcement;
    this.#decide(side, "expected", kind, () => `${said} announces ${kind}`, bytes, entries);
    const all = replaced.length === 0 ? edits : [...edits, ...replaced];
    this.forward(side, splice(message, inOrder(all)));
  }

  #releaseOffered(side: Side, { message, entries, answers }: Barrier, what: Offering): void {
    const { form, address, port } = what;
    side.barrier = null;
    const whole = { start: 0, end: message.length };
    const ready = this.#place(entries, answers);
    const written = ready ? writeOffer(what, message, answers[0]!) : null;
    if (written === null) {
      const reason = this.#unplace(entries, ready);
      this.#decide(side, "refused", reason, this.#whyNot(form, address, port, reason), whole);
      this.forward(side, this.#options.onRefuse === "forward" ? message : insteadOf(form, reason));
      return;
    }
    this.#decide(side, "expected", form.kind, () => `${form.said} announces ${form.kind}`, whole, entries);
    this.forward(side, written);
  }

  /** All that were given an end are placed, so that the host is told of those that go again. False: one was not. */
  #place(entries: Barrier["entries"], answers: Barrier["answers"]): boolean {
    let ready = true;
    for (let i = 0; i < entries.length; i++) {
      if (answers[i] == null || !this.#options.balancer.place(entries[i]!, answers[i]!)) ready = false;
    }
    return ready;
  }

  /** Takes them back: why. `ready`: all of them were in place. */
  #unplace(entries: Barrier["entries"], ready: boolean): string {
    for (const entry of entries) this.#options.balancer.revoke(entry, "unavailable");
    return ready ? "family-mismatch" : "unavailable";
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
    const what: Announcing = { form: null, announced, rewrites, replaced, final: isFinal(ref, settled) };
    this.#prepare(side, message, what, entries, now);
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
    const { direction } = side;
    const text = () => explainRefusal(reason, this.#words(reason), announcement, direction, this.#options.entry);
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
    words: Words,
    at: ByteRange,
    related: readonly RelatedEntry[] = NO_ENTRIES,
  ): void {
    const { host } = this.#options;
    if (host.brief?.count(outcome, reason) === true) return;
    host.explain(decision(side, outcome, reason, words, at, related));
  }
}

/** Where an offer is written before it is known how long it is. */
const scratch = new Uint8Array(MOST_WRITTEN);

/** `message` with the end at which the offer is met in the place of the one that it names; null: that cannot be written. */
function writeOffer(what: Offering, message: Uint8Array, { address, port }: Endpoint): Uint8Array | null {
  if (what.address >= 0 && address.family !== 4) return null;
  let length = -1;
  try {
    length = what.form.write(what, address, port, scratch, 0);
  } catch {
    // As one that cannot be written.
  }
  if (!Number.isInteger(length) || length < 0 || length > MOST_WRITTEN) return null;
  const out = new Uint8Array(message.length - (what.end - what.start) + length);
  const behind = copyBytes(scratch, 0, length, out, copyBytes(message, 0, what.start, out, 0));
  copyBytes(message, what.end, message.length, out, behind);
  return out;
}

/** Its own message settles it. */
function isFinal(ref: Ref, settled: readonly Settlement[]): boolean {
  for (const settlement of settled) if (settlement.ref === ref) return true;
  return false;
}
