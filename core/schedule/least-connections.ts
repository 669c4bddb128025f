/** `lc` and `wlc`: who has the least to do, the first of equals (ip_vs_lc.c, ip_vs_wlc.c). */
import { type Candidate, eligible, type Scheduler } from "./candidate.ts";

/** An active connection is taken to cost as much as 256 inactive ones (`ip_vs_dest_conn_overhead`). */
const overhead = ({ active, inactive }: Candidate): number => active * 256 + inactive;

export class LeastConnections implements Scheduler {
  readonly name = "lc";

  pick(candidates: readonly Candidate[]): number {
    return least(candidates, (a, b) => overhead(a) < overhead(b));
  }

  update(): void {} // Nothing is remembered.
}

export class WeightedLeastConnections implements Scheduler {
  readonly name = "wlc";

  pick(candidates: readonly Candidate[]): number {
    // overhead / weight, compared without division: exact up to 5 * 10^8 connections on one realserver.
    return least(candidates, (a, b) => overhead(a) * b.weight < overhead(b) * a.weight);
  }

  update(): void {}
}

function least(candidates: readonly Candidate[], less: (a: Candidate, b: Candidate) => boolean): number {
  let best = -1;
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index]!;
    if (eligible(candidate) && (best < 0 || less(candidate, candidates[best]!))) best = index;
  }
  return best;
}
