/** Runs a plan's steps, and takes them back. What is as it should be is left alone, so both can be repeated. */

import type { Command, Step } from "./step.ts";
import { commandText } from "./text.ts";

export interface Finished {
  /** null: it could not be started. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export type Execute = (command: Command) => Promise<Finished>;

/** Values of kernel settings before a plan changed them. */
export interface Before {
  get(key: string): string | undefined;
  set(key: string, value: string): Promise<void>;
  delete(key: string): Promise<void>;
}

export type Outcome = "done" | "as it was" | "failed" | "taken back";

export interface Result {
  readonly step: Step;
  readonly outcome: Outcome;
  /** What a command that failed said. */
  readonly error: string | null;
}

/** In order. After a failure, what this call has done is taken back, and the rest is not tried. */
export async function applySteps(steps: readonly Step[], execute: Execute, before: Before): Promise<Result[]> {
  const results: Result[] = [];
  for (const step of steps) {
    const result = await applyStep(step, execute, before);
    results.push(result);
    if (result.outcome !== "failed") continue;
    const done = results.filter(({ outcome }) => outcome === "done").map((one) => one.step);
    const back = await undoSteps(done, execute, before);
    return [...results, ...back.filter(({ outcome }) => outcome !== "as it was")];
  }
  return results;
}

async function applyStep(step: Step, execute: Execute, before: Before): Promise<Result> {
  if (step.replaces === undefined && (await holds(step, execute))) return { step, outcome: "as it was", error: null };
  if (step.keeps !== undefined) {
    const { status, stdout, stderr } = await execute({ argv: ["sysctl", "-n", step.keeps] });
    if (status !== 0) return failed(step, stderr);
    if (before.get(step.keeps) === undefined) await before.set(step.keeps, stdout.trim());
  }
  // An earlier one of another kind in its place.
  if (step.undo !== null) await execute(step.undo);
  const { status, stderr } = await execute(step.run);
  return status === 0 ? { step, outcome: "done", error: null } : failed(step, stderr);
}

/** Last first; goes on after a failure, so that as little as possible stays. */
export async function undoSteps(steps: readonly Step[], execute: Execute, before: Before): Promise<Result[]> {
  const results: Result[] = [];
  for (const step of steps.toReversed()) results.push(await undoStep(step, execute, before));
  return results;
}

async function undoStep(step: Step, execute: Execute, before: Before): Promise<Result> {
  const undo = step.keeps === undefined ? step.undo : restoring(step.keeps, before);
  if (undo === null || !(await holds(step, execute))) return forgotten(step, before);
  const { status, stderr } = await execute(undo);
  if (status !== 0) return failed(step, stderr);
  await forgotten(step, before);
  return { step, outcome: "taken back", error: null };
}

/** Somebody else has changed it since, or nobody has: either way it is not ours. */
async function forgotten(step: Step, before: Before): Promise<Result> {
  if (step.keeps !== undefined) await before.delete(step.keeps);
  return { step, outcome: "as it was", error: null };
}

function restoring(key: string, before: Before): Command | null {
  const value = before.get(key);
  return value === undefined ? null : { argv: ["sysctl", "-q", "-w", `${key}=${value}`] };
}

async function holds({ check }: Step, execute: Execute): Promise<boolean> {
  const { status, stdout } = await execute({ argv: check.argv });
  return status === 0 && stdout.trim() !== "" && stdout.includes(check.shows);
}

const failed = (step: Step, stderr: string): Result => ({ step, outcome: "failed", error: stderr.trim() });

/** One line for each step; what a failed command was, and said, follows. */
export function resultText({ step, outcome, error }: Result): string {
  const line = `${outcome.padEnd(10)} ${step.host}: ${step.why}`;
  if (error === null) return line;
  return `${line}\n${indented(commandText(step.run))}\n${indented(error)}`;
}

const indented = (text: string): string => text.replace(/^/gm, "    ");
