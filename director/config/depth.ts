/** How deep a YAML text is nested, without parsing it. */
import { CST, Lexer } from "yaml";

/** A configuration has about six levels. */
export const DEEPEST = 50;

/** Tokens of the lexer's own, which are no text. */
const MARKS: readonly string[] = [CST.DOCUMENT, CST.FLOW_END, CST.SCALAR];

/**
 * The offset at which the text is nested too deep, or null. Looked for before it is parsed: the parser recurses, and a
 * hundred thousand brackets take the process down with them, not with an exception.
 */
export function tooDeep(text: string): number | null {
  const nesting = new Nesting();
  let offset = 0;
  let column = 0;
  for (const token of new Lexer().lex(text)) {
    if (MARKS.includes(token)) continue;
    if (nesting.enter(token, column) > DEEPEST) return offset;
    const newline = token.lastIndexOf("\n");
    column = newline < 0 ? column + token.length : token.length - newline - 1;
    offset += token.length;
  }
  return null;
}

class Nesting {
  /** Where block collections that are still open began. */
  readonly #columns: number[] = [];
  #flow = 0;

  /** The depth with `token`, at most a little more than it really is. */
  enter(token: string, column: number): number {
    if (token === "[" || token === "{") this.#flow++;
    else if (token === "]" || token === "}") this.#flow = Math.max(0, this.#flow - 1);
    else if (this.#flow === 0 && token !== ":" && /^\S/.test(token)) this.#begin(column);
    return this.#columns.length + this.#flow;
  }

  #begin(column: number): void {
    while ((this.#columns.at(-1) ?? -1) >= column) this.#columns.pop();
    this.#columns.push(column);
  }
}
