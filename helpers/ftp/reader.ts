/** What the two halves of the dialogue, commands and replies, have in common. */
import type { Actions } from "../../core/helper/api.ts";
import type { ByteRange, Port } from "../../core/units.ts";
import { CR, isBlank } from "../../core/wire/text.ts";
import { Dialogue } from "./dialogue.ts";
import type { Line } from "./line.ts";

/** What both halves know. */
export class Session {
  readonly dialogue = new Dialogue();
  /** Strict: the only port that the server's data connections may come from. */
  readonly dataPort: Port | null;
  /** Where the client expects active data connections to come from. */
  readonly virtualDataPort: Port | null;
  /** RFC 2428 §4: after EPSV ALL the client may use nothing else. */
  epsvAll = false;

  constructor(dataPort: Port | null, virtualDataPort: Port | null) {
    this.dataPort = dataPort;
    this.virtualDataPort = virtualDataPort;
  }
}

/** One half of the dialogue, a line at a time. Lines are valid during the call only. */
export interface Reader {
  /** Whether a stream may open with this line. One that does not open like FTP is none (NAT slipstreaming). */
  opens(line: Line): boolean;
  /** Bytes before this line are missing: whether it is whole. */
  begins(line: Line): boolean;
  /** True: encrypted from here on. */
  read(line: Line, actions: Actions): boolean;
  /**
   * The line cannot be waited for; this is its beginning, and `at` what there is of it. True: it may announce, and is
   * refused with all that comes of it. False: it may go on.
   */
  abandon(line: Line, at: ByteRange, code: string, actions: Actions): boolean;
}

/** Whether the line `[0, end)` says nothing. */
export function isEmpty(bytes: Uint8Array, end: number): boolean {
  for (let at = 0; at < end; at++) if (!isBlank(bytes[at]) && bytes[at] !== CR) return false;
  return true;
}
