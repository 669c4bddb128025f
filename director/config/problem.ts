/** What is wrong with a configuration, where, and what to do about it. */
import { inertJson } from "../inert.ts";

/** Keys and indices from the top: `["services", 0, "vip"]`. */
export type Path = readonly (string | number)[];

export interface Problem {
  /** As it was given on the command line. */
  readonly file: string;
  /** From 1; 0 when the file as a whole is meant. */
  readonly line: number;
  /** From 1; 0 when the file as a whole is meant. */
  readonly column: number;
  /** `services[0].scheduler`; empty for the top. */
  readonly path: string;
  readonly message: string;
  /** What to write instead. */
  readonly remedy: string;
}

/** All that is wrong, in the order of the file. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "KINDRED_CONFIG";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(problemText).join("\n"));
    this.problems = problems;
  }
}

/** One line for each problem. */
export const formatConfigError = (error: ConfigError): string => error.problems.map(problemText).join("\n");

/** `kindred.yaml:12:5: services[0].scheduler: "wlcc" is no scheduler; did you mean "wlc"?` */
export const problemText = (problem: Problem): string => `${placeOf(problem)}: ${textOf(problem)}`;

/** `kindred.yaml:12:5: warning: …` */
export const warningText = (problem: Problem): string => `${placeOf(problem)}: warning: ${textOf(problem)}`;

const placeOf = ({ file, line, column }: Problem): string => (line === 0 ? file : `${file}:${line}:${column}`);
const textOf = ({ path, message, remedy }: Problem): string => `${path === "" ? "" : `${path}: `}${message}; ${remedy}`;

export const pathText = (path: Path): string =>
  path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    const key = /^[\w-]+$/.test(part) ? part : quote(part);
    return text === "" ? key : `${text}.${key}`;
  }, "");

const LONGEST_QUOTE = 60;

/** A value of the file as one line of a message. */
export function quote(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a mapping";
  if (value === undefined) return "nothing";
  const text = typeof value === "number" ? String(value) : inertJson(value);
  return text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE - 2)}…"` : text;
}
