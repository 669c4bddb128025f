import { NO_LINK } from "./frame.ts";

/** Frames of a batch: few enough for its columns to stay in a processor's cache beside the frames. */
export const BATCH = 512;

/**
 * Frames that lie in a row in memory, in columns: for who takes many at once, without a `Frame` filled for each. The bytes
 * are stale when more of the file is put in their place.
 */
export class FrameBatch {
  view = new DataView(new ArrayBuffer(0));
  /** Of all of them; a LINKTYPE_ value. */
  linkType = NO_LINK;
  count = 0;
  /** Bytes of all of them. */
  captured = 0;
  /** A frame's captured bytes are `[starts[i], ends[i])` of `view`. */
  readonly starts = new Int32Array(BATCH);
  readonly ends = new Int32Array(BATCH);
  /** Seconds since 1970-01-01 UTC. */
  readonly times = new Float64Array(BATCH);
}
