/** How long something took, as Prometheus counts it: how many took no longer than each of some bounds. */
import type { Ms } from "../core/units.ts";

/** In seconds: from what a few lines take to what a connection does that is nearly given up. */
const BOUNDS: readonly number[] = [
  ...[0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025],
  ...[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
];

export interface Histogram {
  /** `[bound in seconds, how many took no longer]`, ascending; the last bound is Infinity. */
  readonly buckets: readonly (readonly [bound: number, count: number])[];
  /** Seconds, all together. */
  readonly sum: number;
}

export class Durations {
  /** How many took no longer than a bound, and longer than the one before; the last: than all. */
  readonly #counts = new Float64Array(BOUNDS.length + 1);
  #sum = 0;

  took(time: Ms): void {
    const seconds = time / 1000;
    let i = 0;
    while (i < BOUNDS.length && seconds > BOUNDS[i]!) i++;
    this.#counts[i]!++;
    this.#sum += seconds;
  }

  get histogram(): Histogram {
    let count = 0;
    const buckets = [...BOUNDS, Number.POSITIVE_INFINITY].map((bound, i) => {
      count += this.#counts[i]!;
      return [bound, count] as const;
    });
    return { buckets, sum: this.#sum };
  }
}
