/** What a run tells: a line of progress at a terminal, and the summary. */
import { inert } from "../../replay/escape.ts";
import type { Finding } from "./campaign.ts";
import type { State } from "./loop.ts";

export interface Summary {
  readonly helper: string;
  readonly version: string;
  readonly node: string;
  readonly seed: number;
  /** Single-line replies, or messages; of those the distinct ones, at least. */
  readonly executions: number;
  readonly distinct: number;
  readonly dialogues: number;
  readonly seconds: number;
  readonly executionsPerSecond: number;
  /** Blocks of the code that were reached, where that was measured. */
  readonly coverage: number | null;
  readonly findings: readonly Finding[];
}

const thousands = (n: number): string => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");

export function progressText({ fuzzer, findings, milliseconds }: State, coverage: number | null): string {
  const rate = fuzzer.executions / Math.max(0.001, milliseconds / 1000);
  const covered = coverage === null ? "" : `, ${coverage} blocks`;
  const found = findings.length === 0 ? "nothing found" : `${findings.length} found`;
  return `${Math.round(milliseconds / 1000)} s: ${thousands(fuzzer.executions)} executions, ${thousands(rate)}/s, ${thousands(fuzzer.dialogues)} dialogues${covered}, ${found}`;
}

/** For people. */
export function summaryText(summary: Summary, kept: readonly string[]): string {
  const { helper, seed, executions, distinct, dialogues, seconds, executionsPerSecond, coverage, findings } = summary;
  const lines = [
    `${helper}, seed ${seed}: ${thousands(executions)} executions (at least ${thousands(distinct)} distinct), ${thousands(dialogues)} dialogues in ${seconds} s, ${thousands(executionsPerSecond)} executions/s`,
  ];
  if (coverage !== null) lines.push(`${coverage} blocks reached`);
  for (const [i, { property, kind, number, message }] of findings.entries()) {
    lines.push(`${property} in ${kind}/${number}: ${inert(message)}`);
    lines.push(
      `  again: kindred fuzz ${helper} --seed ${seed} --only ${kind}/${number}${kept[i] === undefined ? "" : `; kept as ${inert(kept[i])}`}`,
    );
  }
  if (findings.length === 0) lines.push("nothing found");
  return `${lines.join("\n")}\n`;
}
