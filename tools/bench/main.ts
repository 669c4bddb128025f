/** npm run bench -- [NAME...] [--json]: how fast it is, beside others at the same work in the same run. */

import { Command, InvalidArgumentError } from "commander";
import { v8Flags } from "../../core/engine/flags.ts";
import { endSandboxesOnSignal } from "../lab/sandbox.ts";
import { bulk } from "./bulk.ts";
import { controlLines } from "./control-lines.ts";
import { engine } from "./engine.ts";
import { ftpSessions } from "./ftp-sessions.ts";
import { packet } from "./packet.ts";
import { pinning } from "./place.ts";
import { replay } from "./replay.ts";
import { machine, type Report, type Result, table } from "./report.ts";
import type { Settings } from "./rounds.ts";

type Part = (settings: Settings) => Promise<Result[]>;

/** Each a list of parts, one after the other. */
const BENCHMARKS: Readonly<Record<string, readonly Part[]>> = {
  socket: [ftpSessions, bulk, controlLines],
  engine: [engine],
  replay: [replay],
  packet: [packet],
};

async function measure(name: string, settings: Settings): Promise<Report> {
  const described = machine(pinning, name === "engine" ? v8Flags : []);
  const results: Result[] = [];
  for (const part of BENCHMARKS[name]!) results.push(...(await part(settings)));
  return { name, machine: described, results };
}

const positive = (text: string): number => {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError("a positive number is needed");
  return number;
};

interface Options {
  readonly json?: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly profile?: string;
  readonly only: string;
}

const names = Object.keys(BENCHMARKS);
const program = new Command("npm run bench --")
  .description("benchmarks beside named peers; traffic stays on loopback, or in namespaces of its own")
  .argument("[name...]", `which: ${names.join(", ")}`, names)
  .option("--json", "one JSON document for each instead of a table")
  .option("--rounds <n>", "turns of each contestant that count", positive, 3)
  .option("--seconds <n>", "length of a turn", positive, 3)
  .option("--profile <directory>", "write CPU profiles of the director there (slows it)")
  .option("--only <text>", "of packet: the cases whose name has it", "")
  .action(async (chosen: string[], { json, rounds, seconds, profile, only }: Options) => {
    const unknown = chosen.find((name) => !(name in BENCHMARKS));
    if (unknown !== undefined) program.error(`no benchmark is named ${unknown}; there is: ${names.join(", ")}`);
    endSandboxesOnSignal();
    for (const name of chosen) {
      const report = await measure(name, { rounds, seconds, profile: profile ?? null, only });
      console.log(json ? JSON.stringify(report, null, 2) : table(report));
    }
  });
await program.parseAsync();
