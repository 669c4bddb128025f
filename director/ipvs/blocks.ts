/** The form of keepalived.conf (keepalived.conf(5)): lines of words, blocks in braces, comments from `#` or `!` on. */
import { Trouble, type Word } from "./trouble.ts";

export interface Statement {
  /** At least one. */
  readonly words: readonly Word[];
  /** What stands in its braces; null: it has none. */
  readonly block: readonly Statement[] | null;
}

/** Deep enough for every block that there is. */
const DEEPEST = 16;

/** Throws Trouble. */
export function readBlocks(text: string): Statement[] {
  const tokens = text.split("\n").flatMap((line, index) => [...tokensOf(line, index + 1), END]);
  const reader = new BlockReader(tokens);
  return reader.statements(null, 0);
}

/** The end of a line. */
const END: Word = { text: "\n", line: 0, column: 0 };

function tokensOf(line: string, number: number): Word[] {
  const tokens: Word[] = [];
  for (const match of line.matchAll(/"([^"]*)"|([{}])|([#!].*)|[^\s{}"]+/g)) {
    if (match[3] !== undefined) break;
    tokens.push({ text: match[1] ?? match[0], line: number, column: match.index + 1 });
  }
  return tokens;
}

class BlockReader {
  readonly #tokens: readonly Word[];
  #at = 0;

  constructor(tokens: readonly Word[]) {
    this.#tokens = tokens;
  }

  /** Until the brace that closes `opened`, or the end of the file. */
  statements(opened: Word | null, depth: number): Statement[] {
    if (depth > DEEPEST) throw new Trouble(opened!, "blocks too deep in one another", "close some");
    const found: Statement[] = [];
    for (;;) {
      while (this.#tokens[this.#at] === END) this.#at++;
      const token = this.#tokens[this.#at];
      if (token === undefined) {
        if (opened === null) return found;
        throw new Trouble(opened, "this block is never closed", "close it with }");
      }
      if (token.text !== "}") {
        found.push(this.#statement(depth));
        continue;
      }
      this.#at++;
      if (opened !== null) return found;
      throw new Trouble(token, "closes no block", "remove it");
    }
  }

  #statement(depth: number): Statement {
    const words: Word[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token === undefined || token.text === "}" || (token === END && !this.#opensNext())) break;
      this.#at++;
      if (token === END) continue;
      if (token.text !== "{") words.push(token);
      else if (words.length > 0) return { words, block: this.statements(token, depth + 1) };
      else throw new Trouble(token, "a block without a name", "write what it is before the brace");
    }
    return { words, block: null };
  }

  /** A brace may stand on a line of its own. */
  #opensNext(): boolean {
    let at = this.#at;
    while (this.#tokens[at] === END) at++;
    return this.#tokens[at]?.text === "{";
  }
}
