const NOTHING = new Uint8Array(0);

/** Not `bytes.slice()`: that of a Node Buffer shares its memory, and would keep the whole of a read for one held byte. */
const copy = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

/**
 * Bytes of one direction that were shown and not consumed: the beginning of an incomplete message, or what waits behind
 * a barrier. Each change makes a new array, so that whoever was handed the earlier bytes may keep them; an idle
 * connection holds none.
 */
export class HeldBytes {
  #bytes: Uint8Array = NOTHING;

  get length(): number {
    return this.#bytes.length;
  }

  put(bytes: Uint8Array): void {
    this.#bytes = bytes.length === 0 ? NOTHING : copy(bytes);
  }

  append(bytes: Uint8Array): void {
    this.#bytes = this.#bytes.length === 0 ? copy(bytes) : this.#with(bytes);
  }

  /** Takes all that is held out, with `bytes` behind it. */
  take(bytes: Uint8Array = NOTHING): Uint8Array {
    const all = this.#with(bytes);
    this.#bytes = NOTHING;
    return all;
  }

  #with(bytes: Uint8Array): Uint8Array {
    if (this.#bytes.length === 0) return bytes;
    const all = new Uint8Array(this.#bytes.length + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, this.#bytes.length);
    return all;
  }
}
