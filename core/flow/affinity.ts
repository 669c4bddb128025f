import type { Ms } from "../units.ts";
import { later } from "../units.ts";

/**
 * What helpers asked to remember of who served what (a RADIUS State, a truncated DNS answer). Bounded: the oldest
 * memory gives way.
 */
export class AffinityMemory<T> {
  readonly #known = new Map<string, { readonly realserver: T; readonly expires: Ms }>();
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
      this.#known.delete(key);
    }
    return null;
  }

  remember(keys: readonly string[], realserver: T, ttl: Ms, now: Ms): void {
    for (const key of keys) {
      this.#known.delete(key);
      if (this.#known.size >= this.#capacity) this.#known.delete(this.#known.keys().next().value!);
      this.#known.set(key, { realserver, expires: later(now, ttl) });
    }
  }

  purge(realserver: T): void {
    for (const [key, known] of this.#known) if (known.realserver === realserver) this.#known.delete(key);
  }
}
