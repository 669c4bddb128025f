/** When something is sent again: the timer of RFC 6298, for segments and for probes of a closed window alike. */
import { type Ms, ms, seconds } from "../../units.ts";

const NEVER = Number.POSITIVE_INFINITY as Ms;
const FIRST = seconds(1);
/** Lower than the second of RFC 6298 §2.4, as Linux has it: peers here are near, and acknowledge within 40 ms. */
const LEAST = ms(200);
const MOST = seconds(60);
export const NOT_TIMED = -1;
/** Of a round trip that was never measured. */
const UNMEASURED = -1;

export class RetransmissionTimer {
  smoothed = UNMEASURED;
  variance = 0;
  #timeout: number = FIRST;
  /** How often it fired since the receiver was heard. */
  fired = 0;
  /** When it fires. */
  at: Ms = NEVER;
  /** The offset whose acknowledgment is waited for, to measure the round trip. */
  timed = NOT_TIMED;
  timedAt: Ms = ms(0);

  /** Bytes up to `offset` are sent for the first time. */
  time(offset: number, now: Ms): void {
    if (this.timed !== NOT_TIMED) return;
    this.timed = offset;
    this.timedAt = now;
  }

  /** Something was sent again: what its acknowledgment is for nobody can tell (Karn's algorithm, §3). */
  forgetTimed(): void {
    this.timed = NOT_TIMED;
  }

  /** Bytes up to `offset` are acknowledged for the first time. */
  acknowledged(offset: number, now: Ms): void {
    this.fired = 0;
    if (this.timed !== NOT_TIMED && offset >= this.timed) {
      this.#measured(now - this.timedAt);
      this.timed = NOT_TIMED;
    }
    this.#restart(now);
  }

  /** Whether there is anything to wait for. */
  arm(needed: boolean, now: Ms): void {
    if (!needed) this.at = NEVER;
    else if (this.at === NEVER) this.#restart(now);
  }

  /** It has fired: the next time it takes twice as long (§5.5). */
  backOff(now: Ms): void {
    this.fired++;
    this.timed = NOT_TIMED;
    this.#timeout = Math.min(this.#timeout * 2, MOST);
    this.at = (now + this.#timeout) as Ms;
  }

  #restart(now: Ms): void {
    this.#timeout = this.smoothed < 0 ? FIRST : clamp(this.smoothed + 4 * this.variance);
    this.at = (now + this.#timeout) as Ms;
  }

  #measured(trip: number): void {
    this.variance = varianceWith(this.smoothed, this.variance, trip);
    this.smoothed = smoothedWith(this.smoothed, trip);
  }
}

/** §2.2, §2.3, of what it was before `trip`: the first is by itself. */
export const varianceWith = (smoothed: number, variance: number, trip: number): number =>
  smoothed < 0 ? trip / 2 : variance + (Math.abs(smoothed - trip) - variance) / 4;

export const smoothedWith = (smoothed: number, trip: number): number =>
  smoothed < 0 ? trip : smoothed + (trip - smoothed) / 8;

const clamp = (timeout: number): number => Math.max(LEAST, Math.min(timeout, MOST));
