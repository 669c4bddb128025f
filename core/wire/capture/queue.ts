import { viewOf } from "../bytes.ts";

/**
 * Room in front of a chunk for what is left of the one before: nearly always a part of a record. Half a page more than pages:
 * where the kernel copies from the start of one to just behind that of another, some processors take three times as long.
 */
const HEADROOM = 16.5 * 4096;

/** So many bytes, perhaps those that it gave before, and more. */
type Place = (length: number) => Uint8Array;

/**
 * Bytes that arrived and are not read yet, in one buffer, so that it stays in the processor's cache. Only what is left of a
 * chunk is copied, in front of the next. Memory is bounded by a chunk and the longest record that is waited for, not by
 * the file.
 */
export class ByteQueue {
  bytes: Uint8Array = new Uint8Array(0);
  view = new DataView(this.bytes.buffer);
  /** Where the next unread byte is in `bytes`. */
  at = 0;
  /** Bytes read so far: where in the file the next unread byte is. */
  position = 0;
  #end = 0;
  readonly #place: Place;

  constructor(place: Place = (length) => new Uint8Array(length)) {
    this.#place = place;
  }

  get length(): number {
    return this.#end - this.at;
  }

  /** Room for `count` more bytes. What was taken from `bytes` before is stale. */
  room(count: number): Uint8Array {
    if (this.#end + count > this.bytes.length) this.#makeRoom(count);
    return this.bytes.subarray(this.#end, this.#end + count);
  }

  /** The first `count` bytes of the room were filled. */
  filled(count: number): void {
    this.#end += count;
  }

  /** `count` bytes were read. */
  skip(count: number): void {
    this.at += count;
    this.position += count;
  }

  #makeRoom(count: number): void {
    const { bytes, length } = this;
    const unread = bytes.subarray(this.at, this.#end);
    const head = Math.max(HEADROOM, length);
    // Twice what is there: a long record made of many chunks is copied a bounded number of times.
    if (bytes.length < head + count) this.#use(this.#place(head + Math.max(head, count)));
    this.at = head - length;
    this.#end = head;
    this.bytes.set(unread, this.at);
  }

  #use(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }
}
