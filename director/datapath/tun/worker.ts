/**
 * The thread that owns the device, the balancer and the engine. It is given an open device, so that it needs no
 * privileges; it tells the main thread what happens, and does what that one says.
 */
import { setFlagsFromString } from "node:v8";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { v8Flags } from "../../../core/engine/flags.ts";
import { loadTunCalls } from "./calls.ts";
import { unpackConfig } from "./config.ts";
import type { Command, Report, WorkerPlan } from "./messages.ts";

for (const flag of v8Flags) setFlagsFromString(flag);

const port = parentPort!;
const plan = workerData as WorkerPlan;
const tell = (report: Report): void => port.postMessage(report);

const calls = await loadTunCalls();
if (typeof calls === "string") throw new Error(calls);
const spent = calls.memory(8);

/** What the main thread said and was not heard yet; null: nothing. It says it first, and then wakes. */
const nextCommand = (): Command | null => {
  calls.read(plan.wake, spent.at, spent.bytes.length);
  const received = receiveMessageOnPort(port) as { message: Command } | undefined;
  return received?.message ?? null;
};

// After the flags: functions compiled before keep what they were compiled with.
const { Forwarder } = await import("./forwarder.ts");
const forwarder = await Forwarder.make(calls, plan, unpackConfig(plan.config), tell, nextCommand);
tell({ type: "ready" });
while (!forwarder.run()) await new Promise(setImmediate);
tell({ type: "stopped", snapshot: forwarder.snapshot() });
port.close();
