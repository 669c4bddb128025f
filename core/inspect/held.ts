/**
 * Bytes of one direction that were shown and not consumed: the beginning of an incomplete message, or what waits behind
 * a barrier. What is held is never written to, so that whoever was handed it may keep it; an idle connection holds none.
 */
export const NOTHING = new Uint8Array(0);

/** A copy. Not `bytes.slice()`: that of a Node Buffer shares its memory, and would keep the whole of a read for a byte. */
export const kept = (bytes: Uint8Array): Uint8Array => (bytes.length === 0 ? NOTHING : new Uint8Array(bytes));

/** What is held, with `bytes` behind it; a copy, if anything is held. */
export function joined(held: Uint8Array, bytes: Uint8Array): Uint8Array {
  if (held.length === 0) return bytes;
  const all = new Uint8Array(held.length + bytes.length);
  all.set(held);
  all.set(bytes, held.length);
  return all;
}
