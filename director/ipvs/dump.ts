/** What `ipvsadm -S` wrote, or a script of such lines, as rules. */
import type { Problem } from "../config/problem.ts";
import { type PlacedRule, readRule, wordsOf } from "./line.ts";
import { problemOf, Trouble } from "./trouble.ts";

export interface Imported {
  readonly rules: readonly PlacedRule[];
  /** What cannot be had here, in the order of the file; with any, `rules` are not all. */
  readonly problems: readonly Problem[];
  /** What will be otherwise here. */
  readonly warnings: readonly Problem[];
}

export function readDump(text: string, file: string): Imported {
  const rules: PlacedRule[] = [];
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const words = wordsOf(line, index + 1);
    if (words.length === 0) continue;
    try {
      const warn = (...trouble: ConstructorParameters<typeof Trouble>): void => {
        warnings.push(problemOf(file, new Trouble(...trouble)));
      };
      rules.push(readRule(words, warn));
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      problems.push(problemOf(file, error));
    }
  }
  return { rules, problems, warnings };
}
