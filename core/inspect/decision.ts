import type { RelatedEntry } from "../flow/related.ts";
import { textOf, type Words } from "../helper/reasons.ts";
import type { Remark } from "../helper/recorder.ts";
import type { ByteRange, Direction } from "../units.ts";

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

/** Where a decision was made: `offset` is where the bytes that a range counts from stand in their stream. */
export interface Place {
  readonly direction: Direction;
  readonly offset: number;
}

class Told implements Decision {
  readonly outcome: Decision["outcome"];
  readonly reason: string;
  readonly direction: Direction;
  readonly offset: number;
  readonly length: number;
  readonly related: readonly RelatedEntry[];
  readonly #words: Words;

  constructor(
    place: Place,
    outcome: Decision["outcome"],
    reason: string,
    words: Words,
    at: ByteRange,
    related: Told["related"],
  ) {
    this.outcome = outcome;
    this.reason = reason;
    this.direction = place.direction;
    this.offset = place.offset + at.start;
    this.length = at.end - at.start;
    this.related = related;
    this.#words = words;
  }

  get message(): string {
    return textOf(this.#words, this.reason);
  }
}

const NO_ENTRIES: readonly RelatedEntry[] = [];

export const decision = (
  place: Place,
  outcome: Decision["outcome"],
  reason: string,
  words: Words,
  at: ByteRange,
  related = NO_ENTRIES,
): Decision => new Told(place, outcome, reason, words, at, related);

/** A fault or a note. */
export const remark = (
  place: Place,
  outcome: "fault" | "note",
  { code, at }: Remark,
  words: Words,
  length: number,
): Decision => decision(place, outcome, code, words, at ?? { start: 0, end: length });
