/**
 * `kindred replay`: a capture in; out comes which connections were announced, which of them appeared, and what a
 * director would have refused. The helpers are those of the director, byte for byte.
 */
import { Command } from "commander";
import { helpers } from "../helpers/index.ts";
import { bind } from "./replay/bindings.ts";
import { inert } from "./replay/escape.ts";
import { readCapture } from "./replay/file.ts";
import { paintFor } from "./replay/paint.ts";
import { ProgressLine } from "./replay/progress.ts";
import { addCapture, emptyReport, jsonText, ndjsonText, numbered } from "./replay/report.ts";
import { treeText } from "./replay/text.ts";
import { type Bindings, Tracker } from "./replay/tracker.ts";

export interface ReplayOptions {
  readonly json?: boolean;
  readonly ndjson?: boolean;
  /** The bytes, the rule and what other helpers would have done, for each announcement and each refusal. */
  readonly explain?: boolean;
  /** `ftp=21,2121`: instead of the ports that the helper says itself. */
  readonly helper?: readonly string[];
}

/** Where the report and what goes wrong are written to; `process` is one. */
export interface ReplayIo {
  /** What `-` names; `process.stdin` unless it is given. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
}

const OK = 0;
const USAGE = 1;
/** A file is broken, or cannot be read. */
const BROKEN = 2;

/** Reads `files` and prints what was found. The exit status. */
export async function runReplay(files: readonly string[], options: ReplayOptions, io: ReplayIo): Promise<number> {
  const bindings = bind(helpers, options.helper ?? []);
  if (typeof bindings === "string") {
    io.stderr.write(`kindred replay: ${inert(bindings)}\n`);
    return USAGE;
  }
  let report = emptyReport(options.explain);
  let controls = 0;
  let broken = false;
  const paint = paintFor(io.stdout.isTTY, process.env["NO_COLOR"]);
  for (const file of files) {
    const { capture, tracker } = await replayFile(file, bindings, options, io);
    const found = numbered(tracker, controls);
    addCapture(report, capture, tracker, found);
    controls += found.length;
    broken ||= capture.error !== null;
    if (options.json) continue;
    // One document needs them all; lines and trees are shown file by file.
    io.stdout.write(options.ndjson ? ndjsonText(report) : treeText(report, paint));
    report = emptyReport(options.explain);
  }
  if (options.json) io.stdout.write(jsonText(report));
  return broken ? BROKEN : OK;
}

async function replayFile(file: string, bindings: Bindings, options: ReplayOptions, io: ReplayIo) {
  const tracker = new Tracker(bindings, helpers, options.explain === true);
  const progress = new ProgressLine(file, io.stderr);
  const { capture, unread } = await readCapture(file, io.stdin ?? process.stdin, tracker, (read, size) =>
    progress.show(read, size, performance.now()),
  );
  progress.clear();
  const say = (text: string) => io.stderr.write(`kindred replay: ${inert(file)}: ${inert(text)}\n`);
  if (capture.error !== null) say(capture.error);
  for (const [name, frames] of unread) say(`${frames} frames of link type ${name} are counted, not read`);
  return { capture, tracker };
}

const collect = (value: string, previous: string[] = []): string[] => [...previous, value];

/** The command `replay`, for the command line to add. */
export function replayCommand(io: ReplayIo = process): Command {
  return new Command("replay")
    .description("explain a capture: which connections were announced, which appeared, what a director would refuse")
    .argument("<capture...>", "pcap or pcapng files, plain or compressed (gzip); - is standard input")
    .option("--json", "one JSON document")
    .option("--ndjson", "the same records as JSON, a line each")
    .option("--explain", "for each announcement and refusal: the bytes, the rule, what other helpers would have done")
    .option("--helper <name=ports>", "bind a helper to these server ports: ftp=21,2121 (repeatable)", collect)
    .addHelpText("after", "\nExit status: 0, or 2 when a file is broken (what could be read is printed).")
    .action(async (files: string[], options: ReplayOptions) => {
      process.exitCode = await runReplay(files, options, io);
    });
}
