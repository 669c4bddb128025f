/**
 * Whether a helper takes longer for what it reads than it should. To count reads (meter.ts) is dear, and slows down all that
 * comes after: so lines are timed, each block of them, and only where one is slow every time its reads are counted. The
 * count decides. A regular expression is a finding by itself.
 */
import { trapExpressions } from "./meter.ts";

/** So many times as long as usual, and this long at least (microseconds). */
const MUCH = 20;
const LEAST = 1000;
/** Of how many the usual time is the mean, nearly. */
const MEMORY = 64;

export class Pace {
  /** Something took much longer than usual since `begin`. */
  slow = false;
  /** What payload was read by. */
  expression: string | null = null;
  /** Microseconds of a byte. */
  #usual = Number.POSITIVE_INFINITY;
  #started = 0;
  #busySince = 0;
  readonly #clock: () => number;
  readonly #busy: () => number;

  /** Microseconds: `clock` of the day, `busy` of work so far. To ask for the latter is dear. */
  constructor(clock: () => number = timeOfDay, busy: () => number = processorTime) {
    this.#clock = clock;
    this.#busy = busy;
  }

  /** Regular expressions are noted from now on, until what it returns is called. */
  watch(): () => void {
    return trapExpressions((source) => {
      this.expression ??= source;
    });
  }

  /** What follows is judged by itself: by the time of day, or, where that is not enough (`sure`), by work, too. */
  begin(sure: boolean): void {
    this.slow = false;
    this.#busySince = sure ? this.#busy() : Number.NEGATIVE_INFINITY;
  }

  /** Something is read from now on. */
  start(): void {
    this.#started = this.#clock();
  }

  /** So many bytes were read since `start`. */
  stop(bytes: number): void {
    const time = this.#clock() - this.#started;
    const each = time / bytes;
    if (this.#isMuch(time, bytes)) this.slow ||= this.#isMuch(this.#busy() - this.#busySince, bytes);
    this.#usual = this.#usual === Number.POSITIVE_INFINITY ? each : this.#usual + (each - this.#usual) / MEMORY;
  }

  /** The machine may have been busy with something else: then the processor has not worked as long since `begin`. */
  #isMuch(time: number, bytes: number): boolean {
    return time > LEAST && time > MUCH * this.#usual * bytes;
  }
}

const timeOfDay = (): number => performance.now() * 1000;

function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
