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
  readonly #busy: () => number;

  /** `busy`: microseconds of work so far. */
  constructor(busy: () => number = processorTime) {
    this.#busy = busy;
  }

  /** Regular expressions are noted from now on, until what it returns is called. */
  watch(): () => void {
    return trapExpressions((source) => {
      this.expression ??= source;
    });
  }

  /** What follows is judged by itself. */
  begin(): void {
    this.slow = false;
  }

  /** Something is read from now on. */
  start(): void {
    this.#started = this.#busy();
  }

  /** So many bytes were read since `start`. */
  stop(bytes: number): void {
    const time = this.#busy() - this.#started;
    const each = time / bytes;
    if (time > LEAST && each > MUCH * this.#usual) this.slow = true;
    this.#usual = this.#usual === Number.POSITIVE_INFINITY ? each : this.#usual + (each - this.#usual) / MEMORY;
  }
}

/** Time of the processor, not of the clock: the machine may be busy with something else. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
