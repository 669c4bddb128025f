/** `kindred fuzz ftp --against tshark`, at a terminal. */
import { existsSync } from "node:fs";
import { rowText } from "../kernel/command.ts";
import { againstTshark, type TsharkSummary } from "./run.ts";

interface Options {
  /** How many dialogues. */
  readonly executions?: number;
  readonly seed?: number;
  readonly json?: boolean;
}

interface Io {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

const DIALOGUES = 500;
const [OK, FOUND, USAGE] = [0, 1, 2];
const FOLDERS = (process.env["PATH"] ?? "").split(":");

/** Why tshark cannot be asked here, or false. */
export const tsharkMissing = (): string | false =>
  FOLDERS.some((folder) => existsSync(`${folder}/tshark`)) ? false : "tshark is not installed (Debian: tshark)";

/** The exit status: 1 only where we are wrong, not where tshark is. */
export function runAgainstTshark(options: Options, version: string, io: Io): number {
  const problem = tsharkMissing();
  if (problem !== false) {
    io.stderr.write(`kindred fuzz --against tshark: ${problem}\n`);
    return USAGE;
  }
  const seed = options.seed ?? Date.now() % 2 ** 31;
  const summary = againstTshark(seed, options.executions ?? DIALOGUES, version);
  io.stdout.write(options.json === true ? `${JSON.stringify(summary, null, 1)}\n` : summaryText(summary));
  return summary.counts["ours-wrong"] === 0 ? OK : FOUND;
}

function summaryText(summary: TsharkSummary): string {
  const { tshark, seed, dialogues, segments, agreed, followed, counts, differences } = summary;
  const lines = [
    `ftp against ${tshark}, seed ${seed}: ${dialogues} dialogues, ${segments} segments`,
    `both let in ${agreed}; tshark follows ${followed} of the connections to what we let in; tshark too lax ${counts["tshark-too-lax"]}, too strict ${counts["tshark-too-strict"]}, ours wrong ${counts["ours-wrong"]}`,
    ...differences.map(rowText),
  ];
  return `${lines.join("\n")}\n`;
}
