/** Runs a fuzzer until its time, its count or the user's patience is up, and keeps account. */
import { setImmediate } from "node:timers/promises";
import type { Finding } from "./campaign.ts";

export interface Fuzzer {
  readonly executions: number;
  readonly dialogues: number;
  step(): Finding | null;
}

export interface Limits {
  readonly seconds: number;
  readonly executions: number;
  /** Findings after which it stops. */
  readonly findings: number;
}

export interface State {
  readonly fuzzer: Fuzzer;
  /** Different ones. */
  readonly findings: readonly Finding[];
  /** So long it runs. */
  readonly milliseconds: number;
}

/** Between two looks at the clock, and at the user. Milliseconds. */
const SLICE = 50;

/** `now` is told in milliseconds, `show` some times a second; it stops once `stopped` says so. */
export async function runLoop(
  fuzzer: Fuzzer,
  limits: Limits,
  { now, show, stopped }: { now: () => number; show: (state: State) => void; stopped: () => boolean },
): Promise<State> {
  const begun = now();
  const findings = new Map<string, Finding>();
  for (;;) {
    const slice = now();
    while (now() - slice < SLICE && fuzzer.executions < limits.executions) {
      const found = fuzzer.step();
      if (found !== null) findings.set(signature(found), findings.get(signature(found)) ?? found);
    }
    const state = { fuzzer, findings: [...findings.values()], milliseconds: now() - begun };
    show(state);
    const over = state.milliseconds >= limits.seconds * 1000 || fuzzer.executions >= limits.executions;
    if (over || findings.size >= limits.findings || stopped()) return state;
    await setImmediate();
  }
}

/** Two findings of one property that begin alike are one. */
const signature = ({ property, message }: Finding): string => `${property} ${message.slice(0, 24)}`;
