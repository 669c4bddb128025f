import { NO_LINK } from "../../core/wire/capture/frame.ts";
import { CaptureReader } from "../../core/wire/capture/reader.ts";
import { isReadable, linkTypeName } from "../../core/wire/link.ts";
import type { CaptureRecord } from "./report.ts";
import { pour, type Receiver } from "./source.ts";
import type { Tracker } from "./tracker.ts";

/** How many bytes of how many (null: nobody knows) were read. */
export type Progress = (read: number, size: number | null) => void;

export interface FileResult {
  readonly capture: CaptureRecord;
  /** Frames of link types that are not read, by name. */
  readonly unread: ReadonlyMap<string, number>;
}

/** Reads a capture file (`-`: `stdin`) to its end, or to where it breaks, and shows every frame to `tracker`. */
export async function readCapture(
  file: string,
  stdin: AsyncIterable<Uint8Array>,
  tracker: Tracker,
  progress: Progress,
): Promise<FileResult> {
  const frames = new Frames(tracker, progress);
  const failure = await pour(file, stdin, frames);
  tracker.end();
  return { capture: frames.record(file, failure), unread: frames.unread };
}

/** Takes the frames out of the bytes, as many as there are. */
class Frames implements Receiver {
  readonly unread = new Map<string, number>();
  readonly progress: Progress;
  readonly #reader = new CaptureReader();
  readonly #tracker: Tracker;
  #bytes = 0;
  #linkType = NO_LINK;
  #readable = false;

  constructor(tracker: Tracker, progress: Progress) {
    this.#tracker = tracker;
    this.progress = progress;
  }

  room(count: number): Uint8Array {
    return this.#reader.room(count);
  }

  filled(count: number): boolean {
    this.#reader.filled(count);
    this.#drain();
    return this.#reader.damage === null;
  }

  /** What is known of the capture when there are no more bytes, which is so before its end where there was a `failure`. */
  record(file: string, failure: string | null): CaptureRecord {
    const reader = this.#reader;
    const broken = reader.damage !== null;
    // What cannot be opened has no bytes to be too short.
    if (failure === null || reader.position > 0) reader.end();
    const { damage } = reader;
    const where = damage === null ? null : `${damage.message} (at byte ${damage.byte})`;
    return {
      file,
      format: reader.format,
      linkType: reader.linkTypes.length === 0 ? null : reader.linkTypes.map(linkTypeName).join(", "),
      packets: reader.frames,
      bytes: this.#bytes,
      truncated: damage !== null && !broken,
      error: failure === null || where === null ? (failure ?? where) : `${failure}; ${where}`,
    };
  }

  #drain(): void {
    const reader = this.#reader;
    const tracker = this.#tracker;
    const { frame } = reader;
    while (reader.next()) {
      this.#bytes += frame.end - frame.start;
      if (frame.linkType !== this.#linkType) this.#turnTo(frame.linkType);
      if (this.#readable) tracker.frame(frame, reader.frames);
      else this.#countUnread(linkTypeName(frame.linkType));
    }
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
