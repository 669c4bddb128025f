/** `kindred fuzz ftp --against tshark`, at a terminal. */
import { existsSync } from "node:fs";
import { type AgainstOptions, runAgainst } from "../kernel/against.ts";
import type { Io } from "../terminal.ts";
import { againstTshark, type TsharkSummary } from "./run.ts";

const DIALOGUES = 500;
const FOLDERS = (process.env["PATH"] ?? "").split(":");

/** Why tshark cannot be asked here, or false. */
export const tsharkMissing = (): string | false =>
  FOLDERS.some((folder) => existsSync(`${folder}/tshark`)) ? false : "tshark is not installed (Debian: tshark)";

/** The exit status. */
export const runAgainstTshark = (options: AgainstOptions, version: string, io: Io): Promise<number> =>
  runAgainst(
    {
      peer: "tshark",
      missing: tsharkMissing(),
      hold: (seed) => againstTshark(seed, options.executions ?? DIALOGUES, version),
      lines: linesOf,
    },
    options,
    io,
  );

function linesOf({ tshark, seed, dialogues, segments, agreed, followed, counts }: TsharkSummary): string[] {
  return [
    `ftp against ${tshark}, seed ${seed}: ${dialogues} dialogues, ${segments} segments`,
    `both let in ${agreed}; tshark follows ${followed} of the connections to what we let in; tshark too lax ${counts["tshark-too-lax"]}, too strict ${counts["tshark-too-strict"]}, ours wrong ${counts["ours-wrong"]}`,
  ];
}
