/** How bytes travel: cut anywhere, sent again, out of order. */
import { between, type Choices, oneIn } from "./choices.ts";

/** Bytes `[start, end)` of what was said. */
export interface Piece {
  readonly start: number;
  readonly end: number;
}

const MOST_CUTS = 8;
const MOST_BYTEWISE = 600;

/** `length` bytes in order: as one piece, in a few, or byte by byte. */
export function pieces(choices: Choices, length: number): Piece[] {
  const kind = choices.below(8);
  if (kind === 0 || length < 2) return length === 0 ? [] : [{ start: 0, end: length }];
  const cuts = new Set<number>();
  if (kind === 7 && length <= MOST_BYTEWISE) for (let at = 1; at < length; at++) cuts.add(at);
  else for (let n = between(choices, 1, MOST_CUTS); n > 0; n--) cuts.add(between(choices, 1, length - 1));
  const ends = [...cuts, length].sort((a, b) => a - b);
  return ends.map((end, i) => ({ start: i === 0 ? 0 : ends[i - 1]!, end }));
}

/** The same over a bad network: each byte comes at least once, some again, and in another order. */
export function segments(choices: Choices, length: number, most: number): Piece[] {
  const whole = pieces(choices, length).flatMap((piece) => atMost(piece, most));
  const calm = !oneIn(choices, 3);
  if (calm) return whole;
  const sent = whole.flatMap((piece, i) => (oneIn(choices, 4) ? [piece, again(choices, whole, i)] : [piece]));
  for (let at = 0; at + 1 < sent.length; at++) {
    if (oneIn(choices, 4)) [sent[at], sent[at + 1]] = [sent[at + 1]!, sent[at]!];
  }
  return sent;
}

function atMost({ start, end }: Piece, most: number): Piece[] {
  const parts: Piece[] = [];
  for (let at = start; at < end; at += most) parts.push({ start: at, end: Math.min(end, at + most) });
  return parts;
}

/** An earlier one, or what reaches over two of them. */
function again(choices: Choices, whole: readonly Piece[], index: number): Piece {
  const earlier = whole[choices.below(index + 1)]!;
  const middle = (earlier.start + earlier.end) >> 1;
  return oneIn(choices, 2) ? earlier : { start: Math.min(middle, earlier.end - 1), end: earlier.end };
}
