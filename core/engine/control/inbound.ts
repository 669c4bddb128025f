/**
 * What comes in of one direction: bytes in order, each once, first bytes win (RFC 9293 §3.10.7.4). What came before its
 * turn is kept within bounds. Offsets count from the byte behind the sender's SYN; the FIN is the last one.
 */
import { Pieces } from "../../inspect/pieces.ts";

/** Kept before their turn; the window is no larger, so only pieces can be too many. */
export const MOST_KEPT = 256 * 1024;
const MOST_PIECES = 256;
const UNKNOWN = -1;

export class Inbound {
  readonly #pieces = new Pieces();
  /** Anything is kept. */
  waiting = false;
  /** Everything before this was read, the FIN included. */
  next = 0;
  /** Data was read up to the FIN, and that too. */
  finished = false;
  /** Where the sender has ended, if it said so. */
  #fin = UNKNOWN;
  /** Where the segment that came last out of order began. */
  #latest = 0;

  /** The sender has said where it ends. */
  get ending(): boolean {
    return this.#fin !== UNKNOWN;
  }

  /** Keeps bytes from `at` on. False: their turn has not come, and there is no room. */
  keep(at: number, bytes: Uint8Array): boolean {
    const full = this.#pieces.count >= MOST_PIECES || this.#pieces.held + bytes.length > MOST_KEPT;
    if (full && at > this.next) return false;
    this.#pieces.add(at, bytes, 0);
    this.waiting = this.#pieces.count > 0;
    this.#latest = at;
    return true;
  }

  /** Bytes whose turn it is, taken out of what was kept; null: none. */
  take(): Uint8Array | null {
    if (!this.waiting || this.#pieces.first!.at !== this.next) return null;
    const { at, bytes } = this.#pieces.shift()!;
    this.waiting = this.#pieces.count > 0;
    if (this.#latest < at + bytes.length) this.#latest = this.#pieces.first?.at ?? 0;
    return bytes;
  }

  /** The sender says that it ends at `offset`. Data that lies behind contradicts that, and counts. */
  finish(offset: number): void {
    if (this.#fin === UNKNOWN && offset >= this.next && !this.#reaches(offset)) this.#fin = offset;
  }

  /** Data up to `offset` is there. A FIN before it was none. */
  data(offset: number): void {
    if (!this.finished && offset > this.#fin) this.#fin = UNKNOWN;
  }

  /** All data is read, and the FIN is next: reads it. */
  takeFin(): boolean {
    if (this.finished || this.#fin !== this.next) return false;
    this.finished = true;
    this.next++;
    return true;
  }

  /** What to acknowledge selectively (RFC 2018 §4): runs of kept bytes into `edges`, that of the latest first. */
  runs(edges: Float64Array, most: number): number {
    let count = 1;
    for (let i = 0; i < this.#pieces.count; ) {
      const start = this.#pieces.piece(i)!.at;
      const behind = this.#runFrom(i);
      const { at, bytes } = this.#pieces.piece(behind - 1)!;
      const end = at + bytes.length;
      i = behind;
      const latest = this.#latest >= start && this.#latest < end;
      if (!latest && count >= most) continue;
      const slot = latest ? 0 : count++;
      edges[slot * 2] = start;
      edges[slot * 2 + 1] = end;
    }
    return this.waiting ? count : 0;
  }

  /** Behind the last piece of the run that begins with piece `i`. */
  #runFrom(i: number): number {
    let behind = i + 1;
    for (let end = endOf(this.#pieces, i); this.#pieces.piece(behind)?.at === end; behind++) {
      end = endOf(this.#pieces, behind);
    }
    return behind;
  }

  #reaches(offset: number): boolean {
    return this.waiting && endOf(this.#pieces, this.#pieces.count - 1) > offset;
  }
}

function endOf(pieces: Pieces, i: number): number {
  const { at, bytes } = pieces.piece(i)!;
  return at + bytes.length;
}
