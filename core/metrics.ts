/** Counters by name and reason: what `explain` and the hosts count, and the metrics page will show. */
export class Counters {
  readonly #counts = new Map<string, number>();
  /** `group.reason` by its parts: to join them takes longer than to count. */
  readonly #names = new Map<string, Map<string, string>>();

  /** `group.reason`. */
  countOf(group: string, reason: string): void {
    const known = this.#names.get(group)?.get(reason);
    this.count(known ?? this.#join(group, reason));
  }

  #join(group: string, reason: string): string {
    const names = this.#names.get(group) ?? new Map<string, string>();
    const name = `${group}.${reason}`;
    this.#names.set(group, names.set(reason, name));
    return name;
  }

  count(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  get(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** By name, in alphabetical order. */
  all(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
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
