/** What is wrong with text in another program's format, by its place there. */
import type { Problem } from "../config/problem.ts";

export interface Word {
  readonly text: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** Thrown where a line cannot be understood, or means what no configuration here can say. */
export class Trouble extends Error {
  override readonly name = "Trouble";
  readonly at: Word;
  readonly remedy: string;
  /** It may be nothing but what another one has led to. */
  readonly follows: boolean;

  constructor(at: Word, message: string, remedy: string, follows = false) {
    super(message);
    this.at = at;
    this.remedy = remedy;
    this.follows = follows;
  }
}

export const problemOf = (file: string, { at, message, remedy }: Trouble): Problem => ({
  file,
  line: at.line,
  column: at.column,
  path: "",
  message,
  remedy,
});
