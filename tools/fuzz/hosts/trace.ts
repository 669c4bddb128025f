/** What a host made of a dialogue, told so that it is the same for all hosts and for any segmentation. */
import type { RelatedEntry } from "../../../core/flow/related.ts";
import type { Decision } from "../../../core/inspect/control.ts";
import { endpointText } from "../../../core/units.ts";

/** Which bytes these are told about depends on how much had come: it is the network's doing. */
export const WHEREVER: ReadonlySet<string> = new Set([
  "line-too-long",
  "unfinished",
  "encryption-unknown",
  "not-ftp",
  "encrypted",
  "plain-again",
]);

export const described = ({ kind, from, seen, target }: RelatedEntry): string =>
  `${kind} ${from.address}:${from.port ?? "any"} -> ${seen === null ? "?" : endpointText(seen)} => ${endpointText(target)}`;

function told({ outcome, reason, direction, offset, related }: Decision): string {
  const where = WHEREVER.has(reason) ? "" : ` at ${offset}`;
  return `${outcome} ${reason} ${direction}${where}${related.map((entry) => ` ${described(entry)}`).join("")}`;
}

/** Decisions in order. Notes explain and decide nothing: where they stand among the others may differ. */
export function toldOf(decisions: readonly Decision[]): string[] {
  const notes = decisions.filter(({ outcome }) => outcome === "note");
  return [...decisions.filter(({ outcome }) => outcome !== "note"), ...notes].map(told);
}

/** The first place where two lists differ, for a report. */
export function firstDifference(one: readonly string[], other: readonly string[]): string | null {
  const length = Math.max(one.length, other.length);
  for (let i = 0; i < length; i++) {
    if (one[i] !== other[i]) return `${one[i] ?? "nothing"} / ${other[i] ?? "nothing"}`;
  }
  return null;
}

/** The same of two texts. */
export function firstDifferentByte(one: string, other: string): string | null {
  if (one === other) return null;
  let at = 0;
  while (one[at] === other[at]) at++;
  const around = (text: string): string => JSON.stringify(text.slice(Math.max(0, at - 20), at + 40));
  return `at byte ${at}: ${around(one)} / ${around(other)}`;
}
