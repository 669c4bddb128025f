import { FIRST_NUMBER } from "./step.ts";

/** Numbers of rules, tables of routes and marks: each once in a plan. The first is left for a realserver's own mark. */
export class Numbers {
  #last = FIRST_NUMBER;

  next(): number {
    return ++this.#last;
  }
}
