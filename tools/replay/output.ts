/**
 * Standard output and error without Node's streams, which take as long to load as thousands of packets to read: they are
 * loaded where there is a terminal, or where what is written to is full.
 */
import { fstatSync, writeSync } from "node:fs";

/** What is written when nobody reads it any more: enough was seen (`kindred replay … | head`). */
const UNREAD = "EPIPE";

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
      ended(error as NodeJS.ErrnoException);
      // EAGAIN, where it is not to wait: the stream does.
      this.#stream.write(bytes.subarray(written));
    }
  }

  get #stream(): NodeJS.WriteStream {
    const stream = this.#descriptor === 1 ? process.stdout : process.stderr;
    if (!stream.listeners("error").includes(failed)) stream.on("error", failed);
    return stream;
  }
}

/** What waits in the stream finds out later. */
function failed(error: NodeJS.ErrnoException): never {
  ended(error);
  throw error;
}

function ended({ code }: NodeJS.ErrnoException): void {
  if (code === UNREAD) process.exit(0);
}
