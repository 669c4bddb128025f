/** Compressed captures: a chunk in, and what it holds out, in bounded memory. */
import type { Gunzip } from "node:zlib";

/** Takes decompressed bytes. False: enough. */
type Use = (bytes: Uint8Array) => boolean;

export interface Decompressor {
  /** False: no more is wanted, or can be read. */
  push(chunk: Uint8Array): Promise<boolean>;
  /** There is no more. Text: what is wrong with the whole, if anything is. */
  end(): Promise<string | null>;
}

/** So many bytes tell whether something is compressed. */
export const MAGIC = 4;

/** RFC 1952 §2.3.1. */
const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** RFC 8878 §3.1.1, §3.1.2: a frame, or one to be skipped, in which the first four bits are free. */
function isZstd(bytes: Uint8Array): boolean {
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  return (
    (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) || (a >>> 4 === 5 && b === 0x2a && c === 0x4d && d === 0x18)
  );
}

export const isCompressed = (bytes: Uint8Array): boolean => isGzip(bytes) || isZstd(bytes);

/** What reads that which begins like `bytes`. */
export const decompressorFor = (bytes: Uint8Array, use: Use): Promise<Decompressor> =>
  isGzip(bytes) ? gzipDecompressor(use) : zstdDecompressor(use);

/** Loaded when it is needed, as what reads zstd is. */
async function gzipDecompressor(use: Use): Promise<Decompressor> {
  const { createGunzip } = await import("node:zlib");
  return new GzipDecompressor(createGunzip({ chunkSize: 256 * 1024 }), use);
}

/**
 * Each chunk is waited for. The end is told only when everything was given out: of data that is cut short zlib throws the
 * last piece away if it knows of the end before.
 */
class GzipDecompressor implements Decompressor {
  readonly #gunzip: Gunzip;
  /** Settled when it is over, well or not. */
  readonly #closed: Promise<void>;
  #written = (): void => {};
  #enough = false;
  #failure: string | null = null;
  #read = 0;

  constructor(gunzip: Gunzip, use: Use) {
    this.#gunzip = gunzip;
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
      this.#failure = failureText("gzip", message, this.#read);
    });
  }

  async push(chunk: Uint8Array): Promise<boolean> {
    this.#read += chunk.length;
    await new Promise<void>((resolve) => {
      this.#written = resolve;
      this.#gunzip.write(chunk, () => resolve());
    });
    return !this.#enough && this.#failure === null;
  }

  async end(): Promise<string | null> {
    if (this.#enough) this.#gunzip.destroy();
    else this.#gunzip.end();
    await this.#closed;
    return this.#failure;
  }
}

const failureText = (format: string, message: string, read: number): string =>
  `${format}: ${message} (${read} bytes of it were read)`;

/** Node has zstd from 22.15 on only; fzstd is JavaScript, and loaded when it is needed. */
async function zstdDecompressor(use: Use): Promise<Decompressor> {
  const { Decompress } = await import("fzstd");
  let enough = false;
  let failure: string | null = null;
  let read = 0;
  const stream = new Decompress((bytes) => {
    if (!enough) enough = !use(bytes);
  });
  const push = (chunk: Uint8Array, last: boolean): void => {
    if (failure !== null) return;
    read += chunk.length;
    try {
      stream.push(chunk, last);
    } catch (error) {
      failure = failureText("zstd", error instanceof Error ? error.message : String(error), read);
    }
  };
  return {
    async push(chunk) {
      push(chunk, false);
      return !enough && failure === null;
    },
    async end() {
      if (!enough) push(new Uint8Array(0), true);
      return failure;
    },
  };
}
