/** What a run tells: a line of progress at a terminal, and the summary. */
import { inert } from "../../replay/escape.ts";
import type { Finding } from "./inputs.ts";
import type { State } from "./watch.ts";

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
  /** Of the processor, dialogues among them; and what the time of lines went into, in per cent. FTP only. */
  readonly work: {
    readonly executionsPerProcessorSecond: number;
    readonly generation: number;
    readonly inspection: number;
    readonly checking: number;
  } | null;
  /** Blocks of the helper and of core/inspect; null: nobody looked. */
  readonly coverage: { readonly reached: number; readonly known: number; readonly corpus: number } | null;
  readonly findings: readonly Finding[];
}

const thousands = (n: number): string => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");

export function progressText({ figures, findings, corpus, milliseconds }: State): string {
  const { executions, dialogues, reached, known } = figures;
  const rate = executions / Math.max(0.001, milliseconds / 1000);
  const covered = known === 0 ? "" : `, ${reached} of ${known} blocks, corpus ${corpus}`;
  const found = findings.length === 0 ? "nothing found" : `${findings.length} found`;
  return `${Math.round(milliseconds / 1000)} s: ${thousands(executions)} executions, ${thousands(rate)}/s, ${thousands(dialogues)} dialogues${covered}, ${found}`;
}

export function workIn(figures: State["figures"]): Summary["work"] {
  const { executions, processor, generation, inspection, checking } = figures;
  const all = generation + inspection + checking;
  if (all === 0) return null;
  const share = (part: number): number => Math.round((part / all) * 1000) / 10;
  return {
    executionsPerProcessorSecond: Math.round(executions / (processor / 1000)),
    generation: share(generation),
    inspection: share(inspection),
    checking: share(checking),
  };
}

/** For people. `kept`: files of the findings. */
export function summaryText(summary: Summary, kept: readonly string[]): string {
  const { helper, seed, executions, distinct, dialogues, seconds, executionsPerSecond, work, coverage, findings } =
    summary;
  const lines = [
    `${helper}, seed ${seed}: ${thousands(executions)} executions (at least ${thousands(distinct)} distinct), ${thousands(dialogues)} dialogues in ${seconds} s, ${thousands(executionsPerSecond)} executions/s`,
  ];
  if (work !== null) {
    const { executionsPerProcessorSecond, generation, inspection, checking } = work;
    lines.push(
      `${thousands(executionsPerProcessorSecond)} executions a second of the processor; of lines ${generation} % generation, ${inspection} % inspection, ${checking} % checking`,
    );
  }
  if (coverage !== null) {
    const { reached, known, corpus } = coverage;
    lines.push(`${reached} of ${known} blocks reached, by ${corpus} inputs`);
  }
  for (const [i, finding] of findings.entries()) {
    lines.push(`${finding.property} in ${finding.kind}/${finding.number}: ${inert(finding.message)}`);
    lines.push(`  again: ${againText(helper, finding, kept[i])}`);
  }
  if (findings.length === 0) lines.push("nothing found");
  return `${lines.join("\n")}\n`;
}

const NUMBERED: readonly string[] = ["lines", "dialogue", "wild"];

/** By its number where that alone says what it is; else from the file. */
function againText(helper: string, { kind, seed, number }: Finding, file: string | undefined): string {
  const replay = file === undefined ? "" : `kindred fuzz ${helper} --replay ${inert(file)}`;
  if (!NUMBERED.includes(kind)) return replay === "" ? "the same run" : replay;
  const only = `kindred fuzz ${helper} --seed ${seed} --only ${kind}/${number}`;
  return replay === "" ? only : `${only}\n      or: ${replay}`;
}
