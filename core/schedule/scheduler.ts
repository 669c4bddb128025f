/** The schedulers by name. */
import type { Scheduler, SchedulerName } from "./candidate.ts";
import { NeverQueue, ShortestExpectedDelay } from "./expected-delay.ts";
import { FailOver, OverFlow } from "./highest-weight.ts";
import { LeastConnections, WeightedLeastConnections } from "./least-connections.ts";
import { Maglev } from "./maglev.ts";
import { RoundRobin } from "./round-robin.ts";
import { SourceHash } from "./source-hash.ts";
import { WeightedRoundRobin } from "./weighted-round-robin.ts";

export { type Candidate, type Scheduler, type SchedulerName, type SchedulingKey, schedulerNames } from "./candidate.ts";

/**
 * A scheduler of its own for each service. `seed`: an unsigned 32-bit number for those that hash; directors that must
 * choose alike (a standby, a restart) are given the same one.
 */
export function createScheduler(name: SchedulerName, seed: number): Scheduler {
  switch (name) {
    case "rr":
      return new RoundRobin();
    case "wrr":
      return new WeightedRoundRobin();
    case "lc":
      return new LeastConnections();
    case "wlc":
      return new WeightedLeastConnections();
    case "sed":
      return new ShortestExpectedDelay();
    case "nq":
      return new NeverQueue();
    case "fo":
      return new FailOver();
    case "ovf":
      return new OverFlow();
    case "sh":
      return new SourceHash(seed);
    case "maglev":
      return new Maglev(seed);
  }
}
