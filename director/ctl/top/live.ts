/** The view at a terminal: looked at again and again, and what keys change of it, until somebody has seen enough. */
import type { ReadStream, WriteStream } from "node:tty";
import { inert } from "../../inert.ts";
import type { Client } from "../client.ts";
import { mostSkipped, pageOf } from "./page.ts";
import { type Sample, sampled } from "./sample.ts";
import { Screen } from "./screen.ts";
import { type Sort, sorts, viewOf } from "./view.ts";

export interface LiveOptions {
  readonly client: Client;
  /** Milliseconds. */
  readonly interval: number;
  readonly sort: Sort;
  readonly colour: boolean;
}

const CONTROL_C = "\u0003";

export class Live {
  readonly #options: LiveOptions;
  #sort: Sort;
  #paused = false;
  #skipped = 0;
  #trouble: string | null = null;
  #before: Sample | null = null;
  #now!: Sample;
  #screen!: Screen;
  #timer: NodeJS.Timeout | undefined;
  #over: () => void = () => {};

  constructor(options: LiveOptions) {
    this.#options = options;
    this.#sort = options.sort;
  }

  /** Until a key or a signal ends it; the exit status. */
  async run(first: Sample, output: WriteStream, input: ReadStream): Promise<number> {
    const over = new Promise<void>((resolve) => {
      this.#over = resolve;
    });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, this.#over);
    this.#now = first;
    this.#screen = new Screen(output, input, { key: (key) => this.#key(key), resized: () => this.#draw() });
    this.#draw();
    this.#later();
    await over;
    clearTimeout(this.#timer);
    this.#screen.close();
    // A request may be under way, to a director that does not answer.
    process.exit(0);
  }

  #later(): void {
    this.#timer = setTimeout(() => void this.#look(), this.#options.interval);
  }

  /** A director that is away is looked for again. */
  async #look(): Promise<void> {
    try {
      const sample = await sampled(this.#options.client);
      if (!this.#paused) {
        // What was counted before a restart says nothing of what came since.
        const same = sample.status.since === this.#now.status.since;
        this.#before = same ? this.#now : null;
        this.#now = sample;
      }
      this.#trouble = null;
    } catch (error) {
      this.#trouble = inert((error as Error).message);
    }
    this.#draw();
    this.#later();
  }

  #key(key: string): void {
    if (key === "q" || key === CONTROL_C) return this.#over();
    if (key === " ") this.#paused = !this.#paused;
    else if (key === "up") this.#skipped = Math.max(0, this.#skipped - 1);
    else if (key === "down") this.#skipped = Math.min(this.#skipped + 1, mostSkipped(this.#view));
    else if (Object.hasOwn(sorts, key)) this.#sort = key as Sort;
    this.#draw();
  }

  get #view() {
    return viewOf({ before: this.#before, now: this.#now, sort: this.#sort });
  }

  #draw(): void {
    const shown = { sort: this.#sort, paused: this.#paused, trouble: this.#trouble, skipped: this.#skipped };
    this.#screen.show(pageOf(this.#view, this.#screen.size, shown, this.#options.colour));
  }
}
