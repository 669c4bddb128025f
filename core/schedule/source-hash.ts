/**
 * `sh`: the client's address decides. Weighted rendezvous hashing (Thaler and Ravishankar, "Using Name-Based Mappings to
 * Increase Hit Rates", 1998; weights as in Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", 2005): each
 * candidate scores the client, the highest score wins. ip_vs_sh.c deals 256 buckets to the list in order, so a
 * realserver that comes or goes moves nearly every client; here it moves only the clients it wins or had, and a
 * realserver that is down loses its clients to all others by their weights, and gets the same ones back.
 */
import { type Candidate, eligible, type Scheduler, type SchedulingKey } from "./candidate.ts";
import { hashAddress, hashText, hashWord } from "./hash.ts";

/** Who is scheduled, as 32 bits. */
export const hashClient = (seed: number, { client, text }: SchedulingKey): number =>
  text === undefined ? hashAddress(seed, client) : hashText(seed, text);

/** Hashes of the candidates' keys, in order. */
export const hashKeys = (seed: number, candidates: readonly Candidate[]): number[] =>
  candidates.map(({ key }) => hashText(seed, key));

/** The eligible candidate that scores `client` highest; `hashes` are those of the candidates' keys. -1: none. */
export function rendezvous(candidates: readonly Candidate[], hashes: readonly number[], client: number): number {
  let best = -1;
  let bestScore = 0;
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index]!;
    if (!eligible(candidate)) continue;
    // -ln of a uniform number in (0, 1), over the weight, is exponential at rate `weight`: the least of several is each
    // one's with probability weight / sum. The score is its reciprocal.
    const uniform = (hashWord(hashes[index]!, client) + 0.5) / 0x1_0000_0000;
    const score = -candidate.weight / Math.log(uniform);
    // Of equal scores the key decides, not the place in the list.
    if (score > bestScore || (score === bestScore && candidate.key < candidates[best]!.key)) {
      best = index;
      bestScore = score;
    }
  }
  return best;
}

export class SourceHash implements Scheduler {
  readonly name = "sh";
  readonly #seed: number;
  #hashes: readonly number[] = [];

  constructor(seed: number) {
    this.#seed = seed;
  }

  pick(candidates: readonly Candidate[], key: SchedulingKey): number {
    if (candidates.length !== this.#hashes.length) this.update(candidates);
    return rendezvous(candidates, this.#hashes, hashClient(this.#seed, key));
  }

  update(candidates: readonly Candidate[]): void {
    this.#hashes = hashKeys(this.#seed, candidates);
  }
}
