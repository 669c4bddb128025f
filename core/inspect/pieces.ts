/** A run of stream bytes that came before those in front of it. */
export interface Piece {
  /** Stream offset of the first byte. */
  readonly at: number;
  readonly bytes: Uint8Array;
  /** The frame that brought it. */
  readonly frame: number;
}

/**
 * Out-of-order bytes of one direction of a TCP stream, ascending and disjoint. Where a later segment says other bytes
 * for a place, those that came first stand: the receiver has acted on them (or may have), and so must we.
 */
export class Pieces {
  readonly #pieces: Piece[] = [];
  /** Bytes held. */
  held = 0;

  get count(): number {
    return this.#pieces.length;
  }

  get first(): Piece | undefined {
    return this.#pieces[0];
  }

  /** Copies (not `slice`: that of a Node Buffer shares its memory) of those bytes for stream offset `at` that are new. */
  add(at: number, bytes: Uint8Array, frame: number): void {
    const end = at + bytes.length;
    let index = this.#after(at);
    let from = at;
    while (from < end) {
      const next = this.#pieces[index];
      const until = next === undefined ? end : Math.min(end, next.at);
      if (until > from) {
        this.#pieces.splice(index++, 0, {
          at: from,
          bytes: new Uint8Array(bytes.subarray(from - at, until - at)),
          frame,
        });
        this.held += until - from;
      }
      if (next === undefined) return;
      from = Math.max(from, next.at + next.bytes.length);
      index++;
    }
  }

  piece(index: number): Piece | undefined {
    return this.#pieces[index];
  }

  /** Takes the first piece out. */
  shift(): Piece | undefined {
    const piece = this.#pieces.shift();
    this.held -= piece?.bytes.length ?? 0;
    return piece;
  }

  /** The first piece that ends behind `at`, by halving. */
  #after(at: number): number {
    let low = 0;
    let high = this.#pieces.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { at: start, bytes } = this.#pieces[middle]!;
      if (start + bytes.length > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
