/** The words of `kindred replay`, for the command line and for the short way past it. */
import type { ReplayOptions } from "../replay.ts";

interface Word {
  /** As Commander has it: with a value, where it takes one. */
  readonly flags: string;
  readonly description: string;
  /** May be given several times. */
  readonly repeatable?: true;
}

/** In the order of the help. */
export const OPTIONS: readonly Word[] = [
  { flags: "--json", description: "one JSON document" },
  { flags: "--ndjson", description: "the same records as JSON, a line each" },
  {
    flags: "--html <file>",
    description: "a page that needs nothing else: ladders, a timeline, tables, findings, explanations",
  },
  {
    flags: "--explain",
    description: "for each announcement and refusal: the bytes, the rule, what other helpers would have done",
  },
  { flags: "--config <file>", description: "a director's configuration: what it would have made of the capture" },
  { flags: "--write <file>", description: "with --config: both sides of that director, as pcapng with comments" },
  {
    flags: "--helper <name=ports>",
    description: "bind a helper to these server ports: ftp=21,2121 (repeatable)",
    repeatable: true,
  },
];

const isSwitch = (word: string): boolean => !word.includes(" ") && OPTIONS.some(({ flags }) => flags === word);

/** What is asked for. */
export interface Asked {
  readonly files: readonly string[];
  readonly options: ReplayOptions;
}

/**
 * Files and options without a value: what is asked for most often, and takes no library to be understood. null: there is
 * more to it (a value, `--help`, a mistake), which is Commander's to tell.
 */
export function plainWords(words: readonly string[]): Asked | null {
  const files = words.filter((word) => word === "-" || !word.startsWith("-"));
  const switches = words.filter((word) => !files.includes(word));
  if (files.length === 0 || !switches.every(isSwitch)) return null;
  return { files, options: Object.fromEntries(switches.map((word) => [word.slice(2), true])) };
}
