/** The first line of an answer of HTTP and its kin (RFC 9112 §4, RFC 2326 §7.1): `HTTP/1.1 200 OK`. */
const SPACE = 32;
const LF = 10;

/** Its status; undefined: the line is not whole; null: it is no such line. */
export function statusOf(bytes: Uint8Array, protocol: string): number | null | undefined {
  for (let i = 0; i < Math.min(bytes.length, protocol.length); i++) {
    if (bytes[i] !== protocol.charCodeAt(i)) return null;
  }
  const end = bytes.indexOf(LF);
  if (end < 0) return undefined;
  const at = bytes.indexOf(SPACE) + 1;
  if (at === 0 || at + 3 > end) return null;
  let status = 0;
  for (let i = at; i < at + 3; i++) {
    const digit = bytes[i]! - 48;
    if (digit < 0 || digit > 9) return null;
    status = status * 10 + digit;
  }
  return bytes[at + 3]! <= SPACE ? status : null;
}
