/** `kindred fuzz ftp --against PEER`, at a terminal: the same shape whoever the peer is. */
import { inert } from "../../replay/escape.ts";
import { FOUND, type Io, OK, refuse, tell } from "../terminal.ts";
import type { Row, Tally } from "./run.ts";

export interface AgainstOptions {
  readonly seconds?: number;
  /** How many dialogues. */
  readonly executions?: number;
  readonly seed?: number;
  readonly json?: boolean;
}

interface Compared {
  readonly counts: Tally["counts"];
  readonly differences: readonly Row[];
}

export interface Against<T extends Compared> {
  readonly peer: string;
  /** Why it cannot be asked here, or false. */
  readonly missing: string | false;
  hold(seed: number): Promise<T> | T;
  /** What came of it, but for the differences: a line each. */
  lines(summary: T): readonly string[];
}

/** The exit status: 1 only where we are wrong, not where the peer is. */
export async function runAgainst<T extends Compared>(
  { peer, missing, hold, lines }: Against<T>,
  { seed = Date.now() % 2 ** 31, json }: AgainstOptions,
  io: Io,
): Promise<number> {
  if (missing !== false) return refuse(io, `kindred fuzz --against ${peer}`, missing);
  const summary = await hold(seed);
  tell(io, json, summary, () => `${[...lines(summary), ...summary.differences.map(rowText)].join("\n")}\n`);
  return summary.counts["ours-wrong"] === 0 ? OK : FOUND;
}

/** Of an example that is shown. */
const SHOWN = 200;

function rowText({ class: kind, reason, about, count, example: { segments, end } }: Row): string {
  const text = JSON.stringify(segments);
  const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text;
  return `${kind} (${reason}): ${count} x ${inert(about)}\n  ${inert(shown)}${end === "none" ? "" : ` -> ${end}`}`;
}
