/** The thread of a run. V8's coverage is begun before anything is loaded that it looks at. */
import { parentPort, workerData } from "node:worker_threads";
import { Coverage } from "../guide/coverage.ts";
import type { Plan } from "./plan.ts";

const plan = workerData as Plan;
const places = [`/helpers/${plan.helper}/`, "/core/inspect/"];
const coverage = plan.guided ? new Coverage((url) => places.some((place) => url.includes(place))) : null;
const { perform } = await import("./perform.ts");
perform(plan, coverage, (report) => parentPort!.postMessage(report));
coverage?.end();
