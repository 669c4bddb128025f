/** npm run lab -- [--list] [SCENARIO...] [--json]: scenarios in network namespaces. Status 1 when one does not hold. */
import { Command } from "commander";
import { type Outcome, outcomeLine, runScenario } from "./runner.ts";
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

async function runAll(chosen: readonly Scenario[], json: boolean): Promise<boolean> {
  const outcomes: Outcome[] = [];
  for (const scenario of chosen) {
    const outcome = await runScenario(scenario);
    outcomes.push(outcome);
    if (!json) console.log(outcomeLine(outcome));
  }
  if (json) console.log(JSON.stringify({ scenarios: outcomes }, null, 2));
  return outcomes.every(({ status }) => status !== "not ok");
}

const program = new Command("npm run lab --")
  .description("scenarios in network namespaces that they make and remove; needs root")
  .argument("[scenario...]", "names, or how several names begin")
  .option("--list", "name the scenarios and what they show")
  .option("--json", "one JSON document instead of a line for each scenario")
  .action(async (names: string[], { list, json }: { list?: boolean; json?: boolean }) => {
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
    if (!(await runAll(chosen, json === true))) process.exitCode = 1;
  });
await program.parseAsync();
