/** What is not read yet is moved to the front of the buffer once for so many chunks. */
const CHUNKS = 4;

/**
 * Bytes that arrived and are not read yet, in one buffer that is filled again and again: memory is bounded by a few chunks
 * and the longest record that is waited for, not by the file.
 */
export class ByteQueue {
  bytes = new Uint8Array(0);
  /** The same bytes, for the numbers in them. */
  view = new DataView(this.bytes.buffer);
  /** Where the next unread byte is in `bytes`. */
  at = 0;
  /** Bytes read so far: where in the file the next unread byte is. */
  position = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.at;
  }

  /** Room for `count` more bytes, behind those that are not read yet. Those may move: what was taken from `bytes` is stale. */
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
    const unread = this.length;
    if (unread + count <= this.bytes.length) this.bytes.copyWithin(0, this.at, this.#end);
    else {
      // More than is needed now, so that a long record made of many chunks is copied a bounded number of times.
      const larger = new Uint8Array(Math.max(count * CHUNKS, count + unread * 2));
      larger.set(this.bytes.subarray(this.at, this.#end));
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    this.at = 0;
    this.#end = unread;
  }
}
