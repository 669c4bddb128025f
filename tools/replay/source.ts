/** The bytes of a capture: of a file or of standard input, decompressed where they are compressed. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type Decompressor, decompressorFor, isCompressed, MAGIC } from "./decompress.ts";

/**
 * Bytes read at once: few enough to be in the processor's own cache still when they are used. That is worth more than a
 * second thread that reads ahead, from whose cache they would have to be fetched.
 */
const CHUNK = 256 * 1024;

/** Standard input, by its usual name. */
export const STDIN = "-";

export interface Receiver {
  /** Where the next `count` bytes, or fewer, are to be put. */
  room(count: number): Uint8Array;
  /** So many were put there. */
  filled(count: number): void;
  /** Uses what was put there so far. False: enough. */
  use(): boolean;
  /** So many bytes of the source were read; it has `size` (null: nobody knows). */
  progress(read: number, size: number | null): void;
}

/** Gives the bytes of `file` to `receiver`, in bounded memory. Text: why they end before their end. */
export async function pour(file: string, stdin: AsyncIterable<Uint8Array>, receiver: Receiver): Promise<string | null> {
  if (file === STDIN) return pourChunks(recognizable(stdin), receiver, null);
  let handle = -1;
  try {
    handle = openSync(file, "r");
    return await pourFile(handle, receiver);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    if (handle >= 0) closeSync(handle);
  }
}

async function pourFile(handle: number, receiver: Receiver): Promise<string | null> {
  const stat = fstatSync(handle);
  if (!stat.isFile()) return pourChunks(recognizable(chunksOf(handle)), receiver, null);
  const { size } = stat;
  const first = receiver.room(CHUNK);
  let count = readSync(handle, first);
  if (isCompressed(first.subarray(0, count))) {
    return pourChunks(chunksOf(handle, first.slice(0, count)), receiver, size);
  }
  for (let read = count; count > 0; read += count) {
    receiver.filled(count);
    if (!receiver.use()) return null;
    receiver.progress(read, size);
    count = readSync(handle, receiver.room(CHUNK));
  }
  return null;
}

function* chunksOf(handle: number, first?: Uint8Array): Generator<Uint8Array> {
  if (first !== undefined) yield first;
  for (;;) {
    const chunk = new Uint8Array(CHUNK);
    const count = readSync(handle, chunk);
    if (count === 0) return;
    yield chunk.subarray(0, count);
  }
}

type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Of a pipe the first chunk may be too short to tell what follows: the same bytes, in a first chunk that is not. */
async function* recognizable(chunks: Chunks): AsyncGenerator<Uint8Array> {
  let head: Uint8Array | null = new Uint8Array(0);
  for await (const chunk of chunks) {
    if (head === null) {
      yield chunk;
      continue;
    }
    head = joined(head, chunk);
    if (head.length < MAGIC) continue;
    yield head;
    head = null;
  }
  if (head !== null) yield head;
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const whole = new Uint8Array(head.length + tail.length);
  whole.set(head);
  whole.set(tail, head.length);
  return whole;
}

async function pourChunks(chunks: Chunks, receiver: Receiver, size: number | null): Promise<string | null> {
  let read = 0;
  let decompressor: Decompressor | null = null;
  for await (const chunk of chunks) {
    if (read === 0 && isCompressed(chunk)) decompressor = await decompressorFor(chunk, (bytes) => put(receiver, bytes));
    read += chunk.length;
    const more = decompressor === null ? put(receiver, chunk) : await decompressor.push(chunk);
    if (!more) break;
    receiver.progress(read, size);
  }
  return (await decompressor?.end()) ?? null;
}

function put(receiver: Receiver, bytes: Uint8Array): boolean {
  receiver.room(bytes.length).set(bytes);
  receiver.filled(bytes.length);
  return receiver.use();
}
