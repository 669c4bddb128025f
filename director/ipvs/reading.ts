/** What another program's file says, read place by place: what is wrong in one is no reason not to look at the others. */
import type { Problem } from "../config/problem.ts";
import type { PlacedRule } from "./line.ts";
import { problemOf, Trouble, type Word } from "./trouble.ts";

export interface Imported {
  readonly rules: readonly PlacedRule[];
  /** What cannot be had here, in the order of the file; with any, `rules` are not all. */
  readonly problems: readonly Problem[];
  /** What will be otherwise here. */
  readonly warnings: readonly Problem[];
}

export class Reading implements Imported {
  readonly rules: PlacedRule[] = [];
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** Trouble that `read` throws is a problem. */
  attempt(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      this.problems.push(problemOf(this.#file, error));
    }
  }

  warn(at: Word, message: string, remedy: string): void {
    this.warnings.push(problemOf(this.#file, new Trouble(at, message, remedy)));
  }
}
