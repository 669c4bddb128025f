/**
 * What was put in last, by number: at least so many, and at most twice as many. A Map whose oldest goes for each that comes
 * walks over all that went before it.
 */
export class Latest<T> {
  readonly #least: number;
  #young = new Map<number, T>();
  #old: ReadonlyMap<number, T> = this.#young;

  constructor(least: number) {
    this.#least = least;
  }

  get isEmpty(): boolean {
    return this.#young.size === 0;
  }

  get(key: number): T | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  set(key: number, value: T): void {
    if (this.#young.size >= this.#least) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}
