/** What the two halves of the dialogue, commands and replies, have in common. */
import type { Actions } from "../../core/helper/api.ts";
import type { ByteRange, Port } from "../../core/units.ts";
import { CR, isBlank } from "../../core/wire/text.ts";
import { Dialogue } from "./dialogue.ts";
import type { Line } from "./line.ts";
import type { TlsRecords } from "./tls.ts";

/** What both halves know: what was said, and what follows for what may be. */
export class Session extends Dialogue {
  /** Strict: the only port that the server's data connections may come from. */
  readonly dataPort: Port | null;
  /** Where the client expects active data connections to come from. */
  readonly virtualDataPort: Port | null;
  /** RFC 2428 §2: the network protocols by which the client and the realserver know the control connection. */
  readonly networks: { readonly client: string; readonly real: string };
  /** RFC 2428 §4: after EPSV ALL the client may use nothing else. */
  epsvAll = false;

  constructor(dataPort: Port | null, virtualDataPort: Port | null, networks: Session["networks"]) {
    super();
    this.networks = networks;
    this.dataPort = dataPort;
    this.virtualDataPort = virtualDataPort;
  }
}

/** One half of the dialogue, a line at a time. Lines are valid during the call only. */
export abstract class Reader {
  /**
   * - `opening`  nothing was read yet: the first line decides whether this is FTP at all
   * - `lines`    commands or replies
   * - `midline`  bytes are missing: a line begins here, or behind the next LF
   * - `skipping` the rest of a line that is too long, or too slow, goes on unread
   * - `erasing`  the rest of a refused line goes nowhere
   * - `tls`      encrypted records
   * - `blind`    nothing is read any more
   */
  mode: "opening" | "lines" | "midline" | "skipping" | "erasing" | "tls" | "blind" = "opening";
  /** Where in them the direction is, once it is encrypted. */
  records: TlsRecords | null = null;

  /** Whether a stream may open with this line. One that does not open like FTP is none (NAT slipstreaming). */
  abstract opens(line: Line): boolean;
  /** Bytes before this line are missing: whether it is whole. */
  abstract begins(line: Line): boolean;
  /** True: encrypted from here on. */
  abstract read(line: Line, actions: Actions): boolean;
  /**
   * The line cannot be waited for; this is its beginning, and `at` what there is of it. True: it may announce, and is
   * refused with all that comes of it. False: it may go on.
   */
  abstract abandon(line: Line, at: ByteRange, code: string, actions: Actions): boolean;
}

/** Whether the line `[0, end)` says nothing. */
export function isEmpty(bytes: Uint8Array, end: number): boolean {
  for (let at = 0; at < end; at++) if (!isBlank(bytes[at]) && bytes[at] !== CR) return false;
  return true;
}
