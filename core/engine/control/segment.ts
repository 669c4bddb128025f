/** A segment to be sent, and its bytes. */
import { copyWords, viewOf } from "../../wire/bytes.ts";
import { fold, halves, sumIn } from "../../wire/checksum.ts";
import * as tcp from "../../wire/tcp.ts";
import { MOST_OPTIONS } from "../../wire/tcp-options.ts";

const NOTHING = viewOf(new Uint8Array(0));

/** In place of a payload's sum: nobody has added it up. */
export const UNSUMMED = -1;

/** One object for all segments: it is valid during `emit` only. */
export class Segment {
  /** Both as signed numbers, which V8 needs no memory for. */
  sequence = 0;
  acknowledgment = 0;
  flags = 0;
  /** As it stands in the header, scaled. */
  window = 0;
  urgentPointer = 0;
  /** The first `optionsLength` bytes, a multiple of four. */
  readonly options = new Uint8Array(MOST_OPTIONS);
  readonly optionsView = viewOf(this.options);
  optionsLength = 0;
  /** The payload is `[start, end)` of these. */
  view: DataView = NOTHING;
  start = 0;
  end = 0;
  /** What it adds to a checksum, or `UNSUMMED`. */
  sum = UNSUMMED;

  /** The payload is `[start, end)` of `view`. */
  carry(view: DataView, start: number, end: number, sum: number): void {
    this.view = view;
    this.start = start;
    this.end = end;
    this.sum = sum;
  }
}

/** What `writeSegment` will write. */
export const lengthOf = ({ optionsLength, start, end }: Segment): number => tcp.HEADER + optionsLength + end - start;

/**
 * Writes header and payload at `at`. `ports`: source and destination; `pseudo`: what the pseudo-header adds to the checksum.
 * Returns where they end.
 */
export function writeSegment(segment: Segment, ports: number, pseudo: number, into: DataView, at: number): number {
  const { sequence, acknowledgment, urgentPointer, optionsLength, optionsView, view, start, end } = segment;
  const control = ((tcp.HEADER + optionsLength) << 26) | (segment.flags << 16) | segment.window;
  const numbers = halves(ports) + halves(sequence) + halves(acknowledgment) + halves(control) + urgentPointer;
  const options = optionsLength === 0 ? 0 : sumIn(optionsView, 0, optionsLength);
  const checksum = ~fold(pseudo + numbers + options + sumOfPayload(segment));
  into.setInt32(at, ports);
  into.setInt32(at + tcp.SEQUENCE, sequence);
  into.setInt32(at + 8, acknowledgment);
  into.setInt32(at + 12, control);
  into.setInt32(at + tcp.CHECKSUM, (checksum << 16) | urgentPointer);
  if (optionsLength > 0) copyWords(optionsView, 0, optionsLength, into, at + tcp.HEADER);
  const payload = at + tcp.HEADER + optionsLength;
  // It may be there already.
  return view === into && start === payload ? end : copyWords(view, start, end, into, payload);
}

const sumOfPayload = ({ sum, view, start, end }: Segment): number => (sum === UNSUMMED ? sumIn(view, start, end) : sum);
