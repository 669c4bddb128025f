/** `kindred replay` as the command line has it. */
import { Command } from "commander";
import type { ReplayOptions } from "../replay.ts";
import { OPTIONS } from "./words.ts";

/** Reads the files and prints what was found. The exit status. */
export type Run = (files: readonly string[], options: ReplayOptions) => Promise<number>;

const collect = (value: string, previous: string[] = []): string[] => [...previous, value];

const runReplay: Run = async (files, options) => (await import("../replay.ts")).runReplay(files, options);

/** The command `replay`, for the command line to add. */
export function replayCommand(run = runReplay): Command {
  const command = new Command("replay")
    .description("explain a capture: which connections were announced, which appeared, what a director would refuse")
    .argument("<capture...>", "pcap or pcapng files, plain or compressed (gzip, zstd); - is standard input")
    .addHelpText("after", "\nExit status: 0, or 2 when a file is broken (what could be read is printed).")
    .action(async (files: string[], options: ReplayOptions) => {
      process.exitCode = await run(files, options);
    });
  for (const { flags, description, repeatable } of OPTIONS) {
    if (repeatable) command.option(flags, description, collect);
    else command.option(flags, description);
  }
  return command;
}
