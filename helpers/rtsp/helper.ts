import {
  type Actions,
  type Connection,
  DETECTABLE,
  type Direction,
  type Helper,
  type Inspection,
  type Inspector,
  type Settings,
} from "../../core/helper/api.ts";
import { port, seconds } from "../../core/units.ts";
import { headEnd, numberIn } from "../../core/wire/head.ts";
import { LETTERS, LF, latin1 } from "../../core/wire/text.ts";
import { differ, type Names, replaceNames } from "./names.ts";
import { reasons } from "./reasons.ts";
import { Exchange, failureText, REFUSED_TRANSPORT } from "./setup.ts";
import {
  blankLines,
  lineLength,
  makeStream,
  pass,
  restOfHead,
  type Stream,
  skipped,
  WAIT,
  wholeLines,
} from "./stream.ts";
import {
  cseqOf,
  DOLLAR,
  type FirstLine,
  type Head,
  headersOf,
  mayOpen,
  parseFirstLine,
  parseHead,
  textOf,
} from "./wire.ts";

/**
 * RTSP sets streams up; each has a flow of its own for media (RTP) and one for reports (RTCP), both ways:
 *
 *   client:C -> virtual:554   SETUP     client_port=p-q       announced here: real:any -> client:p, client:q
 *   real:554 -> client:C      200 OK    server_port=r-s       announced here: client:any -> real:r, real:s
 *
 * The second completes the first: in reports both are one flow, real:r -> client:p, of the answer's frame. Transports
 * within the control connection (interleaved) have no flow; their frames are passed over by their length.
 */
export const rtsp: Helper = {
  name: "rtsp",
  transport: "tcp",
  ports: [port(554), port(8554)],
  sources: ["RFC 2326", "RFC 7826 §13.3, §14, §18.54", "RFC 8866 §5.2, §5.7"],
  limits: { pending: 32, ttl: seconds(60), hold: 16_384, patience: seconds(60) },
  reasons,
  open: (connection, settings) => new RtspInspector(connection, settings),
  initials: `${LETTERS}_-`,
  detect({ original, reply }) {
    const said = original.length > 0 ? original : reply;
    const lf = said.indexOf(LF);
    if (lf < 0) return mayOpen(said) && said.length < DETECTABLE ? null : false;
    const first = parseFirstLine(said, lf);
    return first !== null && first !== "http" && "method" in first === original.length > 0;
  },
};

/** `$`, channel, length (RFC 2326 §10.12). */
const FRAME_HEADER = 4;

class RtspInspector implements Inspector {
  readonly #connection: Connection;
  readonly #hold: number;
  readonly #exchange: Exchange;
  readonly #original = makeStream();
  readonly #reply = makeStream();

  constructor(connection: Connection, { strict, hold }: Settings) {
    this.#connection = connection;
    this.#hold = hold;
    this.#exchange = new Exchange(connection, strict);
  }

  /** One message, one frame, or one line that is neither, a call. */
  inspect(payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    const stream = this.#stream(direction);
    if (stream.skip > 0) return skipped(stream, payload);
    if (stream.mode === "rest") return restOfHead(stream, payload);
    if (stream.mode === "lost" && !this.#found(stream, payload)) return this.#pastLine(stream, payload);
    const blank = blankLines(payload);
    if (blank > 0) return pass(blank);
    if (payload[0] === DOLLAR && stream.mode !== "opening") return this.#frame(stream, payload);
    return this.#message(stream, payload, direction, actions);
  }

  end(payload: Uint8Array, direction: Direction, actions: Actions, last: boolean): void {
    const stream = this.#stream(direction);
    const head = headEnd(payload, 0);
    stream.seen = 0;
    if (stream.mode === "lost" || payload[0] === DOLLAR) Object.assign(stream, { mode: "lost", midline: true });
    else if (head >= 0) {
      // What is missing is of a body that was waited for.
      stream.mode = "messages";
      stream.drop = false;
      stream.skip = Math.max(0, head + parseHead(payload, head).body - payload.length);
      actions.fault("unfinished");
    } else if (stream.mode === "opening" && !mayOpen(payload.subarray(0, lineLength(payload)))) {
      actions.fault("not-rtsp");
    } else this.#abandon(stream, payload, payload.length, direction, last ? "unfinished" : "head-too-long", actions);
  }

  gap(direction: Direction): void {
    const stream = this.#stream(direction);
    Object.assign(stream, { ...makeStream(), mode: "lost", fresh: true });
  }

  /** Where the first line ends; negative: nowhere in as much as may be held of it, or not yet. */
  #firstLine(payload: Uint8Array): number {
    return payload.subarray(0, this.#hold + 1).indexOf(LF);
  }

  /** `lost`: whether a message, or right behind missing bytes a frame, begins here. */
  #found(stream: Stream, payload: Uint8Array): boolean {
    if (stream.midline) return false;
    const lf = this.#firstLine(payload);
    const frame = stream.fresh && payload[0] === DOLLAR;
    const first = lf < 0 ? null : parseFirstLine(payload, lf);
    const endless = lf < 0 && payload.length > this.#hold && mayOpen(payload);
    const line = endless || (first !== null && first !== "http");
    if (frame || line) Object.assign(stream, { mode: "messages", fresh: false, seen: 0 });
    return frame || line;
  }

  #pastLine(stream: Stream, payload: Uint8Array): Inspection {
    const lf = payload.indexOf(LF);
    if (lf < 0 && !stream.midline && mayOpen(payload)) return WAIT;
    stream.midline = lf < 0;
    stream.fresh = false;
    return pass(lf < 0 ? payload.length : lf + 1);
  }

  #frame(stream: Stream, payload: Uint8Array): Inspection {
    if (payload.length < FRAME_HEADER) return WAIT;
    stream.skip = FRAME_HEADER + payload[2]! * 256 + payload[3]!;
    stream.drop = false;
    return skipped(stream, payload);
  }

  #message(stream: Stream, payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    const lf = this.#firstLine(payload);
    const first = lf < 0 ? null : parseFirstLine(payload, lf);
    if (first === "http" && stream.mode === "opening") return detach(payload, () => actions.note("http-tunnel"));
    if (lf < 0 ? !mayOpen(payload) : first === null || first === "http") return this.#stray(stream, payload, actions);
    const end = headEnd(payload, stream.seen);
    if (end < 0 ? payload.length > this.#hold : end > this.#hold) {
      return this.#tooLong(stream, payload, end, direction, actions);
    }
    if (end >= 0 && first !== null && first !== "http") {
      return this.#read(stream, payload, end, first, direction, actions);
    }
    stream.seen = -1 - end;
    return WAIT;
  }

  /** A whole head, and its body if that is a description. */
  #read(
    stream: Stream,
    payload: Uint8Array,
    end: number,
    first: Exclude<FirstLine, "http">,
    direction: Direction,
    actions: Actions,
  ): Inspection {
    const head = parseHead(payload, end);
    const names = this.#names(direction);
    const described = differ(names) && head.body > 0 && textOf(head, "content-type").toLowerCase().startsWith(SDP);
    const held = described && end + head.body <= this.#hold;
    if (held && payload.length < end + head.body) return WAIT;
    stream.mode = "messages";
    stream.seen = 0;
    if (badLength(head)) actions.fault("bad-content-length", { start: 0, end });
    if (described && !held) actions.fault("body-too-long", { start: 0, end });
    if ("method" in first) this.#exchange.request(head, first, direction, actions);
    else this.#exchange.answer(head, first.status, direction, actions);
    if (differ(names)) replaceNames(head, held, names, direction, actions);
    stream.skip = end + head.body;
    stream.drop = false;
    return skipped(stream, payload);
  }

  /** How the speaker knows the server, and how the receiver does. */
  #names(direction: Direction): Names {
    const { virtual, real } = this.#connection;
    return direction === "reply" ? { own: real, shown: virtual } : { own: virtual, shown: real };
  }

  /** No message begins here. In an opening: this is none of RTSP, and will not be (NAT slipstreaming). */
  #stray(stream: Stream, payload: Uint8Array, actions: Actions): Inspection {
    if (stream.mode === "opening") return detach(payload, () => actions.fault("not-rtsp"));
    actions.fault("stray-bytes");
    stream.mode = "lost";
    stream.midline = false;
    return this.#pastLine(stream, payload);
  }

  /** The head has more bytes than may be held; the same is looked at of it, however much of it has come. */
  #tooLong(stream: Stream, payload: Uint8Array, end: number, direction: Direction, actions: Actions): Inspection {
    const consumed = end < 0 ? wholeLines(payload) : end;
    this.#abandon(stream, payload, consumed, direction, "head-too-long", actions);
    stream.seen = 0;
    if (end >= 0) {
      stream.mode = "messages";
      stream.skip = stream.body;
    }
    return pass(consumed);
  }

  /**
   * The head cannot be waited for: `consumed` bytes of it are here. What may set something up is refused, and its rest
   * goes nowhere; anything else goes on unread.
   */
  #abandon(
    stream: Stream,
    payload: Uint8Array,
    consumed: number,
    direction: Direction,
    code: string,
    actions: Actions,
  ): void {
    const held = payload.subarray(0, Math.min(consumed, this.#hold));
    const seen = held.subarray(0, wholeLines(held));
    const head = parseHead(seen, seen.length);
    const cseq = cseqOf(head);
    const at = { start: 0, end: consumed };
    const setup = direction === "original" && begins(seen, "SETUP ");
    const answer = direction === "reply" && begins(seen, "RTSP/");
    const midline = payload[consumed - 1] !== LF;
    Object.assign(stream, { mode: "rest", midline, body: head.body, drop: setup || answer });
    if (setup) {
      const unnamed = { cseq, method: "SETUP", uri: "", session: "", ref: null, offered: [] };
      this.#exchange.remember(unnamed, direction, actions);
      actions.refuse(code, at, { ...at, text: () => refusedSetup(cseq) });
    } else if (answer) {
      actions.refuse(code, at, { ...at, text: (reason) => failureText({ ...head, body: 0 }, cseq, reason) });
    } else actions.fault(code, at);
  }

  #stream(direction: Direction): Stream {
    return direction === "original" ? this.#original : this.#reply;
  }
}

const SDP = "application/sdp";

const badLength = (head: Head): boolean => {
  const [first, ...others] = headersOf(head, "content-length").map((header) => numberIn(head.bytes, header));
  return first === null || others.some((other) => other !== first);
};

/** `bytes` begin with `text` (upper case), or are the beginning of it. */
const begins = (bytes: Uint8Array, text: string): boolean =>
  text.startsWith(latin1(bytes, 0, Math.min(bytes.length, text.length)).toUpperCase());

/** A SETUP in the place of one that cannot be read, which the server answers with a failure. */
const refusedSetup = (cseq: number | null): string =>
  `SETUP * RTSP/1.0\r\n${cseq === null ? "" : `CSeq: ${cseq}\r\n`}Transport: ${REFUSED_TRANSPORT}\r\n\r\n`;

function detach(payload: Uint8Array, say: () => void): Inspection {
  say();
  return { verdict: "detach", consumed: payload.length };
}
