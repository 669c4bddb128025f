/** What was written and the kernel did not take; sent from the front. */
import type { Buffers } from "./buffers.ts";

/** Many streams may stand still for long: only what fills a good part of a buffer takes the whole of it along. */
const WORTH_A_BUFFER = 64 * 1024;

export class Leftover {
  readonly #memory: Buffer;
  #start: number;
  #end: number;
  /** Nobody needs it any more. */
  readonly free: () => void;

  private constructor(memory: Buffer, start: number, end: number, free: () => void) {
    this.#memory = memory;
    this.#start = start;
    this.#end = end;
    this.free = free;
  }

  static copyOf(bytes: Uint8Array): Leftover {
    const memory = Buffer.allocUnsafeSlow(bytes.length);
    memory.set(bytes);
    return new Leftover(memory, 0, bytes.length, () => {});
  }

  /** Bytes `[start, end)` of the buffer that is read into, which nobody looks at any more. */
  static of(buffers: Buffers, start: number, end: number): Leftover {
    if (end - start < WORTH_A_BUFFER) return Leftover.copyOf(buffers.current.bytes.subarray(start, end));
    const memory = buffers.take();
    return new Leftover(memory.bytes, start, end, () => buffers.give(memory));
  }

  get bytes(): Uint8Array {
    return this.#memory.subarray(this.#start, this.#end);
  }

  append(bytes: Uint8Array): Leftover {
    const before = this.bytes;
    const room = this.#memory.length - this.#end;
    if (bytes.length > room) {
      const memory = Buffer.allocUnsafeSlow(2 * (before.length + bytes.length));
      memory.set(before);
      this.free();
      return new Leftover(memory, 0, before.length, () => {}).append(bytes);
    }
    this.#memory.set(bytes, this.#end);
    this.#end += bytes.length;
    return this;
  }

  /** The first `length` are out. */
  drop(length: number): void {
    this.#start += length;
  }
}
