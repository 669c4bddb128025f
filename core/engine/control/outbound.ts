/**
 * What goes out in one direction: bytes kept until their receiver has acknowledged them, so that whoever asks for them
 * to be sent again, the same bytes are. Offsets count from the byte behind the receiver's SYN; the FIN is the last one.
 */
import { copyBytes, viewOf } from "../../wire/bytes.ts";

const NOTHING: Uint8Array = new Uint8Array(0);
const NO_VIEW = viewOf(NOTHING);
const SMALLEST = 256;
/** A buffer of at most this size is kept while nothing is in it: twice a segment, as it grows. */
const IDLE = 4096;

export class Outbound {
  #buffer = NOTHING;
  #view = NO_VIEW;
  /** Where in the buffer the byte at `#base` is. */
  #head = 0;
  /** The bytes `[#base, dataEnd)` are kept. */
  #base = 0;
  /** Behind the last byte of data. */
  dataEnd = 0;
  finished = false;
  /** Everything before this is acknowledged by the receiver. */
  acknowledged = 0;
  /** Everything before this was sent. */
  sent = 0;
  /** The receiver takes nothing from here on. */
  edge = 0;

  /** Behind the last byte, or the FIN. */
  get end(): number {
    return this.finished ? this.dataEnd + 1 : this.dataEnd;
  }

  /** Bytes kept. */
  get kept(): number {
    return this.dataEnd - this.#base;
  }

  append(bytes: Uint8Array, start = 0, end = bytes.length): void {
    const length = end - start;
    const tail = this.#head + this.kept;
    if (tail + length > this.#buffer.length) this.#makeRoom(length);
    copyBytes(bytes, start, end, this.#buffer, this.#head + this.kept);
    this.dataEnd += length;
  }

  /** What `other` keeps, too. */
  appendAll(other: Outbound): void {
    this.append(other.#buffer, other.#head, other.#head + other.kept);
  }

  /** All that there is: bytes `[start, end)`, sent as `offset` and on, and not acknowledged. */
  begin(offset: number, bytes: Uint8Array, start: number, end: number): void {
    this.#head = 0;
    this.#base = offset;
    this.dataEnd = offset;
    this.acknowledged = offset;
    this.append(bytes, start, end);
    this.sent = this.dataEnd;
  }

  finish(): void {
    this.finished = true;
  }

  acknowledge(offset: number): void {
    this.acknowledged = offset;
    const base = Math.min(offset, this.dataEnd);
    this.#head += base - this.#base;
    this.#base = base;
    if (base < this.dataEnd) return;
    this.#head = 0;
    if (this.#buffer.length > IDLE) this.#use(NOTHING);
  }

  /** As if nothing had ever been in it. */
  clear(): void {
    this.dataEnd = 0;
    this.#base = 0;
    this.acknowledge(0);
  }

  /** What `indexOf` counts in. */
  get view(): DataView {
    return this.#view;
  }

  indexOf(offset: number): number {
    return this.#head + offset - this.#base;
  }

  #makeRoom(more: number): void {
    const { kept } = this;
    const from = this.#buffer.subarray(this.#head, this.#head + kept);
    if (kept + more <= this.#buffer.length / 2) this.#buffer.set(from);
    else {
      const larger = new Uint8Array(Math.max(SMALLEST, 2 * (kept + more)));
      larger.set(from);
      this.#use(larger);
    }
    this.#head = 0;
  }

  #use(buffer: Uint8Array): void {
    this.#buffer = buffer;
    this.#view = viewOf(buffer);
  }
}
