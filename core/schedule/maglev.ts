/**
 * `maglev`: consistent hashing by a lookup table (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load
 * Balancer", NSDI 2016, §3.4). One hash and one look-up for a connection, however many realservers; loads even to about
 * a per cent while the table has at least 100 slots a realserver; when one leaves, few clients of others move.
 */
import { type Candidate, eligible, type Scheduler, type SchedulingKey } from "./candidate.ts";
import { hashText, mix } from "./hash.ts";
import { hashClient, hashKeys, rendezvous } from "./source-hash.ts";

/** The paper's smaller table. Must be prime: then every skip visits every slot. */
export const MAGLEV_SLOTS = 65537;

interface Entry {
  readonly key: string;
  readonly weight: number;
}

/** An entry's order of preference: `offset`, `offset + skip`, `offset + 2 * skip` …, modulo `slots`. */
export const permutationOf = (key: string, seed: number, slots: number): { offset: number; skip: number } => ({
  offset: hashText(seed, key) % slots,
  skip: (hashText(mix(seed + 1), key) % (slots - 1)) + 1,
});

/**
 * The paper's Pseudocode 1: in turns, each entry takes the first free slot of its own permutation of all slots. Slots
 * hold the index of their entry. The result hangs on the order of `entries`: the caller sorts them. `slots` is prime
 * and not less than the number of entries, and all weights are positive.
 *
 * The paper leaves weights open ("by altering the relative frequency of the backends' turns"). Here in every round each
 * entry saves its weight and takes a slot for each `heaviest` it has saved, so shares are exact to a slot or two for
 * weights of any size. All begin with a slot's worth: even the lightest has one slot, and can be chosen.
 */
export function maglevTable(entries: readonly Entry[], seed: number, slots: number): Uint16Array {
  const FREE = 0xffff;
  const table = new Uint16Array(slots).fill(FREE);
  const heaviest = entries.reduce((most, { weight }) => Math.max(most, weight), 0);
  const permutations = entries.map(({ key }) => permutationOf(key, seed, slots));
  const next = permutations.map(({ offset }) => offset);
  const saved = entries.map(({ weight }) => heaviest - weight);
  for (let filled = 0; entries.length > 0; ) {
    for (let entry = 0; entry < entries.length; entry++) {
      saved[entry]! += entries[entry]!.weight;
      if (saved[entry]! < heaviest) continue;
      saved[entry]! -= heaviest;
      let slot = next[entry]!;
      while (table[slot] !== FREE) slot = (slot + permutations[entry]!.skip) % slots;
      table[slot] = entry;
      next[entry] = slot;
      if (++filled === slots) return table;
    }
  }
  return table;
}

export class Maglev implements Scheduler {
  readonly name = "maglev";
  readonly #seed: number;
  readonly #slots: number;
  #table: Uint16Array = new Uint16Array(0);
  /** Those in the table, by key: what its slots count. */
  #entries: readonly Entry[] = [];
  /** Place among the candidates of each entry. */
  #places: readonly number[] = [];
  /** Of all candidates' keys. */
  #hashes: readonly number[] = [];

  /** `slots`: a prime, at least a hundred times the number of realservers. */
  constructor(seed: number, slots: number = MAGLEV_SLOTS) {
    this.#seed = seed;
    this.#slots = slots;
  }

  pick(candidates: readonly Candidate[], key: SchedulingKey): number {
    if (candidates.length !== this.#hashes.length) this.update(candidates);
    if (this.#entries.length === 0) return -1;
    const client = hashClient(this.#seed, key);
    const chosen = this.#places[this.#table[client % this.#slots]!]!;
    if (eligible(candidates[chosen]!)) return chosen;
    // The table is not built anew for one that is down: its clients spread over the others, and nobody else's move.
    return rendezvous(candidates, this.#hashes, client);
  }

  /** The table hangs on keys and weights only: the same set in another order gives the same choices. */
  update(candidates: readonly Candidate[]): void {
    const order = candidates
      .map((_, place) => place)
      .filter((place) => candidates[place]!.weight > 0)
      .sort((a, b) => (candidates[a]!.key < candidates[b]!.key ? -1 : 1));
    const entries = order.map((place) => ({ key: candidates[place]!.key, weight: candidates[place]!.weight }));
    if (!same(entries, this.#entries)) this.#table = maglevTable(entries, this.#seed, this.#slots);
    this.#entries = entries;
    this.#places = order;
    this.#hashes = hashKeys(this.#seed, candidates);
  }
}

const same = (a: readonly Entry[], b: readonly Entry[]): boolean =>
  a.length === b.length && a.every(({ key, weight }, i) => key === b[i]!.key && weight === b[i]!.weight);
