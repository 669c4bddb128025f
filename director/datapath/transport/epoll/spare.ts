/** A file descriptor that is kept for the moment when there is no other. */
import { closeSync, openSync } from "node:fs";

export class Spare {
  #fd: number | null = null;
  #holders = 0;

  hold(): void {
    this.#holders++;
    this.#open();
  }

  release(): void {
    if (--this.#holders === 0) this.#close();
  }

  /** Runs `use` while there is one descriptor more; false: there is none to lend. */
  lend(use: () => void): boolean {
    this.#open();
    if (this.#fd === null) return false;
    this.#close();
    use();
    this.#open();
    return true;
  }

  #open(): void {
    try {
      this.#fd ??= openSync("/dev/null", "r");
    } catch {
      // Somebody else was quicker.
    }
  }

  #close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }
}
