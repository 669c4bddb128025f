/** One realserver of one service, asked again and again from its start until it is stopped. */
import { now } from "../clock.ts";
import { isLocalFailure } from "../datapath/upstream.ts";
import { BROKEN, CANNOT_RUN, type Check, GOOD, NO_SECRET, type Target, type Verdict } from "./check.ts";
import type { Gate } from "./gate.ts";
import { firstPause, pause, RiseFall } from "./rise-fall.ts";

export interface WatchOptions {
  readonly ask: Check;
  readonly gate: Gate;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** It is up, or down, from now on; and why it is down. */
  readonly changed: (watch: Watch, reason: Verdict) => void;
  /** The director itself could not ask: nothing is known. */
  readonly hindered: (watch: Watch, reason: string) => void;
  /** The check itself failed; it counts as a bad one. */
  readonly broken: (watch: Watch, error: unknown) => void;
}

export class Watch {
  readonly target: Target;
  readonly #options: WatchOptions;
  readonly #state: RiseFall;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  /** `up`: what is taken for granted until checks say otherwise. */
  constructor(target: Target, up: boolean, options: WatchOptions) {
    this.target = target;
    this.#options = options;
    this.#state = new RiseFall(target.check, up);
  }

  /** Once. */
  start(): void {
    const first = firstPause(this.target.check.interval, this.#options.random());
    this.#timer = setTimeout(() => void this.#turn(), first);
  }

  get up(): boolean {
    return this.#state.up;
  }

  /** A check that runs is cut off, and what it would have found is not told. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#stop.abort();
  }

  get #stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  async #turn(): Promise<void> {
    const { check } = this.target;
    const began = now();
    const verdict = await this.#options.gate.pass(() => this.#ask());
    if (this.#stopped) return;
    const left = began + pause(check.interval, this.#options.random()) - now();
    this.#timer = setTimeout(() => void this.#turn(), Math.max(0, left));
    if (verdict !== GOOD && isHindrance(verdict)) this.#options.hindered(this, verdict);
    else if (this.#state.see(verdict === GOOD)) this.#options.changed(this, verdict);
  }

  async #ask(): Promise<Verdict> {
    if (this.#stopped) return GOOD;
    const limit = new AbortController();
    const late = setTimeout(() => limit.abort(), this.target.check.timeout);
    const end = (): void => limit.abort();
    this.#stop.signal.addEventListener("abort", end);
    try {
      const verdict = await this.#options.ask(this.target, limit.signal);
      return limit.signal.aborted ? "timeout" : verdict;
    } catch (error) {
      if (!this.#stopped) this.#options.broken(this, error);
      return BROKEN;
    } finally {
      clearTimeout(late);
      this.#stop.signal.removeEventListener("abort", end);
    }
  }
}

/** What the director itself lacks. */
const isHindrance = (reason: string): boolean =>
  reason === NO_SECRET || reason === CANNOT_RUN || isLocalFailure(reason);
