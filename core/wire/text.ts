/** Byte scanners for text protocols. Nothing here copies, allocates or backtracks, except `latin1`, which makes text. */

export const HT = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;

export const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;
export const isBlank = (byte: number | undefined): boolean => byte === SPACE || byte === HT;

export const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
export const isLetter = (byte: number | undefined): boolean =>
  byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;

/** Bytes `[start, end)` as text, one character for each byte. For short pieces; it builds the string byte by byte. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}

/** Text of one byte a character (anything above 255 loses its upper bits) as bytes. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  putText(text, bytes, 0);
  return bytes;
}

/** The same into `bytes` from `at` on. Returns where it ends. */
export function putText(text: string, bytes: Uint8Array, at: number): number {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** The first byte at or after `at` that is no blank, at most `end`. */
export function skipBlanks(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && isBlank(bytes[at])) at++;
  return at;
}

/** The first byte at or after `at` that is no decimal digit, at most `end`. */
export function skipDigits(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && isDigit(bytes[at])) at++;
  return at;
}

/** The decimal number of the digits `[start, end)`; more than nine digits are `Infinity`, so that nothing wraps. */
export function decimal(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > 9) return Number.POSITIVE_INFINITY;
  let value = 0;
  for (let at = start; at < end; at++) value = value * 10 + (bytes[at]! - 0x30);
  return value;
}
