import type { Ms } from "../units.ts";
import { later } from "../units.ts";

interface Memory<T> {
  readonly realserver: T;
  readonly expires: Ms;
}

/**
 * What helpers asked to remember of who served what (a RADIUS State, a truncated DNS answer). Bounded: the oldest
 * memory gives way.
 */
export class AffinityMemory<T> {
  readonly #known = new Map<string, Memory<T>>();
  readonly #keys = new Map<T, Set<string>>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#known.size;
  }

  /** Under the first of `keys` that is known. */
  recall(keys: readonly string[], now: Ms): T | null {
    for (const key of keys) {
      const known = this.#known.get(key);
      if (known === undefined) continue;
      if (now < known.expires) return known.realserver;
      this.#forget(key, known);
    }
    return null;
  }

  remember(keys: readonly string[], realserver: T, ttl: Ms, now: Ms): void {
    for (const key of keys) {
      const before = this.#known.get(key);
      if (before !== undefined) this.#forget(key, before);
      else if (this.#known.size >= this.#capacity) this.#forget(...this.#known.entries().next().value!);
      this.#known.set(key, { realserver, expires: later(now, ttl) });
      this.#keysOf(realserver).add(key);
    }
  }

  /** What is remembered of `realserver` is of `heir` from now on, who knows nothing of his own yet. */
  bequeath(realserver: T, heir: T): void {
    const keys = this.#keys.get(realserver);
    if (keys === undefined) return;
    for (const key of keys) this.#known.set(key, { realserver: heir, expires: this.#known.get(key)!.expires });
    this.#keys.delete(realserver);
    this.#keys.set(heir, keys);
  }

  /** Costs as much as is remembered of `realserver`, not of others. Returns how much that was. */
  purge(realserver: T): number {
    const keys = this.#keys.get(realserver);
    for (const key of keys ?? []) this.#known.delete(key);
    this.#keys.delete(realserver);
    return keys?.size ?? 0;
  }

  #forget(key: string, { realserver }: Memory<T>): void {
    this.#known.delete(key);
    this.#keys.get(realserver)?.delete(key);
  }

  #keysOf(realserver: T): Set<string> {
    let keys = this.#keys.get(realserver);
    if (keys === undefined) {
      keys = new Set();
      this.#keys.set(realserver, keys);
    }
    return keys;
  }
}
