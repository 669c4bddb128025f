/** A segment to be sent, and its bytes. */
import { copyBytes, putU16, putU32 } from "../../wire/bytes.ts";
import { sumIn } from "../../wire/checksum.ts";
import * as tcp from "../../wire/tcp.ts";
import { MOST_OPTIONS } from "../../wire/tcp-options.ts";

const NOTHING = new Uint8Array(0);

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
  optionsLength = 0;
  /** The payload is `[start, end)` of these. */
  bytes: Uint8Array = NOTHING;
  start = 0;
  end = 0;
}

/** What `writeSegment` will write. */
export const lengthOf = ({ optionsLength, start, end }: Segment): number => tcp.HEADER + optionsLength + end - start;

/** Writes header and payload at `at`, with a checksum of zero. `ports`: source and destination. Returns where they end. */
export function writeSegment(segment: Segment, ports: number, into: Uint8Array, at: number): number {
  const { optionsLength, options, bytes, start, end } = segment;
  putU32(into, at, ports);
  putU32(into, at + 4, segment.sequence);
  putU32(into, at + 8, segment.acknowledgment);
  into[at + 12] = ((tcp.HEADER + optionsLength) >> 2) << 4;
  into[at + 13] = segment.flags;
  putU16(into, at + 14, segment.window);
  putU16(into, at + tcp.CHECKSUM, 0);
  putU16(into, at + 18, segment.urgentPointer);
  for (let i = 0; i < optionsLength; i++) into[at + tcp.HEADER + i] = options[i]!;
  const payload = at + tcp.HEADER + optionsLength;
  return copyBytes(bytes, start, end, into, payload);
}

/** The segment in `[at, end)` gets its checksum. Both addresses of the IP header stand in `[addresses, addressesEnd)`. */
export function sumSegment(view: DataView, addresses: number, addressesEnd: number, at: number, end: number): void {
  view.setUint16(at + tcp.CHECKSUM, 0);
  const pseudo = sumIn(view, addresses, addressesEnd, tcp.PROTOCOL + end - at);
  view.setUint16(at + tcp.CHECKSUM, ~sumIn(view, at, end, pseudo));
}
