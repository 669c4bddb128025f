/** Numbers in bytes, by offset: network byte order (RFC 791, appendix B) unless the name or an argument says otherwise. */

export const u16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;

export const u32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

/** The same 32 bits as a signed number, which V8 needs no memory for. */
export const i32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;

export function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export const u16le = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);

export const u32le = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;

export const i32le = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);

/** How a file's writer laid its numbers out. */
export interface ByteOrder {
  readonly big: boolean;
  readonly u16: (bytes: Uint8Array, at: number) => number;
  readonly u32: (bytes: Uint8Array, at: number) => number;
  readonly i32: (bytes: Uint8Array, at: number) => number;
}

export const bigEndian: ByteOrder = { big: true, u16, u32, i32 };
export const littleEndian: ByteOrder = { big: false, u16: u16le, u32: u32le, i32: i32le };

/** Below this many bytes, one by one is faster than `set` and the view that it needs. */
const FEW = 96;

/** Copies bytes `[start, end)` of `from` to `at` in `to`. Returns where they end. */
export function copyBytes(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): number {
  if (end - start > FEW) {
    to.set(from.subarray(start, end), at);
    return at + end - start;
  }
  const shift = at - start;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    to[i + shift] = from[i]!;
    to[i + shift + 1] = from[i + 1]!;
    to[i + shift + 2] = from[i + 2]!;
    to[i + shift + 3] = from[i + 3]!;
  }
  for (; i < end; i++) to[i + shift] = from[i]!;
  return end + shift;
}

/** The same by words, at a quarter of the cost; between views of which neither may lie over the other. */
export function copyWords(from: DataView, start: number, end: number, to: DataView, at: number): number {
  const shift = at - start;
  let i = start;
  for (; i + 16 <= end; i += 16) copyFour(from, i, to, i + shift);
  for (; i + 4 <= end; i += 4) to.setInt32(i + shift, from.getInt32(i, true), true);
  if (i < end && end - start >= 4) {
    // The last word, some bytes of which are there already.
    to.setInt32(end - 4 + shift, from.getInt32(end - 4, true), true);
    return end + shift;
  }
  for (; i < end; i++) to.setUint8(i + shift, from.getUint8(i));
  return end + shift;
}

/** Four words: all are read before one is written, and in the byte order of the machine. */
function copyFour(from: DataView, i: number, to: DataView, at: number): void {
  const first = from.getInt32(i, true);
  const second = from.getInt32(i + 4, true);
  const third = from.getInt32(i + 8, true);
  const fourth = from.getInt32(i + 12, true);
  to.setInt32(at, first, true);
  to.setInt32(at + 4, second, true);
  to.setInt32(at + 8, third, true);
  to.setInt32(at + 12, fourth, true);
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

let shown: Uint8Array = new Uint8Array(0);
let shownView = viewOf(shown);

/** The view of bytes that are the same each time: of a batch, say. */
export function sameView(bytes: Uint8Array): DataView {
  if (bytes !== shown) {
    shown = bytes;
    shownView = viewOf(bytes);
  }
  return shownView;
}

/** Bytes `[start, end)`; all of them need no view of their own. */
export const part = (bytes: Uint8Array, start: number, end: number): Uint8Array =>
  start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
