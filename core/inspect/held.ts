import { copyBytes } from "../wire/bytes.ts";

/**
 * Bytes of one direction that were shown and not consumed: the beginning of an incomplete message, or what waits behind
 * a barrier. What is held is never written to, so that whoever was handed it may keep it; an idle connection holds none.
 */
export const NOTHING = new Uint8Array(0);

const SMALLEST = 1024;

/** A copy. Not `bytes.slice()`: that of a Node Buffer shares its memory, and would keep the whole of a read for a byte. */
export function kept(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  if (start >= end) return NOTHING;
  const copy = new Uint8Array(end - start);
  copyBytes(bytes, start, end, copy, 0);
  return copy;
}

/** What is held, with bytes `[start, end)` behind it: a copy. */
export function joined(held: Uint8Array, bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  const all = new Uint8Array(held.length + end - start);
  joinInto(all, held, bytes, start, end);
  return all;
}

/** The same into `all`. */
export function joinInto(all: Uint8Array, held: Uint8Array, bytes: Uint8Array, start: number, end: number): void {
  copyBytes(bytes, start, end, all, copyBytes(held, 0, held.length, all, 0));
}

/** Memory that is used again and again. */
export class Room {
  #bytes = NOTHING;

  /** So many bytes or more: what was in them is gone. */
  reach(length: number): Uint8Array {
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(Math.max(SMALLEST, 2 * length));
    return this.#bytes;
  }
}
