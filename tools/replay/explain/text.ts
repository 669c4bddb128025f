import { inert } from "../escape.ts";
import { grouped } from "../grouped.ts";
import type { Paint } from "../paint.ts";
import type { Explanation, HelperVerdict, Verdict } from "./explain.ts";

const INDENT = " ".repeat(15);
const WORDS: Readonly<Record<Verdict, string>> = {
  opens: "follows it",
  "opens-another": "opens something else",
  misses: "misses it",
  drops: "drops its segment",
  unknown: "not known",
};

/** The explanations of one control connection, each below the line that it explains. */
export class Explained {
  readonly #bySubject: ReadonlyMap<string, Explanation[]>;
  readonly #paint: Paint;
  #shown = "";

  constructor(explanations: readonly Explanation[], paint: Paint) {
    this.#paint = paint;
    this.#bySubject = grouped(explanations, ({ frame, subject }) => `${frame} ${subject}`);
  }

  /**
   * Of what was said twice in one message (an announcement, and why it is refused) the rest is told once; so is a rule that
   * the line above, which has `told` it, is made of.
   */
  lines(frame: number, subject: string, told = ""): string[] {
    const one = this.#bySubject.get(`${frame} ${subject}`)?.shift();
    if (one === undefined) return [];
    const rule = one.rule === told ? [] : [`${INDENT}${this.#paint("dim", "rule")}   ${inert(one.rule)}`];
    const message = `${frame} ${one.bytes}`;
    if (message === this.#shown) return rule;
    this.#shown = message;
    const bytes = `${INDENT}${this.#paint("dim", "bytes")}  ${inert(one.bytes)}`;
    return [bytes, ...rule, ...one.helpers.map((verdict) => `${INDENT}${verdictText(verdict, this.#paint)}`)];
  }
}

function verdictText({ helper, verdict, reason }: HelperVerdict, paint: Paint): string {
  const ink = verdict === "opens" ? "good" : verdict === "unknown" ? "dim" : "warning";
  return `${helper.padEnd(24)}${paint(ink, WORDS[verdict])}: ${inert(reason)}`;
}
