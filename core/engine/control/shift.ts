/** Segments of a flow whose streams are no longer read: numbers shifted by constants, in place. */
import { putU16, putU32, u16, u32 } from "../../wire/bytes.ts";
import { adjusted, difference32, fold } from "../../wire/checksum.ts";
import * as tcp from "../../wire/tcp.ts";
import { findOption, SACK } from "../../wire/tcp-options.ts";

/** By how much a segment's numbers change. Acknowledgments are about the other direction, and so are SACK edges. */
export interface Shift {
  readonly sequence: number;
  readonly acknowledgment: number;
}

export const sameShift = ({ sequence, acknowledgment }: Shift): boolean => sequence === 0 && acknowledgment === 0;

/**
 * The TCP header at `at` gets its numbers shifted, and its checksum follows. `partial`: it is a partial checksum, which
 * does not cover them. A header whose SACK option is malformed keeps it.
 */
export function shiftSegment(bytes: Uint8Array, at: number, shift: Shift, partial: boolean): void {
  let difference = shiftNumber(bytes, at + 4, shift.sequence);
  if ((tcp.flags(bytes, at) & tcp.ACK) !== 0) {
    difference += shiftNumber(bytes, at + 8, shift.acknowledgment);
    const sack = shift.acknowledgment === 0 ? -1 : findOption(bytes, at, SACK);
    if (sack >= 0) difference += shiftEdges(bytes, at, sack, shift.acknowledgment);
  }
  if (!partial) putU16(bytes, at + tcp.CHECKSUM, adjusted(u16(bytes, at + tcp.CHECKSUM), difference));
}

/** Returns the difference. */
function shiftNumber(bytes: Uint8Array, at: number, by: number): number {
  if (by === 0) return 0;
  const before = u32(bytes, at);
  const after = (before + by) >>> 0;
  putU32(bytes, at, after);
  return difference32(before, after);
}

function shiftEdges(bytes: Uint8Array, header: number, sack: number, by: number): number {
  const end = sack + bytes[sack + 1]!;
  let difference = 0;
  for (let i = sack + 2; i + 4 <= end; i += 4) difference += shiftNumber(bytes, i, by);
  const folded = fold(difference);
  // Options need not be aligned: a number that begins at an odd byte stands across the words of the sum (RFC 1071 §2).
  return ((sack - header) & 1) === 0 ? folded : ((folded & 0xff) << 8) | (folded >>> 8);
}
