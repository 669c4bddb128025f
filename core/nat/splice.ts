import { bytesOf } from "../wire/text.ts";

/** Text (one byte a character) in the place of bytes `[start, end)`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** `bytes` with `edits` made, which ascend and do not overlap. Without edits, `bytes` itself. */
export function splice(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  if (edits.length === 0) return bytes;
  const length = edits.reduce((sum, { start, end, text }) => sum + text.length - (end - start), bytes.length);
  const out = new Uint8Array(length);
  let from = 0;
  let to = 0;
  for (const { start, end, text } of edits) {
    out.set(bytes.subarray(from, start), to);
    to += start - from;
    out.set(bytesOf(text), to);
    to += text.length;
    from = end;
  }
  out.set(bytes.subarray(from), to);
  return out;
}
