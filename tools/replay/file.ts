import { open } from "node:fs/promises";
import { CaptureReader } from "../../core/wire/capture/reader.ts";
import { isReadable, linkTypeName } from "../../core/wire/link.ts";
import type { CaptureRecord } from "./report.ts";
import type { Tracker } from "./tracker.ts";

/** Bytes read at once. */
const CHUNK = 256 * 1024;

export interface FileResult {
  readonly capture: CaptureRecord;
  /** Frames of link types that are not read, by name. */
  readonly unread: ReadonlyMap<string, number>;
}

/** Reads a capture file to its end, or to where it breaks, and shows every frame to `tracker`. */
export async function readCapture(
  file: string,
  tracker: Tracker,
  progress: (read: number, size: number) => void,
): Promise<FileResult> {
  const reader = new CaptureReader();
  const frames = new Frames(reader, tracker);
  let failure: string | null = null;
  let complete = false;
  try {
    for await (const [chunk, read, size] of chunks(file)) {
      reader.push(chunk);
      frames.drain();
      if (reader.damage !== null) break;
      progress(read, size);
    }
    complete = reader.damage === null;
    reader.end();
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  tracker.end();
  const { damage } = reader;
  const capture = {
    file,
    format: reader.format,
    linkType: reader.linkTypes.length === 0 ? null : reader.linkTypes.map(linkTypeName).join(", "),
    packets: reader.frames,
    bytes: frames.bytes,
    truncated: complete && damage !== null,
    error: failure ?? (damage === null ? null : `${damage.message} (at byte ${damage.byte})`),
  };
  return { capture, unread: frames.unread };
}

/** Takes the frames out of a reader, as many as there are. */
class Frames {
  bytes = 0;
  readonly unread = new Map<string, number>();
  readonly #reader: CaptureReader;
  readonly #tracker: Tracker;

  constructor(reader: CaptureReader, tracker: Tracker) {
    this.#reader = reader;
    this.#tracker = tracker;
  }

  drain(): void {
    const reader = this.#reader;
    const { frame } = reader;
    while (reader.next()) {
      this.bytes += frame.end - frame.start;
      if (isReadable(frame.linkType)) this.#tracker.frame(frame, reader.frames);
      else this.#countUnread(linkTypeName(frame.linkType));
    }
  }

  #countUnread(name: string): void {
    this.unread.set(name, (this.unread.get(name) ?? 0) + 1);
  }
}

/** The file a piece at a time, each in memory of its own, with how much was read and how much there is. */
async function* chunks(file: string): AsyncGenerator<[Uint8Array, number, number]> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    for (let position = 0; ; ) {
      const { bytesRead, buffer } = await handle.read(new Uint8Array(CHUNK), 0, CHUNK, null);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield [buffer.subarray(0, bytesRead), position, size];
    }
  } finally {
    await handle.close();
  }
}
