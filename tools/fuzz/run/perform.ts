/** Performs a plan, in the thread of the run. */
import { helpers } from "../../../helpers/index.ts";
import type { Coverage } from "../guide/coverage.ts";
import { Guided } from "../guide/guided.ts";
import { Campaign, ftp } from "./campaign.ts";
import { Distinct } from "./distinct.ts";
import type { Finding, InputOptions, Inputs } from "./inputs.ts";
import type { Spent } from "./lines.ts";
import { MessageCampaign } from "./messages.ts";
import { smallest } from "./minimise.ts";
import type { Plan, Report } from "./plan.ts";
import { Shared } from "./shared.ts";

/** How often what was read from a file is held, each time cut otherwise. */
const TIMES = 20;
/** Inputs between two looks at how long the processor has worked: each takes as long as some lines. */
const SELDOM = 64;

export function perform(plan: Plan, coverage: Coverage | null, report: (report: Report) => void): void {
  const shared = new Shared(plan.shared);
  const distinct = new Distinct(plan.distinct, shared.figure("distinct"));
  const inputs = inputsOf(plan, shared, distinct);
  const work = workOf(shared);
  const told = new Set<string>();
  const found = (finding: Finding | null): void => {
    if (finding === null || told.has(signature(finding))) return;
    told.add(signature(finding));
    report({ type: "found", finding: smallest(finding, inputs) });
  };
  const tell = (): void => {
    shared.set("executions", inputs.executions);
    shared.set("dialogues", inputs.dialogues);
    shared.set("distinct", distinct.count);
  };
  const account = (): void => {
    if (inputs instanceof Campaign) work(inputs.lines.spent);
  };
  if (plan.only !== null) found(inputs.only(...plan.only));
  else if (plan.held === null) guide(plan, { inputs, coverage, shared, found, tell, account, report });
  for (const held of plan.held ?? []) {
    for (let i = 0; i < TIMES; i++) found(inputs.hold("capture", i, held));
  }
  tell();
  account();
}

/** Keeps account of what lines cost, beside what they cost the thread before this one. */
function workOf(shared: Shared): (spent: Spent) => void {
  const parts = ["generation", "inspection", "checking"] as const;
  const before = parts.map((part) => shared.figure(part));
  const processor = shared.figure("processor");
  const begun = process.cpuUsage();
  return (spent) => {
    for (const [i, part] of parts.entries()) shared.set(part, before[i]! + spent[part]);
    const { user, system } = process.cpuUsage(begun);
    shared.set("processor", processor + (user + system) / 1000);
  };
}

/** Two findings of one property that begin alike are one. */
export const signature = ({ property, message }: Finding): string => `${property} ${message.slice(0, 24)}`;

function inputsOf({ helper, seed, onlyLines, guided }: Plan, shared: Shared, distinct: Distinct): Inputs {
  const options: InputOptions = {
    seed,
    breeds: guided,
    each: (bytes, length) => distinct.add(bytes, length),
    many: (bytes, ends, count) => {
      distinct.addAll(bytes, ends, count);
      shared.add(bytes, ends[count - 1]!);
    },
    begins: (input, dialogue) => shared.begin(input, dialogue),
  };
  const inputs =
    helper === ftp.name
      ? new Campaign({ ...options, onlyLines })
      : new MessageCampaign(helpers.find(({ name }) => name === helper)!, options);
  inputs.executions = shared.figure("executions");
  inputs.dialogues = shared.figure("dialogues");
  return inputs;
}

interface Parts {
  readonly inputs: Inputs;
  readonly coverage: Coverage | null;
  readonly shared: Shared;
  readonly found: (finding: Finding) => void;
  /** Brings the figures up to date. */
  readonly tell: () => void;
  /** What they cost, too. */
  readonly account: () => void;
  readonly report: (report: Report) => void;
}

function guide(plan: Plan, { inputs, coverage, shared, found, tell, account, report }: Parts): void {
  const guided = new Guided({
    inputs,
    coverage,
    seed: plan.seed,
    from: shared.figure("step"),
    hooks: {
      found,
      joined: (entry) => report({ type: "joined", entry }),
      dropped: (name) => report({ type: "dropped", name }),
      covered: ({ reached, known }) => {
        shared.set("reached", reached);
        shared.set("known", known);
      },
      goesOn: (step) => {
        tell();
        if (step % SELDOM === 0) account();
        if (shared.stopped || inputs.executions >= plan.executions) return false;
        // If it never returns from this one, the next begins behind it.
        shared.set("step", step + 1);
        return true;
      },
    },
  });
  guided.begin(plan.corpus);
  guided.run();
}
