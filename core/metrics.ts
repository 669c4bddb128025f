/** Counters by name and reason: what `explain` and the hosts count, and the metrics page will show. */
export class Counters {
  readonly #counts = new Map<string, { value: number }>();
  /** Those of `group.reason` by its parts: to join them takes longer than to count. */
  readonly #parts = new Map<string, Map<string, { value: number }>>();
  /** What was counted last by its parts; often it is the next, too. */
  #group = "";
  #reason = "";
  #last: { value: number } | null = null;

  /** `group.reason`. */
  countOf(group: string, reason: string): void {
    let counter = this.#last;
    if (counter === null || group !== this.#group || reason !== this.#reason) {
      counter = this.#parts.get(group)?.get(reason) ?? this.#join(group, reason);
      this.#last = counter;
      this.#group = group;
      this.#reason = reason;
    }
    counter.value++;
  }

  #join(group: string, reason: string): { value: number } {
    const counters = this.#parts.get(group) ?? new Map<string, { value: number }>();
    const counter = this.#counter(`${group}.${reason}`);
    this.#parts.set(group, counters.set(reason, counter));
    return counter;
  }

  #counter(name: string): { value: number } {
    const known = this.#counts.get(name);
    if (known !== undefined) return known;
    const counter = { value: 0 };
    this.#counts.set(name, counter);
    return counter;
  }

  count(name: string, by = 1): void {
    this.#counter(name).value += by;
  }

  get(name: string): number {
    return this.#counts.get(name)?.value ?? 0;
  }

  /** By name, in alphabetical order. */
  all(): Readonly<Record<string, number>> {
    const counts = [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(counts.map(([name, { value }]) => [name, value]));
  }
}

/** The same for hot paths: names fixed at start-up, counted by their place among them. */
export class Tally {
  readonly #names: readonly string[];
  /** Declared alone: see core/engine/flags.ts. */
  declare private readonly counts: Float64Array;

  constructor(names: readonly string[]) {
    this.#names = names;
    this.counts = new Float64Array(names.length);
  }

  count(code: number): void {
    this.counts[code]!++;
  }

  get(name: string): number {
    return this.counts[this.#names.indexOf(name)] ?? 0;
  }

  /** Those that were counted at all, by name. */
  all(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#names.map((name, i) => [name, this.counts[i]!] as const).filter(([, n]) => n > 0));
  }
}
