/** One captured frame. A reader has one of these and fills it anew for each frame: read it before asking for the next. */
export class Frame {
  bytes: Uint8Array = new Uint8Array(0);
  /** The captured bytes are `[start, end)` of `bytes`. */
  start = 0;
  end = 0;
  /** Length on the wire: more than was captured where a snap length cut the frame. */
  wireLength = 0;
  /** LINKTYPE_ value: https://www.tcpdump.org/linktypes.html */
  linkType = 0;
  /** When it was captured, since 1970-01-01 UTC. */
  seconds = 0;
  nanoseconds = 0;
}

/** The link type of a numbered record that is no packet. */
export const NO_LINK = -1;

/** What is wrong with a capture file, and at which byte. */
export interface Damage {
  readonly message: string;
  readonly byte: number;
}

/** A longer record is damage, not data: tcpdump and Wireshark draw the line at the same place. */
export const LONGEST_FRAME = 262_144;
