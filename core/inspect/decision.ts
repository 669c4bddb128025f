import type { RelatedEntry } from "../flow/related.ts";
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

export const decision = (
  { direction, offset }: Place,
  outcome: Decision["outcome"],
  reason: string,
  message: string,
  { start, end }: ByteRange,
  related: readonly RelatedEntry[] = [],
): Decision => ({ outcome, reason, message, direction, offset: offset + start, length: end - start, related });

/** A fault or a note; `text`: in words. */
export const remark = (
  place: Place,
  outcome: "fault" | "note",
  { code, at }: Remark,
  text: string,
  length: number,
): Decision => decision(place, outcome, code, text, at ?? { start: 0, end: length });
