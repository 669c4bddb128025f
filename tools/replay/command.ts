/** `kindred replay` as the command line has it. */
import { Command } from "commander";
import { processIo, type ReplayOptions, runReplay } from "../replay.ts";

const collect = (value: string, previous: string[] = []): string[] => [...previous, value];

/** The command `replay`, for the command line to add. */
export function replayCommand(io = processIo()): Command {
  return new Command("replay")
    .description("explain a capture: which connections were announced, which appeared, what a director would refuse")
    .argument("<capture...>", "pcap or pcapng files, plain or compressed (gzip, zstd); - is standard input")
    .option("--json", "one JSON document")
    .option("--ndjson", "the same records as JSON, a line each")
    .option("--html <file>", "a page that needs nothing else: ladders, a timeline, tables, findings, explanations")
    .option("--explain", "for each announcement and refusal: the bytes, the rule, what other helpers would have done")
    .option("--config <file>", "a director's configuration: what it would have made of the capture")
    .option("--write <file>", "with --config: both sides of that director, as pcapng with comments")
    .option("--helper <name=ports>", "bind a helper to these server ports: ftp=21,2121 (repeatable)", collect)
    .addHelpText("after", "\nExit status: 0, or 2 when a file is broken (what could be read is printed).")
    .action(async (files: string[], options: ReplayOptions) => {
      process.exitCode = await runReplay(files, options, io);
    });
}
