/**
 * `kindred replay`: a capture in; out comes which connections were announced, which of them appeared, and what a
 * director would have refused. The helpers are those of the director, byte for byte.
 */
import { writeFileSync } from "node:fs";
import { helpers } from "../helpers/index.ts";
import { bind } from "./replay/bindings.ts";
import { directorText } from "./replay/director/records.ts";
import type { ThroughDirector } from "./replay/director/through.ts";
import { inert } from "./replay/escape.ts";
import { type FrameSink, readCapture } from "./replay/file.ts";
import type { PageBuilder } from "./replay/html/data.ts";
import { Output } from "./replay/output.ts";
import { paintFor } from "./replay/paint.ts";
import { ProgressLine } from "./replay/progress.ts";
import { addCapture, append, emptyReport, jsonText, ndjsonText, numbered, type Report } from "./replay/report.ts";
import { treeText } from "./replay/text.ts";
import { type Bindings, Tracker } from "./replay/tracker.ts";
import { wrapped } from "./replay/wrap.ts";

export interface ReplayOptions {
  readonly json?: boolean;
  readonly ndjson?: boolean;
  /** A page is written to this file. */
  readonly html?: string;
  /** The bytes, the rule and what other helpers would have done, for each announcement and each refusal. */
  readonly explain?: boolean;
  /** A director's configuration: what it would have made of the capture is printed as well. */
  readonly config?: string;
  /** Both sides of that director are written to this file. */
  readonly write?: string;
  /** `ftp=21,2121`: instead of the ports that the helper says itself. */
  readonly helper?: readonly string[];
}

/** Where the report and what goes wrong are written to. */
export interface ReplayIo {
  /** What `-` names; `process.stdin` unless it is given. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number | undefined };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
}

export const processIo = (): ReplayIo => ({ stdout: new Output(1), stderr: new Output(2) });

/** Node's standard input is not loaded before it is read. */
const stdinOf = ({ stdin }: ReplayIo): AsyncIterable<Uint8Array> => ({
  [Symbol.asyncIterator]: () => (stdin ?? process.stdin)[Symbol.asyncIterator](),
});

const OK = 0;
const USAGE = 1;
/** A file is broken, or cannot be read, or the page cannot be written. */
const BROKEN = 2;

/** Reads `files` and prints what was found. The exit status. */
export async function runReplay(files: readonly string[], options: ReplayOptions, io = processIo()): Promise<number> {
  const bindings = bind(helpers, options.helper ?? []);
  if (typeof bindings === "string") {
    io.stderr.write(`kindred replay: ${inert(bindings)}\n`);
    return USAGE;
  }
  // Loaded when asked for, as is the director: most of what takes time with a small capture is loading.
  const page = options.html === undefined ? null : new (await import("./replay/html/data.ts")).PageBuilder();
  const director = await directorFor(options);
  if (typeof director === "string") {
    io.stderr.write(`kindred replay: ${inert(director)}\n`);
    return options.config === undefined ? USAGE : BROKEN;
  }
  const print = printer(options, io);
  let controls = 0;
  let broken = false;
  for (const file of files) {
    const { capture, tracker } = await replayFile(file, bindings, director, options, io);
    const report = emptyReport(options.explain === true || page !== null);
    const found = numbered(tracker, controls);
    addCapture(report, capture, tracker, found);
    controls += found.length;
    broken ||= capture.error !== null;
    page?.add(report, tracker, found);
    print.capture(report);
    tracker.release();
  }
  print.end(director);
  await director?.close();
  const written = page === null || (await writePage(options.html!, page, io));
  return broken || !written ? BROKEN : OK;
}

/** One JSON document needs all captures; lines and trees are shown one after the other. */
function printer({ json, ndjson, explain }: ReplayOptions, { stdout }: ReplayIo) {
  const { isTTY, columns } = stdout;
  const paint = paintFor(isTTY, process.env["NO_COLOR"]);
  const all = emptyReport(explain);
  return {
    capture(report: Report): void {
      const { explanations: _, ...rest } = report;
      const shown = explain === true ? report : rest;
      if (json === true) append(all, shown);
      else stdout.write(ndjson === true ? ndjsonText(shown) : wrapped(treeText(shown, paint), columns));
    },
    end(director: ThroughDirector | null): void {
      const through = director?.report();
      if (json === true) stdout.write(jsonText(through === undefined ? all : { ...all, director: [through] }));
      else if (through !== undefined) {
        const lines = ndjson === true ? ndjsonText({ ...emptyReport(), director: [through] }) : null;
        stdout.write(lines ?? wrapped(directorText(through), columns));
      }
    },
  };
}

async function writePage(file: string, page: PageBuilder, { stderr }: ReplayIo): Promise<boolean> {
  try {
    const { pageText } = await import("./replay/html/page.ts");
    writeFileSync(file, pageText(page.data()));
    return true;
  } catch (error) {
    stderr.write(`kindred replay: ${inert(file)}: ${inert(error instanceof Error ? error.message : String(error))}\n`);
    return false;
  }
}

async function replayFile(
  file: string,
  bindings: Bindings,
  director: ThroughDirector | null,
  options: ReplayOptions,
  io: ReplayIo,
) {
  const tracker = new Tracker(bindings, helpers, options.explain === true || options.html !== undefined);
  const progress = new ProgressLine(file, io.stderr);
  const { capture, unread } = await readCapture(
    file,
    stdinOf(io),
    shownTo(tracker, director),
    // The clock is loaded where somebody looks at it.
    io.stderr.isTTY === true ? (read, size) => progress.show(read, size, performance.now()) : () => {},
  );
  progress.clear();
  const say = (text: string) => io.stderr.write(`kindred replay: ${inert(file)}: ${inert(text)}\n`);
  if (capture.error !== null) say(capture.error);
  for (const [name, frames] of unread) say(`${frames} frames of link type ${name} are counted, not read`);
  return { capture, tracker };
}

/** null: no director is asked for. A text: why there is none. */
async function directorFor({ config, write }: ReplayOptions): Promise<ThroughDirector | string | null> {
  if (config === undefined) return write === undefined ? null : "--write needs --config: whose sides would be written?";
  // Loaded when asked for: the configuration's library takes longer to load than a small capture to read.
  const { ThroughDirector } = await import("./replay/director/through.ts");
  return ThroughDirector.from(config, write ?? null);
}

const shownTo = (tracker: Tracker, director: ThroughDirector | null): FrameSink =>
  director === null
    ? tracker
    : {
        get limit() {
          return tracker.limit;
        },
        frame(frame, number) {
          tracker.frame(frame, number);
          director.frame(frame, number);
        },
        end() {
          tracker.end();
          director.end();
        },
      };
