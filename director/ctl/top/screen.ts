/** A terminal, taken for a while and given back as it was (xterm's control sequences). */
import type { ReadStream, WriteStream } from "node:tty";

const ALTERNATE = "\u001b[?1049h\u001b[?25l";
const BACK = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const TO_LINE_END = "\u001b[K";
const TO_END = "\u001b[J";

/** What arrow keys send (VT100, and in application mode). */
const ARROWS: Readonly<Record<string, string>> = {
  "\u001b[A": "up",
  "\u001bOA": "up",
  "\u001b[B": "down",
  "\u001bOB": "down",
};

export interface ScreenEvents {
  /** A character, `up` or `down`. */
  key(name: string): void;
  resized(): void;
}

export class Screen {
  readonly #output: WriteStream;
  readonly #input: ReadStream | null;
  readonly #events: ScreenEvents;
  #open = true;

  /** `input`: whose keys are heard; none where it is no terminal. */
  constructor(output: WriteStream, input: ReadStream, events: ScreenEvents) {
    this.#output = output;
    this.#input = input.isTTY ? input : null;
    this.#events = events;
    output.write(ALTERNATE);
    output.on("resize", this.#resized);
    this.#input?.setRawMode(true).setEncoding("utf8").on("data", this.#typed).resume();
    // However it ends, the terminal is its user's again.
    process.on("exit", this.close);
  }

  get size(): { readonly rows: number; readonly columns: number } {
    return { rows: this.#output.rows, columns: this.#output.columns };
  }

  show(lines: readonly string[]): void {
    this.#output.write(`${HOME}${lines.map((line) => line + TO_LINE_END).join("\n")}${TO_END}`);
  }

  readonly close = (): void => {
    if (!this.#open) return;
    this.#open = false;
    process.off("exit", this.close);
    this.#output.off("resize", this.#resized);
    this.#input?.off("data", this.#typed).setRawMode(false).pause();
    this.#output.write(BACK);
  };

  readonly #resized = (): void => this.#events.resized();

  /** Keys that were typed fast come together. */
  readonly #typed = (text: string): void => {
    const arrow = ARROWS[text];
    for (const key of arrow === undefined ? text : [arrow]) this.#events.key(key);
  };
}
