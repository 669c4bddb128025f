/**
 * Bytes that arrived and are not read yet. Memory is bounded by one chunk and the longest record that is waited for, not
 * by the file: a chunk is read in place, and only a record that spans chunks is copied together.
 */
export class ByteQueue {
  bytes = new Uint8Array(0);
  /** Where the next unread byte is in `bytes`. */
  at = 0;
  /** Bytes read so far: where in the file the next unread byte is. */
  position = 0;
  #end = 0;
  #owned = false;

  get length(): number {
    return this.#end - this.at;
  }

  /** Takes the chunk over: its bytes must not change until all of them were read. */
  append(chunk: Uint8Array): void {
    const unread = this.length;
    if (unread === 0) {
      this.bytes = chunk as Uint8Array<ArrayBuffer>;
      this.at = 0;
      this.#end = chunk.length;
      this.#owned = false;
      return;
    }
    if (!this.#owned || this.#end + chunk.length > this.bytes.length) this.#grow(unread + chunk.length);
    this.bytes.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** `count` bytes were read. */
  skip(count: number): void {
    this.at += count;
    this.position += count;
  }

  /** Twice what is needed, so that a long record made of many chunks is copied a bounded number of times. */
  #grow(needed: number): void {
    const larger = new Uint8Array(needed * 2);
    larger.set(this.bytes.subarray(this.at, this.#end));
    this.#end -= this.at;
    this.at = 0;
    this.bytes = larger;
    this.#owned = true;
  }
}
