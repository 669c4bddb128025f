import { inert } from "./escape.ts";

/** Sooner there is nothing to say. */
const PATIENCE = 1_000;
/** Between two lines. */
const INTERVAL = 250;
const MEGABYTE = 1_000_000;

interface Terminal {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/**
 * How far a file is read, how fast, and how long it will take, on one line of a terminal that is wiped afterwards.
 * Nothing where there is no terminal, or the file is read in a moment.
 */
export class ProgressLine {
  readonly #terminal: Terminal;
  readonly #file: string;
  #begun = -1;
  #last = 0;
  #width = 0;

  constructor(file: string, terminal: Terminal) {
    this.#terminal = terminal;
    this.#file = inert(file);
  }

  /** `read` bytes of `size` (null: nobody knows) at `now`, in milliseconds. */
  show(read: number, size: number | null, now: number): void {
    if (this.#terminal.isTTY !== true) return;
    if (this.#begun < 0) this.#begun = this.#last = now;
    const taken = now - this.#begun;
    if (taken < PATIENCE || now - this.#last < INTERVAL) return;
    this.#last = now;
    const line = `${this.#file}: ${progressText(read, size, taken)}`;
    this.#terminal.write(`\r${line.padEnd(this.#width)}`);
    this.#width = line.length;
  }

  clear(): void {
    if (this.#width > 0) this.#terminal.write(`\r${" ".repeat(this.#width)}\r`);
    this.#width = 0;
  }
}

function progressText(read: number, size: number | null, taken: number): string {
  const rate = `${Math.round(read / MEGABYTE / (taken / 1000))} MB/s`;
  if (size === null || size < read) return `${Math.round(read / MEGABYTE)} MB, ${rate}`;
  return `${Math.floor((read / size) * 100)} %, ${rate}, ${durationText((taken * (size - read)) / read)} left`;
}

function durationText(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  return minutes === 0 ? `${seconds} s` : `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
}
