/** The buffer that all streams read into, and those that took its place before. */
import type { Calls, Memory } from "./calls.ts";

const SIZE = 256 * 1024;
const MOST_IDLE = 64;

export class Buffers {
  /** Read into this one; what lies there is gone with the next read. */
  current: Memory;
  readonly #calls: Calls;
  readonly #idle: Memory[] = [];

  constructor(calls: Calls) {
    this.#calls = calls;
    this.current = calls.memory(SIZE);
  }

  /** The buffer with all that lies there, for as long as the caller wants, who gives it back. */
  take(): Memory {
    const taken = this.current;
    this.current = this.#idle.pop() ?? this.#calls.memory(SIZE);
    return taken;
  }

  give(memory: Memory): void {
    if (this.#idle.length < MOST_IDLE) this.#idle.push(memory);
  }
}
