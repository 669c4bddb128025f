/**
 * Room in front of a chunk for what is left of the one before: nearly always a part of a record. Half a page more than pages:
 * where the kernel copies from the start of one to just behind that of another, some processors take three times as long.
 */
const HEADROOM = 16.5 * 4096;

interface Side {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same bytes, for the numbers in them. */
  readonly view: DataView<ArrayBuffer>;
}

function makeSide(length: number): Side {
  const bytes = new Uint8Array(length);
  return { bytes, view: new DataView(bytes.buffer) };
}

/**
 * Bytes that arrived and are not read yet, in two buffers of which one is filled while the other is read. Only what is left
 * then is copied. Memory is bounded by a few chunks and the longest record that is waited for, not by the file.
 */
export class ByteQueue {
  bytes = new Uint8Array(0);
  view = new DataView(this.bytes.buffer);
  /** Where the next unread byte is in `bytes`. */
  at = 0;
  /** Bytes read so far: where in the file the next unread byte is. */
  position = 0;
  #end = 0;
  #other = makeSide(0);
  /** Room was given in the other buffer, behind HEADROOM. */
  #turning = false;

  get length(): number {
    return this.#end - this.at;
  }

  /** Room for `count` more bytes. While it is filled, what is there already can be read. */
  room(count: number): Uint8Array<ArrayBuffer> {
    const end = this.#end;
    this.#turning = end + count > this.bytes.length;
    if (!this.#turning) return this.bytes.subarray(end, end + count);
    if (this.#other.bytes.length < HEADROOM + count) this.#other = makeSide(HEADROOM + Math.max(HEADROOM, count));
    return this.#other.bytes.subarray(HEADROOM, HEADROOM + count);
  }

  /** The first `count` bytes of the room were filled. What was taken from `bytes` before is stale. */
  filled(count: number): void {
    if (this.#turning) this.#turn(count);
    this.#end += count;
  }

  /** `count` bytes were read. */
  skip(count: number): void {
    this.at += count;
    this.position += count;
  }

  /** Goes on in the other buffer, or in a larger one; what is not read yet stands before the `count` bytes there. */
  #turn(count: number): void {
    const { bytes, view, length } = this;
    const unread = bytes.subarray(this.at, this.#end);
    if (length <= HEADROOM) this.#use(this.#other, HEADROOM - length);
    else {
      // More than is needed now, so that a long record made of many chunks is copied a bounded number of times.
      const arrived = this.#other.bytes.subarray(HEADROOM, HEADROOM + count);
      this.#use(makeSide(2 * (length + count)), 0);
      this.bytes.set(arrived, length);
    }
    this.bytes.set(unread, this.at);
    this.#end = this.at + length;
    this.#other = { bytes, view };
  }

  #use({ bytes, view }: Side, at: number): void {
    this.bytes = bytes;
    this.view = view;
    this.at = at;
  }
}
