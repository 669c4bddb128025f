/** Where a control stream that rests (`ControlStream.rest`) is in the row of its connection. */

/** Views of the same rows. */
export interface StreamRows {
  readonly words: Int32Array;
  readonly doubles: Float64Array;
}

/** Doubles: bytes consumed so far of each direction, the original's first. */
export const OFFSETS = 17;
/** Words: what the helper knows. */
export const STATE = 40;
