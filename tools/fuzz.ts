/**
 * `kindred fuzz`: inputs on which a helper might misread, open a hole, lose step, stall or grow. Everything that it says
 * is made from a seed; what it finds is made small, kept, and can be had again.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { helpers } from "../helpers/index.ts";
import { spoken } from "./fuzz/generate/messages.ts";
import { runAgainstKernel } from "./fuzz/kernel/command.ts";
import { brokenCopy } from "./fuzz/mutants/broken.ts";
import type { Finding, Kind } from "./fuzz/run/campaign.ts";
import * as own from "./fuzz/run/campaign.ts";
import { Distinct } from "./fuzz/run/distinct.ts";
import { keep, smallest } from "./fuzz/run/keep.ts";
import { type Fuzzer, runLoop, type State } from "./fuzz/run/loop.ts";
import { MessageCampaign } from "./fuzz/run/messages.ts";
import { progressText, type Summary, summaryText } from "./fuzz/run/show.ts";
import { runClient, runServe, type ServeOptions } from "./fuzz/serve/command.ts";

export interface FuzzOptions extends ServeOptions {
  readonly seconds?: number;
  /** Stops after so many. */
  readonly executions?: number;
  readonly seed?: number;
  /** `KIND/NUMBER`: this one and no other. */
  readonly only?: string;
  /** No dialogues. */
  readonly lines?: boolean;
  /** Where findings are kept. */
  readonly corpus?: string;
  /** A copy with a known bug instead of the helper. */
  readonly mutant?: string;
  /** `kernel`: nf_conntrack_ftp beside the helper, instead of the helper by itself. */
  readonly against?: string;
}

export interface FuzzIo {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
}

const OK = 0;
const FOUND = 1;
const USAGE = 2;
const SECONDS = 10;
const CORPUS = ".kindred-fuzz";
const MOST_FINDINGS = 20;
const FTP = "ftp";
const KINDS: readonly string[] = ["lines", "dialogue", "wild"] satisfies Kind[];
/** What the build made: this file is in it. */
const BUILT = resolve(import.meta.dirname, "..");

/** Of the package that this is part of, built or not. */
function version(): string {
  const inside = join(BUILT, "package.json");
  const file = existsSync(inside) ? inside : join(BUILT, "..", "package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

/** What is done with the kernel, or with a middlebox; null: the helper is held by itself. */
function withPeers(options: FuzzOptions, io: FuzzIo): Promise<number> | null {
  if (options.against !== undefined) return runAgainstKernel(options, version(), io);
  if (options.serve !== undefined) return runServe(options, io);
  return options.client === undefined ? null : runClient(options, io);
}

/** The exit status. */
export async function runFuzz(helper: string, options: FuzzOptions, io: FuzzIo): Promise<number> {
  const peers = helper === FTP ? withPeers(options, io) : null;
  if (peers !== null) return peers;
  const only = options.only === undefined ? null : chosen(options.only, helper);
  const problem = problemWith(helper, only);
  if (problem !== null) {
    io.stderr.write(`kindred fuzz: ${problem}\n`);
    return USAGE;
  }
  const broken = options.mutant === undefined ? null : await brokenCopy(options.mutant, BUILT);
  try {
    const seed = options.seed ?? Date.now() % 2 ** 31;
    const distinct = new Distinct();
    const fuzzer = fuzzerOf(helper, seed, options, distinct, broken?.campaign ?? own);
    const state = only === null ? await loop(fuzzer, options, io) : one(fuzzer, only as Chosen);
    const findings = broken === null ? state.findings.map(smallest) : state.findings;
    const kept = await keepAll(findings, options);
    const summary = summaryOf(helper, seed, { ...state, findings }, distinct.count);
    io.stdout.write(options.json === true ? `${JSON.stringify(summary, null, 1)}\n` : summaryText(summary, kept));
    return findings.length === 0 ? OK : FOUND;
  } finally {
    await broken?.remove();
  }
}

/** What it can run, one by one. */
interface Numbered extends Fuzzer {
  only(kind: Kind, number: number): Finding | null;
}

function fuzzerOf(
  helper: string,
  seed: number,
  { lines }: FuzzOptions,
  distinct: Distinct,
  { Campaign }: typeof own,
): Numbered {
  const each = (bytes: Uint8Array, length: number): void => distinct.add(bytes, length);
  if (helper === FTP) return new Campaign({ seed, onlyLines: lines === true, each });
  return new MessageCampaign(helpers.find(({ name }) => name === helper)!, seed, each);
}

function problemWith(helper: string, only: Chosen | "none" | null): string | null {
  if (helper !== FTP && !spoken.includes(helper)) {
    return `no fuzzer for "${helper}"; there is ${[FTP, ...spoken].join(", ")}`;
  }
  return only === "none" ? `--only is ${kindsOf(helper).join(", ")} and a number: ${kindsOf(helper)[0]}/12` : null;
}

const kindsOf = (helper: string): readonly string[] => (helper === FTP ? KINDS : ["messages"]);

type Chosen = readonly [kind: Kind, number: number];

function chosen(text: string, helper: string): Chosen | "none" {
  const [kind, number] = text.split("/") as [string, string?];
  if (!kindsOf(helper).includes(kind) || !/^\d{1,15}$/.test(number ?? "")) return "none";
  return [kind as Kind, Number(number)];
}

function one(fuzzer: Numbered, [kind, number]: Chosen): State {
  const found = fuzzer.only(kind, number);
  return { fuzzer, findings: found === null ? [] : [found], milliseconds: 0 };
}

async function loop(fuzzer: Fuzzer, options: FuzzOptions, { stderr }: FuzzIo): Promise<State> {
  let stopped = false;
  const stop = (): void => {
    stopped = true;
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const unlimited = Number.POSITIVE_INFINITY;
  const limits = {
    seconds: options.seconds ?? (options.executions === undefined ? SECONDS : unlimited),
    executions: options.executions ?? unlimited,
    findings: options.mutant === undefined ? MOST_FINDINGS : 1,
  };
  let shown = 0;
  const state = await runLoop(fuzzer, limits, {
    now: () => performance.now(),
    stopped: () => stopped,
    show: (now) => {
      if (stderr.isTTY !== true || now.milliseconds - shown < 250) return;
      shown = now.milliseconds;
      stderr.write(`\r\u001b[K${progressText(now, null)}`);
    },
  });
  if (stderr.isTTY === true) stderr.write("\r\u001b[K");
  process.removeListener("SIGINT", stop).removeListener("SIGTERM", stop);
  return state;
}

/** Names of the files, without their endings. */
async function keepAll(findings: readonly Finding[], { corpus, mutant }: FuzzOptions): Promise<string[]> {
  if (mutant !== undefined) return [];
  const folder = join(corpus ?? CORPUS, "findings");
  return Promise.all(findings.map(async (finding) => join(folder, await keep(finding, folder))));
}

function summaryOf(helper: string, seed: number, { fuzzer, findings, milliseconds }: State, distinct: number): Summary {
  const seconds = Math.round(milliseconds / 10) / 100;
  return {
    helper,
    version: version(),
    node: process.version,
    seed,
    executions: fuzzer.executions,
    distinct,
    dialogues: fuzzer.dialogues,
    seconds,
    executionsPerSecond: Math.round(fuzzer.executions / Math.max(0.01, seconds)),
    coverage: null,
    findings,
  };
}

const whole = (text: string): number => {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw new Error(`not a whole number: ${text}`);
  return number;
};

/** The command `fuzz`, for the command line to add. */
export function fuzzCommand(io: FuzzIo = process): Command {
  return new Command("fuzz")
    .description("make inputs on which a helper might misread, open a hole, lose step, stall or grow")
    .argument("<helper>", [FTP, ...spoken].join(", "))
    .option("--seconds <n>", `how long (${SECONDS})`, whole)
    .option("--executions <n>", "how many single-line replies, however long it takes", whole)
    .option("--seed <n>", "of everything that is said; the time of day unless it is given", whole)
    .option("--lines", "single-line replies only, several times as fast")
    .option("--only <kind/number>", "one session of lines, dialogue or wild dialogue: lines/12")
    .option("--corpus <folder>", "where findings are kept", CORPUS)
    .option("--mutant <name>", "a copy of the helper with a known bug instead, to see it found")
    .option("--against <peer>", "kernel: the same dialogues through nf_conntrack_ftp in network namespaces (root)")
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
