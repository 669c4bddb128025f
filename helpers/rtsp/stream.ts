/** Where a direction of an RTSP connection stands, and what of it goes by unread. */
import type { Inspection } from "../../core/helper/api.ts";
import { CR, LF } from "../../core/wire/text.ts";

/** One direction. */
export interface Stream {
  /**
   * - `opening`  nothing was read yet: the first line decides whether this is RTSP at all
   * - `messages` messages and `$` frames
   * - `lost`     where a message begins is not known: at the next line that opens one
   * - `rest`     the rest of a head that is too long, or too slow
   */
  mode: "opening" | "messages" | "lost" | "rest";
  /** Bytes of a body or a frame that are still to come. */
  skip: number;
  /** They, and the rest of a head, go nowhere. */
  drop: boolean;
  /** `lost`, `rest`: the beginning of this line has gone by. */
  midline: boolean;
  /** `lost`: nothing was read since bytes were missing. */
  fresh: boolean;
  /** The body behind a head that is too long. */
  body: number;
  /** Lines before this byte of what is held hold no end of a head. */
  seen: number;
}

export const makeStream = (): Stream => ({
  mode: "opening",
  skip: 0,
  drop: false,
  midline: false,
  fresh: false,
  body: 0,
  seen: 0,
});

export const WAIT: Inspection = { verdict: "pass", consumed: 0 };
export const pass = (consumed: number): Inspection => ({ verdict: "pass", consumed });

/** Bytes that nobody reads: what there is of them goes on, or goes nowhere. */
export function skipped(stream: Stream, payload: Uint8Array): Inspection {
  const consumed = Math.min(stream.skip, payload.length);
  stream.skip -= consumed;
  return { verdict: stream.drop ? "drop" : "pass", consumed };
}

/** One line of it; the empty one is its end. */
export function restOfHead(stream: Stream, payload: Uint8Array): Inspection {
  const verdict = stream.drop ? "drop" : "pass";
  const lf = payload.indexOf(LF);
  if (lf < 0) {
    if (!stream.midline && payload.length === 1 && payload[0] === CR) return WAIT;
    stream.midline = true;
    return { verdict, consumed: payload.length };
  }
  const empty = !stream.midline && (lf === 0 || (lf === 1 && payload[0] === CR));
  stream.midline = false;
  if (empty) {
    stream.mode = "messages";
    stream.skip = stream.body;
  }
  return { verdict, consumed: lf + 1 };
}

/** As much as ends with a line, so that an empty line behind it is seen; without any, all. */
export function wholeLines(payload: Uint8Array): number {
  const lf = payload.lastIndexOf(LF);
  return lf < 0 ? payload.length : lf + 1;
}

/** The first line, or as much of it as there is. */
export const lineLength = (payload: Uint8Array): number => {
  const lf = payload.indexOf(LF);
  return lf < 0 ? payload.length : lf;
};

/** Empty lines between messages keep the connection alive. */
export function blankLines(payload: Uint8Array): number {
  let at = 0;
  while (at < payload.length && (payload[at] === CR || payload[at] === LF)) at++;
  return at;
}
