/**
 * Whether a realserver serves, by what its checks found one after the other. Pure: no clock, no sockets, no randomness of
 * its own.
 *
 *   up    --fall bad ones in a row-->   down
 *   down  --rise good ones in a row-->  up
 */
import { type Ms, ms } from "../../core/units.ts";

export class RiseFall {
  readonly #rise: number;
  readonly #fall: number;
  #up: boolean;
  /** Findings in a row that speak against what holds now. */
  #against = 0;

  constructor({ rise, fall }: { readonly rise: number; readonly fall: number }, up: boolean) {
    this.#rise = rise;
    this.#fall = fall;
    this.#up = up;
  }

  get up(): boolean {
    return this.#up;
  }

  /** One more finding. True: `up` is another than before. */
  see(good: boolean): boolean {
    this.#against = good === this.#up ? 0 : this.#against + 1;
    if (this.#against < (this.#up ? this.#fall : this.#rise)) return false;
    this.#up = good;
    this.#against = 0;
    return true;
  }
}

/** The part of an interval by which a check may come early, so that those of many realservers drift apart. */
const JITTER = 0.1;

/** From the start of one check to that of the next: never more than `interval`. `random`: from 0 to below 1. */
export const pause = (interval: Ms, random: number): Ms => ms(Math.round(interval * (1 - JITTER * random)));

/** Until the first check: somewhere in the first interval, so that a farm is not asked all at once. */
export const firstPause = (interval: Ms, random: number): Ms => ms(Math.floor(interval * random));
