/** `rr`: each in turn, in the order of the list, past those that cannot be chosen (ip_vs_rr.c). */
import { type Candidate, eligible, type Scheduler } from "./candidate.ts";

export class RoundRobin implements Scheduler {
  readonly name = "rr";
  #keys: readonly string[] = [];
  /** Index of the one chosen last; -1 before the first. */
  #last = -1;

  pick(candidates: readonly Candidate[]): number {
    if (candidates.length !== this.#keys.length) this.update(candidates);
    let index = this.#last;
    for (let left = candidates.length; left > 0; left--) {
      index = index + 1 < candidates.length ? index + 1 : 0;
      if (eligible(candidates[index]!)) {
        this.#last = index;
        return index;
      }
    }
    return -1;
  }

  /** The turn goes on behind the one chosen last or, when that was removed, behind the nearest one before it. */
  update(candidates: readonly Candidate[]): void {
    const keys = candidates.map(({ key }) => key);
    let last = -1;
    for (let old = this.#last; old >= 0 && last < 0; old--) last = keys.indexOf(this.#keys[old]!);
    this.#keys = keys;
    this.#last = last;
  }
}
