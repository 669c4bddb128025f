/**
 * npm run lab -- [SCENARIO...] [--list] [--jobs N] [--again] [--json]: scenarios in network namespaces. Status 1 when one
 * does not hold.
 */
import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { type Outcome, outcomeLine, runAgain, runScenario } from "./runner.ts";
import { endSandboxesOnSignal } from "./sandbox.ts";
import type { Scenario } from "./scenario.ts";
import { scenarios } from "./scenarios/index.ts";

/** Those named, or whose names begin so: `ftp-vsftpd-curl` is all of curl's. */
function selected(names: readonly string[]): readonly Scenario[] {
  for (const name of names) {
    if (!scenarios.some((scenario) => scenario.name.startsWith(name))) {
      program.error(`no scenario is named ${name}; --list names them`, { exitCode: 2 });
    }
  }
  if (names.length === 0) return scenarios;
  return scenarios.filter((scenario) => names.some((name) => scenario.name.startsWith(name)));
}

interface Options {
  readonly list?: boolean;
  readonly jobs: number;
  readonly again?: boolean;
  readonly json?: boolean;
}

/** `jobs` at a time, then those that bear no other beside them; lines in the order in which they end. */
async function runAll(chosen: readonly Scenario[], { jobs, again, json }: Options): Promise<boolean> {
  const outcomes = new Map<Scenario, Outcome>();
  const print = (outcome: Outcome): void => {
    if (!json) console.log(outcomeLine(outcome));
  };
  const runInTurn = async (scenarios: Iterable<Scenario>): Promise<void> => {
    for (const scenario of scenarios) {
      const outcome = await runScenario(scenario);
      outcomes.set(scenario, outcome);
      // Of those the last word comes at the end.
      if (!again || outcome.status !== "not ok") print(outcome);
      else if (!json) console.log(`again ${outcomeLine(outcome)}`);
    }
  };
  // One iterator for all: each takes the next that nobody has begun.
  const beside = chosen.filter(({ alone }) => !alone).values();
  await Promise.all(Array.from({ length: jobs }, () => runInTurn(beside)));
  await runInTurn(chosen.filter(({ alone }) => alone));
  if (again) {
    for await (const [scenario, outcome] of runAgain(outcomes)) {
      outcomes.set(scenario, outcome);
      print(outcome);
    }
  }
  const ordered = chosen.map((scenario) => outcomes.get(scenario)!);
  if (json) console.log(JSON.stringify({ scenarios: ordered }, null, 2));
  return ordered.every(({ status }) => status !== "not ok");
}

function jobCount(text: string): number {
  const jobs = Number(text);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > 16) throw new InvalidArgumentError("a number from 1 to 16.");
  return jobs;
}

const program = new Command("npm run lab --")
  .description("scenarios in network namespaces that they make and remove; needs root")
  .argument("[scenario...]", "names, or how several names begin")
  .option("--jobs <n>", "scenarios at a time", jobCount, Math.min(availableParallelism(), 4))
  .option("--list", "name the scenarios and what they show")
  .option("--again", "run once more, alone, what did not hold; the line of one that holds then says UNSTEADY")
  .option("--json", "one JSON document instead of a line for each scenario")
  .action(async (names: string[], options: Options) => {
    const { list, json } = options;
    const chosen = selected(names);
    if (list) {
      if (json)
        console.log(
          JSON.stringify({ scenarios: chosen.map(({ name, about, needs }) => ({ name, about, needs })) }, null, 2),
        );
      else for (const { name, about } of chosen) console.log(`${name.padEnd(32)} ${about}`);
      return;
    }
    endSandboxesOnSignal();
    if (!(await runAll(chosen, options))) process.exitCode = 1;
  });
await program.parseAsync();
