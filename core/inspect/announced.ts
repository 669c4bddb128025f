import type { Balancer } from "../balancer.ts";
import type { RelatedEntry } from "../flow/related.ts";
import type { Ref } from "../helper/api.ts";

/** Announcements remembered for a later `settle` or `revoke`. */
const REMEMBERED = 64;

/** What one control connection announced and was let in. */
export class Announced {
  readonly #entries = new Map<Ref, readonly RelatedEntry[]>();

  remember(ref: Ref, entries: readonly RelatedEntry[]): void {
    this.#entries.set(ref, entries);
    if (this.#entries.size > REMEMBERED) this.#entries.delete(this.#entries.keys().next().value!);
  }

  /** null: refused, or forgotten. */
  get(ref: Ref): readonly RelatedEntry[] | null {
    return this.#entries.get(ref) ?? null;
  }

  /** Takes back what nobody has used; returns it. */
  withdraw(ref: Ref, balancer: Balancer): readonly RelatedEntry[] {
    const pending = (this.#entries.get(ref) ?? []).filter(({ state }) => state === "pending");
    this.#entries.delete(ref);
    for (const entry of pending) balancer.revoke(entry);
    return pending;
  }
}
