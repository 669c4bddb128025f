/** `fo` and `ovf`: the weightiest realserver, until it is down or full (ip_vs_fo.c, ip_vs_ovf.c). */
import { type Candidate, eligible, type Scheduler } from "./candidate.ts";

/** All go to one; another serves only when that is not available. */
export class FailOver implements Scheduler {
  readonly name = "fo";

  pick(candidates: readonly Candidate[]): number {
    return weightiest(candidates, eligible);
  }

  update(): void {} // Nothing is remembered.
}

/** A realserver has room until its connections are more than its weight; -1 when nobody has. */
export class OverFlow implements Scheduler {
  readonly name = "ovf";

  pick(candidates: readonly Candidate[]): number {
    return weightiest(candidates, (candidate) => eligible(candidate) && candidate.active <= candidate.weight);
  }

  update(): void {}
}

/** The first of equals. */
function weightiest(candidates: readonly Candidate[], may: (candidate: Candidate) => boolean): number {
  let best = -1;
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index]!;
    if (may(candidate) && (best < 0 || candidate.weight > candidates[best]!.weight)) best = index;
  }
  return best;
}
