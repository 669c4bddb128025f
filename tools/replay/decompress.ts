import { createGunzip, type Gunzip } from "node:zlib";

/** Takes decompressed bytes. False: enough. */
type Use = (bytes: Uint8Array) => boolean;

/** So many bytes tell whether something is compressed. */
export const MAGIC = 4;

/** RFC 1952 §2.3.1. */
const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

export const isCompressed = isGzip;

/**
 * gzip, a chunk in and what it holds out. Each chunk is waited for, so memory is bounded. The end is told only when
 * everything was given out: of data that is cut short zlib throws the last piece away if it knows of the end before.
 */
export class Decompressor {
  readonly #gunzip: Gunzip;
  /** Settled when it is over, well or not. */
  readonly #closed: Promise<void>;
  #written = (): void => {};
  #enough = false;
  #failure: string | null = null;
  #read = 0;

  constructor(use: Use) {
    this.#gunzip = createGunzip({ chunkSize: 256 * 1024 });
    this.#closed = new Promise((resolve) => {
      this.#gunzip.once("close", () => {
        // A write that fails is not called back.
        this.#written();
        resolve();
      });
    });
    this.#gunzip.on("data", (bytes: Uint8Array) => {
      if (!this.#enough) this.#enough = !use(bytes);
    });
    this.#gunzip.on("error", ({ message }) => {
      this.#failure = `gzip: ${message} (${this.#read} bytes of it were read)`;
    });
  }

  /** False: no more is wanted, or can be read. */
  async push(chunk: Uint8Array): Promise<boolean> {
    this.#read += chunk.length;
    await new Promise<void>((resolve) => {
      this.#written = resolve;
      this.#gunzip.write(chunk, () => resolve());
    });
    return !this.#enough && this.#failure === null;
  }

  /** What is wrong with the whole, if anything is. */
  async end(): Promise<string | null> {
    if (this.#enough) this.#gunzip.destroy();
    else this.#gunzip.end();
    await this.#closed;
    return this.#failure;
  }
}
