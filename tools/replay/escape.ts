/** Code points that change how the text around them is shown: bidirectional marks, embeddings, overrides, isolates. */
const BIDI: ReadonlySet<number> = new Set([
  0x061c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069,
]);

/**
 * Text from a capture or a file name as a terminal may show it: control characters (ESC among them), line and paragraph
 * separators and bidirectional marks are written out.
 */
export function inert(text: string): string {
  let shown = "";
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const control = code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x2028 || code === 0x2029;
    shown += control || BIDI.has(code) ? `\\u{${code.toString(16)}}` : character;
  }
  return shown;
}
