import type { Helper } from "../../helper/api.ts";

/** Of a helper that is never brief. */
export const NOT_BRIEF = 0;

/**
 * The helpers that are brief, by numbers, of which a row has room for one. A number is somebody else's when no connection is
 * read by its helper any more: a reload makes other helpers of the same name, for as many reloads as there are.
 */
export class BriefHelpers {
  readonly #helpers: (Helper | null)[] = [null];
  /** How many connections are read by each. */
  readonly #readers: number[] = [0];

  /** For one connection more: the number of `helper`, or `NOT_BRIEF`. */
  take(helper: Helper): number {
    if (helper.brief === undefined) return NOT_BRIEF;
    const known = this.#helpers.indexOf(helper);
    const number = known < 0 ? this.#free() : known;
    this.#helpers[number] = helper;
    this.#readers[number] = (this.#readers[number] ?? 0) + 1;
    return number;
  }

  /** For one connection less. */
  giveBack(number: number): void {
    if (number === NOT_BRIEF) return;
    this.#readers[number]!--;
    if (this.#readers[number] === 0) this.#helpers[number] = null;
  }

  at(number: number): Helper {
    return this.#helpers[number]!;
  }

  #free(): number {
    const free = this.#helpers.indexOf(null, 1);
    return free < 0 ? this.#helpers.length : free;
  }
}
