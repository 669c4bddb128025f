import type { Sandbox } from "./sandbox.ts";

/** One thing shown in network namespaces of its own. */
export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** Programs that must be installed. */
  readonly needs: readonly string[];
  /** It measures time or rates: no other scenario runs beside it. */
  readonly alone?: true;
  /** Throws when it does not hold; returns what was seen, in a few words. What it makes is undone by the runner. */
  run(sandbox: Sandbox): Promise<string>;
}

/**
 * A peer did what it also does, now and then, without a director: nothing was shown, for it or against it. The runner
 * runs the scenario once more, and its line says so.
 */
export class Inconclusive extends Error {}
