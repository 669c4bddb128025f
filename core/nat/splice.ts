import { copyBytes } from "../wire/bytes.ts";
import { putText } from "../wire/text.ts";

/** Text (one byte a character) in the place of bytes `[start, end)`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** How long what is `length` long becomes with `edits` made. */
export function splicedLength(length: number, edits: readonly Edit[]): number {
  let spliced = length;
  for (const { start, end, text } of edits) spliced += text.length - (end - start);
  return spliced;
}

/** Bytes `[first, last)` into `out`, from its beginning on, with `edits` made, which ascend, do not overlap, and count from `first`. */
export function splice(bytes: Uint8Array, first: number, last: number, edits: readonly Edit[], out: Uint8Array): void {
  let from = first;
  let to = 0;
  for (const { start, end, text } of edits) {
    to = putText(text, out, copyBytes(bytes, from, first + start, out, to));
    from = first + end;
  }
  copyBytes(bytes, from, last, out, to);
}
