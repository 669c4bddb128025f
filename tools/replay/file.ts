import { NO_LINK } from "../../core/wire/capture/frame.ts";
import { CaptureReader, type Frame } from "../../core/wire/capture/reader.ts";
import { isReadable, linkTypeName } from "../../core/wire/link.ts";
import type { CaptureRecord } from "./report.ts";
import { pour, type Receiver } from "./source.ts";

/** How many bytes of how many (null: nobody knows) were read. */
export type Progress = (read: number, size: number | null) => void;

/** Who is shown the frames that can be read. */
export interface FrameSink {
  /** Why it takes no more; null: it does. */
  readonly limit?: string | null;
  /** The same, dearer to ask: now and then. */
  readonly heapLimit?: string | null;
  frame(frame: Frame, number: number): void;
  /** Takes those that come next and are common, if `reader` is one of `newReader`; `frame` is not shown them. */
  skim?(reader: CaptureReader): void;
  newReader?(): CaptureReader;
  /** There are no more. */
  end(): void;
}

export interface FileResult {
  readonly capture: CaptureRecord;
  /** Frames of link types that are not read, by name. */
  readonly unread: ReadonlyMap<string, number>;
}

const IN_PARTS = "read it in parts (editcap -c), or only what matters of it (tcpdump -r FILE -w PART host ADDRESS)";

/** Reads a capture file (`-`: `stdin`) to its end, or to where it breaks, and shows every frame to `sink`. */
export async function readCapture(
  file: string,
  stdin: AsyncIterable<Uint8Array>,
  sink: FrameSink,
  progress: Progress,
): Promise<FileResult> {
  const frames = new Frames(sink, progress);
  const failure = await pour(file, stdin, frames);
  sink.end();
  return { capture: frames.record(file, failure), unread: frames.unread };
}

/** Pieces of the file for which a sink's `heapLimit` is asked once: of the smallest packets there are, they fill 60 MB of heap. */
const PIECES = 16;

/** Takes the frames out of the bytes, as many as there are. */
class Frames implements Receiver {
  readonly unread = new Map<string, number>();
  readonly progress: Progress;
  readonly #reader: CaptureReader;
  readonly #sink: FrameSink;
  /** Why the sink takes no more. */
  #limit: string | null = null;
  #linkType = NO_LINK;
  #readable = false;
  #pieces = 0;

  constructor(sink: FrameSink, progress: Progress) {
    this.#sink = sink;
    this.#reader = sink.newReader?.() ?? new CaptureReader();
    this.progress = progress;
  }

  room(count: number): Uint8Array {
    return this.#reader.room(count);
  }

  filled(count: number): void {
    this.#reader.filled(count);
  }

  use(): boolean {
    if (this.#pieces++ % PIECES === 0) this.#limit ??= this.#sink.heapLimit ?? null;
    if (this.#limit === null) this.#drain();
    return this.#reader.damage === null && this.#limit === null;
  }

  /** What is known of the capture when no more bytes are read, which is so before its end where there was a `failure`, or a limit. */
  record(file: string, failure: string | null): CaptureRecord {
    const reader = this.#reader;
    const broken = reader.damage !== null;
    // What cannot be opened has no bytes to be too short.
    if (this.#limit === null && (failure === null || reader.position > 0)) reader.end();
    const { damage } = reader;
    const where = damage === null ? this.#limitText() : `${damage.message} (at byte ${damage.byte})`;
    return {
      file,
      format: reader.format,
      linkType: reader.linkTypes.length === 0 ? null : reader.linkTypes.map(linkTypeName).join(", "),
      packets: reader.frames,
      bytes: reader.captured,
      truncated: damage !== null && !broken,
      error: failure === null || where === null ? (failure ?? where) : `${failure}; ${where}`,
    };
  }

  #limitText(): string | null {
    const { frames, position } = this.#reader;
    return this.#limit === null
      ? null
      : `${this.#limit}: packet ${frames + 1} and what follows is not read (at byte ${position}); ${IN_PARTS}`;
  }

  #drain(): void {
    const reader = this.#reader;
    const sink = this.#sink;
    const { frame } = reader;
    // It goes on where the chunk before ended.
    sink.skim?.(reader);
    while (this.#takesMore() && reader.next()) {
      if (frame.linkType !== this.#linkType) this.#turnTo(frame.linkType);
      if (!this.#readable) {
        this.#countUnread(linkTypeName(frame.linkType));
        continue;
      }
      sink.frame(frame, reader.frames);
      sink.skim?.(reader);
    }
  }

  /** Asked only where there is more to take. */
  #takesMore(): boolean {
    this.#limit = this.#reader.queue.length === 0 ? null : (this.#sink.limit ?? null);
    return this.#limit === null;
  }

  /** Nearly all files have one link type. */
  #turnTo(linkType: number): void {
    this.#linkType = linkType;
    this.#readable = isReadable(linkType);
  }

  #countUnread(name: string): void {
    this.unread.set(name, (this.unread.get(name) ?? 0) + 1);
  }
}
