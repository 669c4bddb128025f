import { u32 } from "../bytes.ts";
import type { CaptureFormat, CommonRecords } from "./common.ts";
import { type Damage, Frame } from "./frame.ts";
import { PcapDecoder, pcapByteOrder } from "./pcap.ts";
import { PcapngDecoder, SECTION_HEADER } from "./pcapng.ts";
import { ByteQueue } from "./queue.ts";

export type { Damage, Frame } from "./frame.ts";

/** The kind of a pppdump file's first record, which says when it was begun in four bytes; then comes one of six kinds. */
const PPPDUMP_BEGIN = 7;

/**
 * Reads a capture file of either format, a chunk at a time:
 *
 *   for each chunk:  reader.push(chunk); while (reader.next()) use(reader.frame)
 *   or:              reader.filled(fill(reader.room(count))); while ... the same, without a copy
 *   or:              while (reader.next()) { use(reader.frame); take(reader.queue, reader.common); reader.took(...) }
 *   at its end:      reader.end(); reader.damage says whether, and where, the file is broken
 *
 * What stands before the damage is read as if nothing were wrong; what stands behind it is not read.
 */
export class CaptureReader {
  readonly frame = new Frame();
  /** Frames read so far; the number of the present one, as Wireshark counts. */
  frames = 0;
  /** Bytes of theirs that were captured. */
  captured = 0;
  damage: Damage | null = null;
  #decoder: PcapDecoder | PcapngDecoder | null = null;
  /** The bytes that are not read yet. */
  readonly queue: ByteQueue;

  /** In memory of its owner's, where he wants it there. */
  constructor(queue = new ByteQueue()) {
    this.queue = queue;
  }

  /** Null until the first bytes tell. */
  get format(): CaptureFormat | null {
    return this.#decoder?.format ?? null;
  }

  /** The link types that the file has declared so far. */
  get linkTypes(): readonly number[] {
    return this.#decoder?.linkTypes ?? [];
  }

  /** Bytes of the file that were read so far. */
  get position(): number {
    return this.queue.position;
  }

  /** The next bytes of the file, which are copied. All frames of earlier ones must have been read. */
  push(chunk: Uint8Array): void {
    this.room(chunk.length).set(chunk);
    this.filled(chunk.length);
  }

  /** Where the next `count` bytes of the file, or fewer, are to be put. The present frame's bytes are stale then. */
  room(count: number): Uint8Array {
    return this.queue.room(count);
  }

  /** So many bytes were put there. */
  filled(count: number): void {
    this.queue.filled(count);
  }

  /** Fills `frame` with the next frame. False: none without more bytes. */
  next(): boolean {
    if (this.damage !== null) return false;
    if (this.#decoder === null && !this.#detect()) return false;
    const result = this.#decoder!.next(this.queue, this.frame);
    if (result === true) {
      this.frames++;
      this.captured += this.frame.end - this.frame.start;
      return true;
    }
    if (result !== false) this.damage = result;
    return false;
  }

  /** What the records are like that come next, for who takes them where they lie; null: `next` has to tell. */
  get common(): CommonRecords | null {
    return this.damage === null ? (this.#decoder?.common ?? null) : null;
  }

  /** So many frames were taken so, which have so many bytes, from so many of the file. */
  took(frames: number, captured: number, bytes: number): void {
    this.frames += frames;
    this.captured += captured;
    this.#decoder!.took(frames);
    this.queue.skip(bytes);
  }

  /** Fills `frame` with that of the common record at `at` of the queue's bytes. */
  show(at: number): Frame {
    this.#decoder!.show(at, this.queue, this.frame);
    return this.frame;
  }

  /** There are no more bytes. */
  end(): void {
    if (this.damage !== null) return;
    if (this.#decoder !== null) this.damage = this.#decoder.end(this.queue);
    else this.damage = { message: `too short for a capture: ${this.queue.length} bytes`, byte: 0 };
  }

  #detect(): boolean {
    const { bytes, at, length } = this.queue;
    if (length < (bytes[at] === PPPDUMP_BEGIN ? 6 : 4)) return false;
    const byteOrder = pcapByteOrder(bytes, at);
    if (byteOrder !== null) this.#decoder = new PcapDecoder(byteOrder);
    else if (u32(bytes, at) === SECTION_HEADER) this.#decoder = new PcapngDecoder();
    else this.damage = { message: foreign(bytes, at), byte: 0 };
    return this.damage === null;
  }
}

/** What a file that is no capture of ours may be. */
function foreign(bytes: Uint8Array, at: number): string {
  const magic = u32(bytes, at);
  if (magic >>> 16 === 0x1f8b) return "a gzip file: decompress it first";
  if (magic === 0x28b52ffd) return "a zstd file: decompress it first";
  if (magic === 0x736e6f6f) return "a snoop file: convert it to pcapng first (editcap)";
  if (bytes[at] === PPPDUMP_BEGIN && bytes[at + 5]! >= 1 && bytes[at + 5]! <= 6) {
    return "a pppdump file: convert it to pcapng first (editcap)";
  }
  return "neither pcap nor pcapng: its first four bytes are no magic number";
}
