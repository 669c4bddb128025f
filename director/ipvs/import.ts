/** Rules of another program as a configuration of this one, whole or not at all. */
import { ConfigError } from "../config/problem.ts";
import type { Document } from "../config.ts";
import { type Applying, applyRule, draftOf } from "./document.ts";
import type { Imported } from "./reading.ts";
import { problemOf, Trouble } from "./trouble.ts";

/** `document` after all rules. Throws a ConfigError with every line that is wrong; nothing is applied then. */
export function applyRules(document: Document, imported: Imported, file: string, applying: Applying = {}): Document {
  const draft = draftOf(document);
  const problems = [...imported.problems];
  for (const { at, rule } of imported.rules) {
    try {
      applyRule(draft, at, rule, applying);
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      if (!error.follows || problems.length === 0) problems.push(problemOf(file, error));
    }
  }
  if (problems.length > 0) throw new ConfigError(problems.toSorted((a, b) => a.line - b.line));
  return draft;
}
