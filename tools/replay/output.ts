/**
 * Standard output and error without Node's streams, which take as long to load as thousands of packets to read: they are
 * loaded where there is a terminal, or where what is written to is full.
 */
import { fstatSync, writeSync } from "node:fs";

/** What is written when nobody reads it any more: enough was seen (`kindred replay … | head`). */
const UNREAD = "EPIPE";
/** A descriptor that is not to wait, and takes no more now. */
const LATER = "EAGAIN";

export class Output {
  readonly #descriptor: 1 | 2;

  constructor(descriptor: 1 | 2) {
    this.#descriptor = descriptor;
  }

  get isTTY(): boolean {
    return fstatSync(this.#descriptor).isCharacterDevice() && this.#stream.isTTY === true;
  }

  /** How wide the terminal is; undefined: there is none. */
  get columns(): number | undefined {
    return this.isTTY ? this.#stream.columns : undefined;
  }

  write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#descriptor, bytes, written);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === LATER) this.#stream.write(bytes.subarray(written));
      else this.#lost(code, message);
    }
  }

  get #stream(): NodeJS.WriteStream {
    const stream = this.#descriptor === 1 ? process.stdout : process.stderr;
    if (stream.listenerCount("error", this.#failed) === 0) stream.on("error", this.#failed);
    return stream;
  }

  /** What waits in the stream finds out later, where nobody can catch it. */
  readonly #failed = ({ code, message }: NodeJS.ErrnoException): void => {
    try {
      this.#lost(code, message);
    } catch (error) {
      console.error(`kindred: ${(error as Error).message}`);
      process.exit(1);
    }
  };

  /** What is written does not arrive. Of messages nobody could be told. */
  #lost(code: string | undefined, message: string): void {
    if (code === UNREAD) process.exit(0);
    if (this.#descriptor === 1) throw new Error(`standard output: ${message}`);
  }
}
