/** Runs scenarios one after the other, each in a sandbox of its own. */
import { kindredIsBuilt } from "./director.ts";
import { locate } from "./process.ts";
import { inSandbox } from "./sandbox.ts";
import { Inconclusive, type Scenario } from "./scenario.ts";

export interface Outcome {
  readonly name: string;
  readonly status: "ok" | "not ok" | "skip";
  /** What was seen, what went wrong, or what it needs. */
  readonly detail: string;
  readonly seconds: number;
  /** What was wrong at first, where it held in a second run, alone. */
  readonly unsteady?: string;
}

export async function runScenario(scenario: Scenario): Promise<Outcome> {
  const { name } = scenario;
  const need = missing(scenario);
  if (need !== null) return { name, status: "skip", detail: `needs ${need}`, seconds: 0 };
  const begun = Date.now();
  const seconds = () => Math.round((Date.now() - begun) / 100) / 10;
  try {
    const detail = await runUpToTwice(scenario);
    return { name, status: "ok", detail, seconds: seconds() };
  } catch (error) {
    return {
      name,
      status: "not ok",
      detail: error instanceof Error ? error.message : String(error),
      seconds: seconds(),
    };
  }
}

/** Once, and after an inconclusive run once more: all anew, so that the second owes nothing to the first. */
export async function runUpToTwice(scenario: Scenario): Promise<string> {
  try {
    return await inSandbox((sandbox) => scenario.run(sandbox));
  } catch (first) {
    if (!(first instanceof Inconclusive)) throw first;
    try {
      return `${await inSandbox((sandbox) => scenario.run(sandbox))}; the second run, since in the first ${first.message}`;
    } catch (second) {
      if (second instanceof Error) second.message += `\nThe second run, since in the first ${first.message}`;
      throw second;
    }
  }
}

/** More that do not hold are no accident. */
const MOST_AGAIN = 3;

/** The last word on those of `outcomes` that did not hold: each is run once more, with no other beside it, if they are few. */
export async function* runAgain(
  outcomes: ReadonlyMap<Scenario, Outcome>,
  run = runScenario,
): AsyncGenerator<[Scenario, Outcome]> {
  const failed = [...outcomes].filter(([, { status }]) => status === "not ok");
  for (const [scenario, first] of failed) {
    yield [scenario, failed.length > MOST_AGAIN ? first : afterSecond(first, await run(scenario))];
  }
}

function afterSecond(first: Outcome, second: Outcome): Outcome {
  if (second.status === "skip") return first;
  if (second.status === "ok") return { ...second, unsteady: first.detail };
  return { ...second, detail: `${second.detail}\nAt first: ${first.detail}` };
}

/** What this machine lacks to run the scenario. */
function missing({ needs }: Scenario): string | null {
  if (process.platform !== "linux") return "Linux";
  if (process.getuid?.() !== 0) return "root";
  const absent = ["ip", "sysctl", ...needs].filter((program) => locate(program) === null);
  if (absent.length > 0) return absent.join(", ");
  return kindredIsBuilt() ? null : "a built kindred (npm run build)";
}

/** One line each; what a failure printed follows, indented. */
export function outcomeLine({ name, status, detail, seconds, unsteady }: Outcome): string {
  if (status === "skip") return `skip ${name}: ${detail}`;
  const told =
    unsteady === undefined ? detail : `UNSTEADY ${detail}\nOnly in a second run, alone; at first: ${unsteady}`;
  const [first, ...rest] = told.split("\n");
  const more = rest.map((line) => `\n    ${line}`).join("");
  return `${status} ${name} ${first} (${seconds} s)${more}`;
}
