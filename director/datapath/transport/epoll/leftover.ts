/** What was written and the kernel did not take: a copy, sent from the front. */

/** Room for what is read at once, so that a stream that stands still again and again is given the same memory. */
const SIZE = 256 * 1024;
const MOST_IDLE = 64;
const idle: Buffer[] = [];

export class Leftover {
  #memory: Buffer;
  #start = 0;
  #end: number;

  constructor(bytes: Uint8Array) {
    this.#memory = room(bytes.length);
    this.#memory.set(bytes);
    this.#end = bytes.length;
  }

  get bytes(): Uint8Array {
    return this.#memory.subarray(this.#start, this.#end);
  }

  append(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#memory.length) {
      const memory = room(Math.max(2 * this.#memory.length, this.#end + bytes.length));
      memory.set(this.bytes);
      this.free();
      this.#memory = memory;
      this.#end -= this.#start;
      this.#start = 0;
    }
    this.#memory.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** The first `length` are out. */
  drop(length: number): void {
    this.#start += length;
  }

  /** Nobody looks at it any more. */
  free(): void {
    if (this.#memory.length === SIZE && idle.length < MOST_IDLE) idle.push(this.#memory);
  }
}

/** Small ones are as small as they are: many streams may stand still for long. */
const room = (length: number): Buffer =>
  length <= SIZE / 8 || length > SIZE ? Buffer.allocUnsafeSlow(length) : (idle.pop() ?? Buffer.allocUnsafeSlow(SIZE));
