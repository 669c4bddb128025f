/**
 * What is asked of the thread that forwards, done in pieces between its packets: a job is a generator, and each step of
 * it so little work that no packet notices.
 */

/** Yielded by a job that waits for a promise: it is settled on Node's event loop, to which the thread has to go. */
export const WAITS = Symbol("waits");

/** Yields a part of its answer (items of a list), `WAITS`, or nothing: there is more to do. */
export type Job<T> = Generator<readonly unknown[] | typeof WAITS | undefined, T>;

export interface JobEnds {
  part(items: readonly unknown[]): void;
  done(answer: unknown): void;
  failed(error: unknown): void;
}

export class Jobs {
  readonly #jobs: { readonly steps: Job<unknown>; readonly ends: JobEnds }[] = [];

  add(steps: Job<unknown>, ends: JobEnds): void {
    this.#jobs.push({ steps, ends });
  }

  /** A step of one of them, each in its turn: what to do before the next; "none": there is none. */
  turn(): "none" | "more" | "wait" {
    const job = this.#jobs.shift();
    if (job === undefined) return "none";
    const { steps, ends } = job;
    try {
      const { done, value } = steps.next();
      if (done === true) {
        ends.done(value);
        return this.#jobs.length > 0 ? "more" : "none";
      }
      this.#jobs.push(job);
      if (value === WAITS) return "wait";
      if (value !== undefined) ends.part(value);
    } catch (error) {
      ends.failed(error);
    }
    return "more";
  }
}

/** What `promise` is settled with. */
export function* settled<T>(promise: Promise<T>): Job<T> {
  let outcome: { readonly value: T } | { readonly error: unknown } | null = null;
  promise.then(
    (value) => {
      outcome = { value };
    },
    (error: unknown) => {
      outcome = { error };
    },
  );
  while (outcome === null) yield WAITS;
  // The compiler does not see that it is set from elsewhere.
  const seen = outcome as { readonly value: T } | { readonly error: unknown };
  if ("error" in seen) throw seen.error;
  return seen.value;
}
