/**
 * Follows TLS records by their headers alone (RFC 8446 §5.1), to notice where they end and plain text resumes: CCC
 * (RFC 4217 §12.3) is itself encrypted, so that its effect is all one can see.
 */

//   1 byte   2 bytes   2 bytes
//  | type  | version | length | fragment ...
const HEADER = 5;
const FIRST_TYPE = 20;
const LAST_TYPE = 24;
const MAJOR = 3;
/** RFC 5246 §6.2.3: 2^14 bytes and up to 2,048 of expansion. */
const LONGEST = 2 ** 14 + 2048;

/** Where the records stop: `end` is the first byte that is none; `broken`: what looked like a record is none. */
export interface Skipped {
  readonly end: number;
  readonly broken: boolean;
}

export const startsTls = (byte: number): boolean => byte >= FIRST_TYPE && byte <= LAST_TYPE;

export class TlsRecords {
  readonly #header = new Uint8Array(HEADER);
  #headerBytes = 0;
  #left = 0;

  /** Skips records in `bytes` from `start` on, across calls. */
  skip(bytes: Uint8Array, start: number): Skipped {
    let at = start;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, bytes.length - at);
        this.#left -= step;
        at += step;
        continue;
      }
      if (this.#headerBytes === 0 && !startsTls(bytes[at]!)) return { end: at, broken: false };
      this.#header[this.#headerBytes++] = bytes[at++]!;
      if (this.#headerBytes === HEADER && !this.#begin()) return { end: at, broken: true };
    }
    return { end: at, broken: false };
  }

  #begin(): boolean {
    this.#headerBytes = 0;
    this.#left = (this.#header[3]! << 8) | this.#header[4]!;
    return this.#header[1] === MAJOR && this.#left <= LONGEST;
  }
}
