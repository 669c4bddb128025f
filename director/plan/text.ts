/** A plan as a shell script with comments, host by host, or as one JSON document. */
import type { Plan } from "./plan.ts";
import { type Command, DIRECTOR, type HostName, type Step } from "./step.ts";
import { TOPOLOGIES } from "./wish.ts";

const HEREDOC = "NFT";

/** What a POSIX shell reads as this one word. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;

/** As it can be pasted into a shell. */
export function commandText({ argv, input }: Command): string {
  const line = argv.map(quoted).join(" ");
  return input === undefined ? line : `${line} <<'${HEREDOC}'\n${input}${HEREDOC}`;
}

export function planText(plan: Plan): string {
  const about =
    plan.topology === null ? "each realserver by its own method" : `${plan.topology}: ${TOPOLOGIES[plan.topology]}`;
  const head = [`# ${about}`, ...plan.notes.map((note) => `# note: ${note}`)];
  return (
    [head.join("\n"), ...hostsOf(plan.steps).map((host) => hostText(host, stepsOn(plan.steps, host)))].join("\n\n") +
    "\n"
  );
}

export const hostsOf = (steps: readonly Step[]): HostName[] => [...new Set(steps.map(({ host }) => host))];

const stepsOn = (steps: readonly Step[], host: HostName): Step[] => steps.filter((step) => step.host === host);

function hostText(host: HostName, steps: readonly Step[]): string {
  const title = `## ${host === DIRECTOR ? "The director" : `Realserver ${host}`}`;
  const runs = steps.map(({ why, run }) => `# ${why}\n${commandText(run)}`);
  const undo = steps.toReversed().flatMap(undoText);
  return [title, ...runs, ["# Taken back, last first (--undo):", ...undo].join("\n")].join("\n\n");
}

/** Commented out, so that the script can be run as a whole. */
function undoText({ undo, keeps }: Step): string[] {
  if (keeps !== undefined) return [`#   sysctl -q -w ${keeps}=<what it was>`];
  if (undo === null) return [];
  return commandText(undo)
    .split("\n")
    .map((line) => `#   ${line}`);
}

export const planJson = (plan: Plan): string => `${JSON.stringify(plan, null, 2)}\n`;
