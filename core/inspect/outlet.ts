/** What comes of a control connection: the bytes that may go on, and what is told of them as decisions. */
import type { RelatedEntry } from "../flow/related.ts";
import type { Replacement } from "../helper/api.ts";
import { reasonText, type Words } from "../helper/reasons.ts";
import type { Recorder, Remark } from "../helper/recorder.ts";
import { replacementFor } from "../helper/run.ts";
import { type Edit, splice, splicedLength } from "../nat/splice.ts";
import type { ByteRange } from "../units.ts";
import { part } from "../wire/bytes.ts";
import { type Decision, decision, remark } from "./decision.ts";
import type { ControlOptions } from "./host.ts";
import type { Message } from "./message.ts";
import type { Side } from "./side.ts";
import { Written } from "./written.ts";

const NO_ENTRIES: readonly RelatedEntry[] = [];

const written = new Written();

export class Outlet {
  readonly #options: ControlOptions;

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  /** Lets bytes `[start, end)` on, to which nobody writes again. */
  forward({ direction }: Side, bytes: Uint8Array, start = 0, end = bytes.length): void {
    if (start >= end) return;
    const { host } = this.#options;
    if (host.append === undefined) host.forward(direction, part(bytes, start, end));
    else host.append(direction, bytes, start, end);
  }

  /** Lets the message on as it is. */
  pass(side: Side, { bytes, start, end }: Message): void {
    this.forward(side, bytes, start, end);
  }

  /** Lets the first `length` bytes of `written` on, which will be written to again. */
  say({ direction }: Side, { bytes }: Written, length: number): void {
    if (length === 0) return;
    const { host } = this.#options;
    if (host.append === undefined) host.forward(direction, bytes.slice(0, length));
    else host.append(direction, bytes, 0, length);
  }

  /** Lets the message on with `edits` made, which ascend and do not overlap. */
  edit(side: Side, message: Message, edits: readonly Edit[]): void {
    if (edits.length === 0) return this.pass(side, message);
    const length = splicedLength(message.length, edits);
    written.reach(length);
    splice(message.bytes, message.start, message.end, edits, written.bytes);
    this.say(side, written, length);
  }

  /** True: forward the message as it is after all. */
  refuse(
    side: Side,
    message: Message,
    code: string,
    at: ByteRange,
    instead: Replacement,
    words: Words = this.#options.helper,
  ): boolean {
    this.decide(side, "refused", code, words, at);
    if (this.#options.onRefuse === "forward") return true;
    this.edit(side, message, [replacementFor(instead, code)]);
    return false;
  }

  /** Faults and notes about what is `length` long. */
  remarks({ faults, notes }: Recorder, side: Side, length: number): void {
    for (const fault of faults) this.#remark(side, "fault", fault, length);
    for (const note of notes) this.#remark(side, "note", note, length);
  }

  fault(side: Side, code: string): void {
    this.#remark(side, "fault", { code, at: null }, side.held);
  }

  #remark(side: Side, outcome: "fault" | "note", about: Remark, length: number): void {
    const { host, helper } = this.#options;
    if (host.brief?.count(outcome, about.code) === true) return;
    host.explain(remark(side, outcome, about, helper, length));
  }

  decide(
    side: Side,
    outcome: Decision["outcome"],
    reason: string,
    words: Words,
    at: ByteRange,
    related: readonly RelatedEntry[] = NO_ENTRIES,
  ): void {
    if (this.#options.host.brief?.count(outcome, reason) === true) return;
    this.explain(decision(side, outcome, reason, words, at, related));
  }

  explain(decided: Decision): void {
    this.#options.host.explain(decided);
  }

  words(code: string): string {
    return reasonText(this.#options.helper, code);
  }
}
