/** `kindred plan`: the commands that set up director and realservers; printed, run, or taken back. */
import { Command } from "commander";
import { type Config, ConfigError, formatConfigError, loadConfig } from "../config.ts";
import { applySteps, type Result, resultText, undoSteps } from "./apply.ts";
import { execute, RecordedSettings, recordFile, thisHost } from "./host.ts";
import { type Plan, planFor } from "./plan.ts";
import { DIRECTOR, type HostName } from "./step.ts";
import { hostsOf, planJson, planText } from "./text.ts";
import { ACCEPTS, MARKS, readWish, TOPOLOGIES, type WishTexts } from "./wish.ts";

const FAILED = 1;
const WRONG_INPUT = 2;

interface PlanOptions extends WishTexts {
  readonly host?: string;
  readonly apply?: boolean;
  readonly undo?: boolean;
  readonly json?: boolean;
}

const several = (value: string, previous: readonly string[] = []): string[] => [...previous, value];

const listed = (known: Readonly<Record<string, string>>): string =>
  Object.entries(known)
    .map(([name, about]) => `  ${name.padEnd(14)} ${about}`)
    .join("\n");

export function planCommand(): Command {
  return new Command("plan")
    .description("the commands that set up the director and each realserver: printed, run here, or taken back")
    .argument("[config]", "the configuration file", "kindred.yaml")
    .option("--topology <name>", "see below; default: each realserver by its own method")
    .option(
      "--host <host>",
      "director, a realserver's address, or all; default: all, with --apply and --undo this host",
    )
    .option("--apply", "run those of this host (root); what is as it should be is left alone")
    .option("--undo", "take them back, last first")
    .option("--json", "the plan as one JSON document")
    .option("--vip <where>", "director or nowhere: whether the director has the VIP as an address")
    .option("--front <device>", "the director's device towards the clients")
    .option("--gateway <address>", "the director's address towards the realservers (repeatable: IPv4, IPv6)", several)
    .option("--accept <how>", "how a realserver takes connections to the VIP; see below (default: lo)")
    .option("--replies <way>", "direct, or by the director, so that helpers read them (default: direct)")
    .option("--one-network", "clients are on the realservers' own network: replies to them go by the director too")
    .option("--rate <rate>", "what the device can send, as in 100mbit")
    .option("--share <service=percent>", "of the rate (repeatable)", several)
    .option("--mark <service=mark>", `its replies are marked: ${Object.keys(MARKS).join(", ")} (repeatable)`, several)
    .addHelpText("after", `\nTopologies:\n${listed(TOPOLOGIES)}\n\n--accept:\n${listed(ACCEPTS)}`)
    .action(async (file: string, options: PlanOptions) => {
      process.exitCode = await plan(file, options);
    });
}

async function plan(file: string, options: PlanOptions): Promise<number> {
  const wish = readWish(options);
  if (Array.isArray(wish)) return complain(wish);
  const { apply, undo, json } = options;
  if (apply === true && undo === true) return complain(["--apply and --undo at once; write one of the two"]);
  let config: Config;
  try {
    config = await loadConfig(file, { path: wish.vip === "director" ? "socket" : "tun" });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${formatConfigError(error)}\n`);
    return WRONG_INPUT;
  }
  const planned = planFor(config, wish);
  if (Array.isArray(planned)) return complain(planned);
  const chosen = choose(planned, options.host, apply === true || undo === true);
  if (typeof chosen === "string") return complain([chosen]);
  if (apply === true || undo === true) return change(chosen, undo === true);
  process.stdout.write(json === true ? planJson(chosen) : planText(chosen));
  return 0;
}

function complain(problems: readonly string[]): number {
  for (const problem of problems) process.stderr.write(`kindred plan: ${problem}\n`);
  return WRONG_INPUT;
}

/** The steps of the hosts that are asked for, or why there are none. */
function choose(whole: Plan, host: string | undefined, here: boolean): Plan | string {
  const hosts = hostsOf(whole.steps);
  if (host === "all" && here) return "--host all: only this host's commands can be run; write director or an address";
  let wanted: readonly HostName[] = hosts;
  if (host !== undefined && host !== "all") {
    if (!hosts.includes(host)) return `--host: nothing is to be done on "${host}"; there are ${hosts.join(", ")}`;
    wanted = [host];
  } else if (here) wanted = thisHost(hosts);
  return { ...whole, steps: whole.steps.filter((step) => wanted.includes(step.host)) };
}

async function change({ steps }: Plan, back: boolean): Promise<number> {
  if (process.getuid?.() !== 0)
    return complain(["changing a host's network needs root; without --apply and --undo it is printed"]);
  if (steps.length === 0)
    return complain([`nothing is to be done here; --host ${DIRECTOR} or an address says which host this is`]);
  const before = await RecordedSettings.from(await recordFile());
  const results: readonly Result[] = back
    ? await undoSteps(steps, execute, before)
    : await applySteps(steps, execute, before);
  for (const result of results) process.stdout.write(`${resultText(result)}\n`);
  return results.some(({ outcome }) => outcome === "failed") ? FAILED : 0;
}
