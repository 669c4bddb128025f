/**
 * Reading at full speed. Node hands out what it reads in fresh buffers of at most 64 KiB, and clearing them away costs
 * more than the copying. A connection that the director makes itself may read into one large buffer of its own instead
 * (`onread` of net.connect). There are so many of these; further connections read in the ordinary way.
 */
import type { OnReadOpts, Socket } from "node:net";

const SIZE = 256 * 1024;
const MOST = 256;

const idle: Buffer[] = [];
let lent = 0;

export class Reader {
  readonly #buffer: Buffer;
  #take: (bytes: Buffer) => boolean = () => false;
  #closed = false;
  /** Writes out of the buffer that have not been confirmed. */
  #writing = 0;

  private constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  /** Null: all are in use. */
  static borrow(): Reader | null {
    if (lent >= MOST) return null;
    lent++;
    return new Reader(idle.pop() ?? Buffer.allocUnsafeSlow(SIZE));
  }

  /** For net.connect. */
  get onread(): OnReadOpts {
    return { buffer: this.#buffer, callback: (length, buffer) => this.#take((buffer as Buffer).subarray(0, length)) };
  }

  /** Writes what `from` reads to `to`; reads on when all of it is out. `moved` whenever bytes move. */
  pump(from: Socket, to: Socket, moved: () => void): void {
    let waiting = false;
    const written = (): void => {
      this.#writing--;
      if (this.#closed) return this.#giveBack();
      if (!waiting || to.writableLength > 0) return;
      waiting = false;
      moved();
      from.resume();
    };
    this.#take = (bytes) => {
      moved();
      if (to.destroyed) return false;
      this.#writing++;
      to.write(bytes, written);
      // What the kernel took at once is out of the buffer; for the rest the buffer must stand still.
      waiting = to.writableLength > 0;
      return !waiting;
    };
  }

  /** The socket that reads into it is closed. */
  close(): void {
    this.#closed = true;
    this.#giveBack();
  }

  #giveBack(): void {
    if (this.#writing > 0) return;
    lent--;
    idle.push(this.#buffer);
  }
}
