/**
 * Carries out what a helper asked for about one message of a control connection: announcements are reserved, put in
 * place by the host and written as their receiver must see them, or refused in the protocol's own words; what was
 * announced is settled or taken back; and everything is told to the host as a decision.
 */
import type { RelatedEntry } from "../flow/related.ts";
import { type Announcement, MOST_WRITTEN, type OfferForm, type Ref } from "../helper/api.ts";
import { explainRefusal, judgeOffer } from "../helper/judge.ts";
import type { Words } from "../helper/reasons.ts";
import type { Expected, Recorder, Settlement } from "../helper/recorder.ts";
import { inOrder, insteadOf, offer, renderAll, translateAll } from "../helper/run.ts";
import type { Edit } from "../nat/splice.ts";
import type { ByteRange, Endpoint, Ms, PortRange } from "../units.ts";
import { later, rangeText, seconds } from "../units.ts";
import { Address } from "../wire/address.ts";
import { sameView } from "../wire/bytes.ts";
import { Announced } from "./announced.ts";
import type { ControlOptions } from "./host.ts";
import type { Message } from "./message.ts";
import { carryOutOffer } from "./offering.ts";
import type { Outlet } from "./outlet.ts";
import type { Announcing, Barrier, Offering, Side } from "./side.ts";
import { Written, writeOffer } from "./written.ts";

const BARRIER_PATIENCE = seconds(2);

const NO_EDITS: readonly Edit[] = [];
const NO_ENTRIES: readonly RelatedEntry[] = [];

const written = new Written();

interface Refused {
  readonly announcement: Announcement;
  readonly reason: string;
}

export class Executor {
  readonly #options: ControlOptions;
  readonly #outlet: Outlet;
  readonly #announced = new Announced();

  constructor(options: ControlOptions, outlet: Outlet) {
    this.#options = options;
    this.#outlet = outlet;
  }

  /** What was `asked` for about `message`, which `drops` or not. True: the message may be forwarded as it is. */
  carryOut(asked: Recorder, side: Side, message: Message, drops: boolean, now: Ms): boolean {
    const { settled, revoked, groups, refusals, expected } = asked;
    const edits = this.#edits(asked, side);
    const whole: ByteRange = { start: 0, end: message.length };
    this.#outlet.remarks(asked, side, message.length);
    for (const settlement of settled) this.#settle(side, settlement, whole);
    for (const ref of revoked) this.#withdraw(side, ref, whole);
    for (const { reason, ports } of groups) this.#group(side, reason, ports, whole, now);
    const refusal = refusals[0];
    if (refusal !== undefined) return this.#outlet.refuse(side, message, refusal.code, refusal.at, refusal.instead);
    const announced = expected[0];
    if (announced !== undefined) return this.#announce(asked, side, message, announced, edits, now);
    if (edits.length > 0 && !drops) {
      this.#outlet.edit(side, message, inOrder(edits));
      return false;
    }
    return !drops || this.#options.onRefuse === "forward";
  }

  /** What `message` says in brief, behind all that was read before it. False: nothing was done, and it is to be told in full. */
  carryOutInBrief(side: Side, message: Message, now: Ms): boolean {
    const form = offer.form!;
    switch (form.says) {
      case "offer":
        return this.#offered(form, side, message, now) || this.#objects(form, side, message);
      case "refusal":
        this.#refuseInBrief(side, message, form.code, this.#options.helper, form.instead);
        return true;
      case "fault":
        this.#outlet.decide(side, "fault", form.code, this.#options.helper, wholeOf(message));
        return true;
    }
  }

  #offered(form: OfferForm, side: Side, message: Message, now: Ms): boolean {
    const { balancer, entry, helper, host } = this.#options;
    if (host.brief != null) return carryOutOffer(this.#options, host.brief, this.#outlet, side, message, now);
    const row = side.direction === "reply" ? balancer.offer(entry, offer, form, helper.limits, now) : 0;
    if (row === 0) return false;
    this.#letOn(side, message);
    side.sent = message.end;
    const { address, port, start, end, length, detail } = offer;
    const what = { form, address, port, start, end, length, detail };
    this.#prepare(side, message, what, [balancer.related.entry(row)], now);
    return true;
  }

  /** Lets on what was read before `message`. */
  #letOn(side: Side, { bytes, start }: Message): void {
    this.#outlet.forward(side, bytes, side.sent, start);
    side.sent = start;
  }

  /** Asks the host to put `entries` in place, which raises the barrier, unless it does so at once. */
  #prepare(side: Side, message: Message, what: Barrier["what"], entries: Barrier["entries"], now: Ms): void {
    const answers = new Array(entries.length);
    const expires = later(now, BARRIER_PATIENCE);
    const barrier: Barrier = { message, what, entries, answers, missing: entries.length, expires, raised: false };
    side.barrier = barrier;
    const { host } = this.#options;
    for (let i = 0; i < entries.length; i++) {
      const answered = what.form === null ? this.#answered(what.announced.bundle[i]!, entries[i]!) : null;
      // `entries[-1]` would be looked for by name.
      host.prepare(entries[i]!, answered, i === 0 ? null : entries[i - 1]!);
    }
    if (barrier.missing === 0) this.release(side);
    else {
      barrier.message = message.kept();
      barrier.raised = true;
    }
  }

  /** Refuses what the realserver offers. False: nothing speaks against it as such. */
  #objects(form: OfferForm, side: Side, message: Message): boolean {
    const { balancer, entry } = this.#options;
    if (side.direction !== "reply" || balancer.connections.get(entry.handle) !== entry) return false;
    const reason = judgeOffer(offer, form, entry, entry.realserver.announces);
    if (reason === null) return false;
    const words = this.#whyNot(form, offer.address, offer.port, reason);
    this.#refuseInBrief(side, message, reason, words, insteadOf(form, reason));
    return true;
  }

  /** Why an offer is refused. */
  #whyNot({ said }: OfferForm, address: number, port: number, reason: string): Words {
    return () => {
      const to = { address: address < 0 ? null : Address.ipv4(address), port };
      const announcement = { said, opener: "original", to } as const;
      return explainRefusal(reason, this.#outlet.words(reason), announcement, "reply", this.#options.entry);
    };
  }

  #refuseInBrief(side: Side, message: Message, code: string, words: Words, instead: Uint8Array): void {
    this.#letOn(side, message);
    this.#outlet.decide(side, "refused", code, words, wholeOf(message));
    if (this.#options.onRefuse === "forward") return;
    this.#outlet.forward(side, instead);
    side.sent = message.end;
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
      if (this.#refuseAnnounced(side, message, announcement, reason)) this.#outlet.pass(side, message);
      return;
    }
    if (!final) this.#announced.remember(announced.ref, entries);
    const { kind, said, bytes } = announcement;
    this.#outlet.decide(side, "expected", kind, () => `${said} announces ${kind}`, bytes, entries);
    const all = replaced.length === 0 ? edits : [...edits, ...replaced];
    this.#outlet.edit(side, message, inOrder(all));
  }

  #releaseOffered(side: Side, { message, entries, answers }: Barrier, what: Offering): void {
    const { form, address, port } = what;
    side.barrier = null;
    const ready = this.#place(entries, answers);
    const length = ready ? writeSeen(what, message, answers[0]!) : -1;
    if (length < 0) {
      const reason = this.#unplace(entries, ready);
      this.#outlet.decide(side, "refused", reason, this.#whyNot(form, address, port, reason), wholeOf(message));
      if (this.#options.onRefuse === "forward") this.#outlet.pass(side, message);
      else this.#outlet.forward(side, insteadOf(form, reason));
      return;
    }
    const words = (): string => `${form.said} announces ${form.kind}`;
    this.#outlet.decide(side, "expected", form.kind, words, wholeOf(message), entries);
    this.#outlet.say(side, written, length);
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
    this.#outlet.decide(side, "group", reason, `port group (${reason}): ${text || "no data ports are declared"}`, at);
  }

  /** True: forward the message as it is. False: it was dealt with, or the barrier is up. */
  #announce(
    { rewrites, settled }: Recorder,
    side: Side,
    message: Message,
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

  #refuseAnnounced(side: Side, message: Message, announcement: Announcement, reason: string): boolean {
    const { direction } = side;
    const text = () => explainRefusal(reason, this.#outlet.words(reason), announcement, direction, this.#options.entry);
    return this.#outlet.refuse(side, message, reason, announcement.bytes, announcement.instead, text);
  }

  /** What was refused is not known here, and needs no settling. */
  #settle(side: Side, { ref, outcome, completed }: Settlement, at: ByteRange): void {
    const entries = this.#announced.get(ref);
    if (entries === null) return;
    this.#outlet.decide(side, "settled", outcome, `announcement ${outcome} by the other side`, at, entries);
    if (outcome === "rejected") this.#withdraw(side, ref, at);
    else this.#untaken(side, entries, completed, at);
  }

  /** Those of a bundle that the answer did not take up. */
  #untaken(side: Side, entries: readonly RelatedEntry[], completed: Settlement["completed"], at: ByteRange): void {
    const idle = entries.filter(({ state }, i) => completed?.[i] === null && state === "pending");
    for (const entry of idle) this.#options.balancer.revoke(entry);
    if (idle.length > 0) this.#outlet.decide(side, "revoked", "revoked", "announcement not taken up", at, idle);
  }

  #withdraw(side: Side, ref: Ref, at: ByteRange): void {
    const { balancer, host } = this.#options;
    const all = this.#announced.get(ref) ?? [];
    const entries = this.#announced.withdraw(ref, balancer);
    host.withdrawn?.(all);
    if (entries.length > 0) this.#outlet.decide(side, "revoked", "revoked", "announcement withdrawn", at, entries);
  }
}

/** Into `written`; its length, or -1. */
function writeSeen(what: Offering, { bytes, start, end }: Message, { address, port }: Endpoint): number {
  written.reach(end - start + MOST_WRITTEN);
  return writeOffer(what, address, port, sameView(bytes), start, start, end, written.view, 0);
}

const wholeOf = ({ length }: Message): ByteRange => ({ start: 0, end: length });

/** Its own message settles it. */
function isFinal(ref: Ref, settled: readonly Settlement[]): boolean {
  for (const settlement of settled) if (settlement.ref === ref) return true;
  return false;
}
