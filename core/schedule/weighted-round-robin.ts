/**
 * `wrr`: over one cycle of sum(weights) / gcd(weights) connections each gets exactly weight / gcd, as in ip_vs_wrr.c,
 * but interleaved as nginx does it ("smooth weighted round-robin", src/http/ngx_http_upstream_round_robin.c, 2012):
 * weights 5, 1, 1 give `a a b a c a a`, where IPVS gives `a a a a a b c`. A busy realserver gets its connections spread
 * over the cycle, not in one burst; with weights in the hundreds the burst is hundreds of logins long.
 *
 * Each connection earns every candidate its weight, and the chosen one, who has the most, pays the sum of the weights.
 * So credit / sum is how many connections a candidate is owed, seldom more than one. nginx keeps credits as they
 * are when the sum changes: if a realserver of weight 60,000 goes down, credits of tens of thousands are then paid back
 * in steps of one, all to the same realserver. Here the credits are brought to the new sum first, which keeps what each
 * is owed.
 */
import { type Candidate, eligible, type Scheduler } from "./candidate.ts";

export class WeightedRoundRobin implements Scheduler {
  readonly name = "wrr";
  #keys: readonly string[] = [];
  #credits: number[] = [];
  /** The sum of weights that the credits belong to; 0 before the first choice. */
  #sum = 0;

  pick(candidates: readonly Candidate[]): number {
    if (candidates.length !== this.#keys.length) this.update(candidates);
    const sum = weightOf(candidates);
    if (sum === 0) return -1;
    this.#rescale(sum);
    const credits = this.#credits;
    let best = -1;
    for (let index = 0; index < candidates.length; index++) {
      const candidate = candidates[index]!;
      if (!eligible(candidate)) continue;
      credits[index]! += candidate.weight;
      if (best < 0 || credits[index]! > credits[best]!) best = index;
    }
    credits[best]! -= sum;
    return best;
  }

  /** Who stays keeps what he is owed; who comes is owed nothing. */
  update(candidates: readonly Candidate[]): void {
    const keys = candidates.map(({ key }) => key);
    this.#credits = keys.map((key) => this.#credits[this.#keys.indexOf(key)] ?? 0);
    this.#keys = keys;
  }

  #rescale(sum: number): void {
    if (sum === this.#sum) return;
    if (this.#sum > 0) this.#credits = this.#credits.map((credit) => (credit * sum) / this.#sum);
    this.#sum = sum;
  }
}

function weightOf(candidates: readonly Candidate[]): number {
  let sum = 0;
  for (const candidate of candidates) if (eligible(candidate)) sum += candidate.weight;
  return sum;
}
