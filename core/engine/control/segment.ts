/** A segment to be sent, and its bytes. */
import { copyWords, viewOf } from "../../wire/bytes.ts";
import { sumIn } from "../../wire/checksum.ts";
import * as tcp from "../../wire/tcp.ts";
import { MOST_OPTIONS } from "../../wire/tcp-options.ts";

const NOTHING = viewOf(new Uint8Array(0));

/** One object for all segments: it is valid during `emit` only. */
export class Segment {
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
}

/** What `writeSegment` will write. */
export const lengthOf = ({ optionsLength, start, end }: Segment): number => tcp.HEADER + optionsLength + end - start;

/** Writes header and payload at `at`, with a checksum of zero. `ports`: source and destination. Returns where they end. */
export function writeSegment(segment: Segment, ports: number, into: DataView, at: number): number {
  const { optionsLength, optionsView, view, start, end } = segment;
  into.setInt32(at, ports);
  into.setInt32(at + tcp.SEQUENCE, segment.sequence);
  into.setInt32(at + 8, segment.acknowledgment);
  into.setInt32(at + 12, ((tcp.HEADER + optionsLength) << 26) | (segment.flags << 16) | segment.window);
  into.setInt32(at + tcp.CHECKSUM, segment.urgentPointer);
  const payload = copyWords(optionsView, 0, optionsLength, into, at + tcp.HEADER);
  return copyWords(view, start, end, into, payload);
}

/** The segment in `[at, end)` gets its checksum. Both addresses of the IP header stand in `[addresses, addressesEnd)`. */
export function sumSegment(view: DataView, addresses: number, addressesEnd: number, at: number, end: number): void {
  view.setUint16(at + tcp.CHECKSUM, 0);
  const pseudo = sumIn(view, addresses, addressesEnd, tcp.PROTOCOL + end - at);
  view.setUint16(at + tcp.CHECKSUM, ~sumIn(view, at, end, pseudo));
}
