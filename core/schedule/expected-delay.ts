/** `sed` and `nq`: who will answer first, by connections and weight (ip_vs_sed.c, ip_vs_nq.c). */
import { type Candidate, eligible, type Scheduler } from "./candidate.ts";

export class ShortestExpectedDelay implements Scheduler {
  readonly name = "sed";

  pick(candidates: readonly Candidate[]): number {
    return soonest(candidates);
  }

  update(): void {} // Nothing is remembered.
}

/** Nobody waits while another is idle; else as `sed`. */
export class NeverQueue implements Scheduler {
  readonly name = "nq";

  pick(candidates: readonly Candidate[]): number {
    const idle = candidates.findIndex((candidate) => eligible(candidate) && candidate.active === 0);
    return idle >= 0 ? idle : soonest(candidates);
  }

  update(): void {}
}

/** The least (active + 1) / weight, the first of equals; compared without division. */
function soonest(candidates: readonly Candidate[]): number {
  let best = -1;
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index]!;
    if (!eligible(candidate)) continue;
    const least = candidates[best];
    if (least === undefined || (candidate.active + 1) * least.weight < (least.active + 1) * candidate.weight) {
      best = index;
    }
  }
  return best;
}
