/**
 * `kindred fuzz`: inputs on which a helper might misread, open a hole, lose step, stall or grow. Everything that it says
 * is made from a seed; what it finds is made small, kept, and can be had again.
 */
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Command } from "commander";
import type { Helper } from "../core/helper/api.ts";
import { helpers } from "../helpers/index.ts";
import type { Dialogue } from "./fuzz/generate/ftp/model.ts";
import { spoken } from "./fuzz/generate/others/index.ts";
import { runAgainstKernel } from "./fuzz/kernel/command.ts";
import { brokenCopy } from "./fuzz/mutants/broken.ts";
import { captured } from "./fuzz/run/captured.ts";
import type { Finding, Input, Kind } from "./fuzz/run/inputs.ts";
import { CorpusFolder, keep } from "./fuzz/run/keep.ts";
import { progressText, type Summary, summaryText, workIn } from "./fuzz/run/show.ts";
import { type State, type WatchOptions, watch } from "./fuzz/run/watch.ts";
import { runClient, runServe, type ServeOptions } from "./fuzz/serve/command.ts";
import { FOUND, type Io, OK, refuse, showProgress, tell, untilStopped } from "./fuzz/terminal.ts";
import { runAgainstTshark } from "./fuzz/tshark/command.ts";

export interface FuzzOptions extends ServeOptions {
  readonly seconds?: number;
  /** Stops after so many. */
  readonly executions?: number;
  readonly seed?: number;
  /** `KIND/NUMBER`: this one and no other. */
  readonly only?: string;
  /** A capture of a finding, to be held again. */
  readonly replay?: string;
  /** No dialogues. */
  readonly lines?: boolean;
  /** False: V8's coverage is not looked at. It never is with lines alone. */
  readonly coverage?: boolean;
  /** Where the corpus is kept; without it, it begins and ends with the run. */
  readonly corpus?: string;
  /** Where findings are kept. */
  readonly findings?: string;
  /** Seconds that one input may take. */
  readonly patience?: number;
  /** A copy with a known bug instead of the helper. */
  readonly mutant?: string;
  /** `kernel` (nf_conntrack_ftp) or `tshark` beside the helper, instead of the helper by itself. */
  readonly against?: string;
}

const SECONDS = 10;
const PATIENCE = 10;
const FINDINGS = join(".kindred-fuzz", "findings");
const MOST_FINDINGS = 20;
const FTP = "ftp";
const KINDS: readonly string[] = ["dialogue", "wild"] satisfies Kind[];
/** What the build made: this file is in it. */
const BUILT = resolve(import.meta.dirname, "..");
/** See rollup.config.js. */
const WHOLE = join(BUILT, "tools", "fuzz", "run", "whole.js");

/** Of the package that this is part of, built or not. */
function version(): string {
  const inside = join(BUILT, "package.json");
  const file = existsSync(inside) ? inside : join(BUILT, "..", "package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

/** What is done with the kernel, or with a middlebox; null: the helper is held by itself. */
function withPeers(options: FuzzOptions, io: Io): Promise<number> | null {
  if (options.against === "tshark") return runAgainstTshark(options, version(), io);
  if (options.against === "kernel") return runAgainstKernel(options, version(), io);
  if (options.against !== undefined) return Promise.resolve(noPeer(options.against, io));
  if (options.serve !== undefined) return runServe(options, io);
  return options.client === undefined ? null : runClient(options, io);
}

const noPeer = (name: string, io: Io): number =>
  refuse(io, "kindred fuzz --against", `nothing to hold against: "${name}"; there are kernel and tshark`);

/** The exit status. */
export async function runFuzz(name: string, options: FuzzOptions, io: Io): Promise<number> {
  const peers = name === FTP ? withPeers(options, io) : null;
  if (peers !== null) return peers;
  const asked = await askedFor(name, options);
  if (typeof asked === "string") return refuse(io, "kindred fuzz", asked);
  const broken = options.mutant === undefined ? null : await brokenCopy(options.mutant, BUILT);
  try {
    const seed = options.seed ?? Date.now() % 2 ** 31;
    const state = await run({ ...asked, seed, root: broken?.folder ?? BUILT }, options, io);
    const kept = await keepAll(state.findings, asked.helper, options);
    const summary = summaryOf(name, seed, state);
    tell(io, options.json, summary, () => summaryText(summary, kept));
    return state.findings.length === 0 ? OK : FOUND;
  } finally {
    await broken?.remove();
  }
}

interface Asked {
  readonly helper: Helper;
  readonly only: Input | null;
  readonly held: readonly Dialogue[] | null;
}

/** A text: what is wrong with it. */
async function askedFor(name: string, { only, replay }: FuzzOptions): Promise<Asked | string> {
  const helper = helpers.find((one) => one.name === name);
  if (helper === undefined) return `no fuzzer for "${name}"; there is ${[FTP, ...spoken].join(", ")}`;
  if (replay !== undefined) {
    const there = captured(await readFile(replay));
    if (there?.helper !== helper) return `${replay} is no capture of a finding of ${name}`;
    return { helper, only: null, held: [there.dialogue] };
  }
  if (only === undefined) return { helper, only: null, held: null };
  const kinds = name === FTP ? ["lines", ...KINDS] : KINDS;
  const input = chosen(only, kinds);
  return input === null
    ? `--only is ${kinds.join(", ")} and a number: ${kinds[0]}/12`
    : { helper, only: input, held: null };
}

function chosen(text: string, kinds: readonly string[]): Input | null {
  const [kind, number] = text.split("/") as [string, string?];
  return kinds.includes(kind) && /^\d{1,15}$/.test(number ?? "") ? [kind as Kind, Number(number)] : null;
}

async function run(
  { helper, only, held, seed, root }: Asked & { seed: number; root: string },
  options: FuzzOptions,
  io: Io,
): Promise<State> {
  let stopped = false;
  const stop = (): void => {
    stopped = true;
  };
  const corpus = options.corpus === undefined ? null : new CorpusFolder(helper, options.corpus);
  const writing: Promise<void>[] = [];
  const unlimited = Number.POSITIVE_INFINITY;
  const onlyLines = options.lines === true;
  const guided = options.coverage !== false && !onlyLines;
  const executions = options.executions ?? unlimited;
  let shown = 0;
  const whole = onlyLines && options.mutant === undefined && existsSync(WHOLE);
  const plan = { helper: helper.name, seed, onlyLines, whole, guided, only, held, executions };
  const watching: WatchOptions = {
    plan: { ...plan, corpus: (await corpus?.read()) ?? [] },
    root,
    seconds: options.seconds ?? (options.executions === undefined ? SECONDS : unlimited),
    findings: options.mutant === undefined ? MOST_FINDINGS : 1,
    patience: options.patience ?? PATIENCE,
    stopped: () => stopped,
    joined: (entry) => corpus && writing.push(corpus.add(entry)),
    dropped: (name) => corpus && writing.push(corpus.remove(name)),
    show: (now) => {
      if (now.milliseconds - shown < 250) return;
      shown = now.milliseconds;
      showProgress(io, progressText(now));
    },
  };
  const state = await untilStopped(stop, () => watch(watching));
  showProgress(io, "");
  await Promise.all(writing);
  return state;
}

/** Captures of them. */
async function keepAll(all: readonly Finding[], helper: Helper, { findings, mutant }: FuzzOptions): Promise<string[]> {
  if (mutant !== undefined && findings === undefined) return [];
  const folder = findings ?? FINDINGS;
  return Promise.all(all.map(async (finding) => join(folder, await keep(finding, helper, folder))));
}

function summaryOf(helper: string, seed: number, { figures, findings, corpus, milliseconds }: State): Summary {
  const seconds = Math.round(milliseconds / 10) / 100;
  const { executions, distinct, dialogues, reached, known } = figures;
  return {
    helper,
    version: version(),
    node: process.version,
    seed,
    executions,
    distinct,
    dialogues,
    seconds,
    executionsPerSecond: Math.round(executions / Math.max(0.01, seconds)),
    work: workIn(figures),
    coverage: known === 0 ? null : { reached, known, corpus },
    findings,
  };
}

const whole = (text: string): number => {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw new Error(`not a whole number: ${text}`);
  return number;
};

/** The command `fuzz`, for the command line to add. */
export function fuzzCommand(io: Io = process): Command {
  return new Command("fuzz")
    .description("make inputs on which a helper might misread, open a hole, lose step, stall or grow")
    .argument("<helper>", [FTP, ...spoken].join(", "))
    .option("--seconds <n>", `how long (${SECONDS})`, whole)
    .option("--executions <n>", "how many single-line replies or messages, however long it takes", whole)
    .option("--seed <n>", "of everything that is said; the time of day unless it is given", whole)
    .option("--lines", "single-line replies only, several times as fast, and without a look at coverage")
    .option("--no-coverage", "no look at coverage: faster, and nothing is bred from what reaches something new")
    .option("--only <kind/number>", "one session of lines (FTP), dialogue or wild dialogue: wild/12")
    .option("--replay <file>", "the capture of a finding again")
    .option("--corpus <folder>", "keeps what reaches something new there, and begins with it the next time")
    .option("--findings <folder>", `where findings are kept (${FINDINGS})`)
    .option("--patience <seconds>", `how long one input may take (${PATIENCE})`, whole)
    .option("--mutant <name>", "a copy of the helper with a known bug instead, to see it found")
    .option(
      "--against <peer>",
      "kernel: the same dialogues through nf_conntrack_ftp in network namespaces (root); tshark: through its dissector",
    )
    .option("--serve <port>", "a hostile FTP server, to test what is between it and its client", whole)
    .option("--bind <address>", "of that server (127.0.0.1)")
    .option("--i-know", "lets it bind to other addresses than loopback")
    .option("--client <host:port>", "the client of such a server: what was opened between the two")
    .option("--json", "the summary as one JSON document")
    .addHelpText("after", "\nExit status: 0, 1 when something was found, 2 when asked for what there is not.")
    .action(async (helper: string, options: FuzzOptions) => {
      process.exitCode = await runFuzz(helper, options, io);
    });
}
