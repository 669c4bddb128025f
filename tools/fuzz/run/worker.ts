/** The thread of a run. V8's coverage is begun before anything is loaded that it looks at. */
import { setFlagsFromString } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { v8Flags } from "../../../core/engine/flags.ts";
import { Coverage } from "../guide/coverage.ts";
import type { Plan } from "./plan.ts";

/**
 * Of lines. With three hosts in one process, what the engine has V8 inline is compiled for each again and again: two seconds
 * more at the beginning, and nothing is faster for it.
 */
const LINES = "--max-inlined-bytecode-size-cumulative=1500";

const plan = workerData as Plan;
for (const flag of plan.whole ? [...v8Flags, LINES] : v8Flags) setFlagsFromString(flag);
const places = [`/helpers/${plan.helper}/`, "/core/inspect/"];
const coverage = plan.guided ? new Coverage((url) => places.some((place) => url.includes(place))) : null;
const whole = "./whole.js";
const { perform } = plan.whole
  ? ((await import(whole)) as typeof import("./perform.ts"))
  : await import("./perform.ts");
perform(plan, coverage, (report) => parentPort!.postMessage(report));
coverage?.end();
