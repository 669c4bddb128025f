import { copyBytes } from "../wire/bytes.ts";
import { putText } from "../wire/text.ts";

/** Text (one byte a character) in the place of bytes `[start, end)`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** `bytes` with `edits` made, which ascend and do not overlap. Without edits, `bytes` itself. */
export function splice(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  if (edits.length === 0) return bytes;
  let { length } = bytes;
  for (const { start, end, text } of edits) length += text.length - (end - start);
  const out = new Uint8Array(length);
  let from = 0;
  let to = 0;
  for (const { start, end, text } of edits) {
    to = putText(text, out, copyBytes(bytes, from, start, out, to));
    from = end;
  }
  copyBytes(bytes, from, bytes.length, out, to);
  return out;
}
