import {
  type Actions,
  type Connection,
  DETECTABLE,
  type Direction,
  type Helper,
  type Inspection,
  type Inspector,
  type Ref,
  type Settings,
} from "../../core/helper/api.ts";
import { type ByteRange, type Endpoint, opposite, port, seconds } from "../../core/units.ts";
import { headEnd } from "../../core/wire/head.ts";
import { CR, LETTERS, LF } from "../../core/wire/text.ts";
import { type Edit, hostEdits, type Names, portEdit } from "./names.ts";
import { type Described, type Describing, offer } from "./offer.ts";
import { reasons } from "./reasons.ts";
import {
  callOf,
  type FirstLine,
  type Head,
  lengthOf,
  mayOpen,
  methodOf,
  parseFirstLine,
  parseHead,
  textOf,
} from "./wire.ts";

/**
 * SIP agrees on calls; who offers or answers describes the ends that it listens on, and does not say who will send:
 *
 *   client -> virtual:5060   INVITE with a description    announced here: real side:any -> client:p, client:p+1
 *   real -> client           183, 200 with one            announced here: client side:any -> real:q, real:q+1
 *
 * A description that is said again (sent again, challenged, passed on by a proxy) under the same Call-ID is the same.
 */
export const sip: Helper = {
  name: "sip",
  transport: "both",
  ports: [port(5060)],
  sources: ["RFC 3261 §7, §18, §20", "RFC 3264", "RFC 3605", "RFC 8866"],
  limits: { pending: 48, ttl: seconds(180), hold: 16_384, patience: seconds(60) },
  reasons,
  foreign: ["not-sip"],
  open: (connection, settings) => new SipInspector(connection, settings),
  initials: LETTERS,
  detect({ original, reply }) {
    const said = original.length > 0 ? original : reply;
    const lf = said.indexOf(LF);
    if (lf < 0) return mayOpen(said) && said.length < DETECTABLE ? null : false;
    const first = parseFirstLine(said, lf);
    return first !== null && "method" in first === original.length > 0;
  },
};

/** Messages that carry offers and answers (RFC 3264, RFC 3311, RFC 3262). Elsewhere a description only says what might be. */
const DESCRIBING: ReadonlySet<string> = new Set(["INVITE", "ACK", "UPDATE", "PRACK"]);
/** Headers whose hosts are ends of this signalling. Others are covered by digests, or name calls. */
const NAMING: ReadonlySet<string> = new Set([
  ...["via", "contact", "record-route", "route", "from", "to"],
  // RFC 3608, RFC 3327: what a registrar has its client's further requests go by.
  ...["service-route", "path"],
]);
/** Those by which the client is reached. On the socket path it is another end to the realserver. */
const REACHING: ReadonlySet<string> = new Set(["via", "contact"]);
const SDP = "application/sdp";
/** Calls that are remembered; the oldest gives way. */
const CALLS = 64;
/** Announcements of one call that are taken back with it. */
const MOST_REFS = 8;

/** One direction of a stream. */
interface Stream {
  opened: boolean;
  /** Bytes of a message that are still to come, and are not read. */
  skip: number;
  drop: boolean;
  /** Bytes are missing: where a message begins is not known. */
  lost: boolean;
  /** `lost`: the beginning of this line has gone by. */
  midline: boolean;
}

/** What is known of a call. */
interface Call {
  /** What it announced; the oldest go. */
  refs: readonly Ref[];
  /** What each side described last. */
  readonly described: Record<Direction, Described | null>;
  /** An INVITE of it was answered with yes. */
  established: boolean;
}

const makeStream = (): Stream => ({ opened: false, skip: 0, drop: false, lost: false, midline: false });
const WAIT: Inspection = { verdict: "pass", consumed: 0 };
const pass = (consumed: number): Inspection => ({ verdict: "pass", consumed });

class SipInspector implements Inspector {
  readonly #connection: Connection;
  readonly #strict: boolean;
  readonly #hold: number;
  readonly #streams: Readonly<Record<Direction, Stream>> = { original: makeStream(), reply: makeStream() };
  readonly #calls = new Map<string, Call>();

  constructor(connection: Connection, { strict, hold }: Settings) {
    this.#connection = connection;
    this.#strict = strict;
    this.#hold = hold;
  }

  inspect(payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    if (this.#connection.transport === "udp") return this.#datagram(payload, direction, actions);
    return this.#stream(payload, this.#streams[direction], direction, actions);
  }

  end(payload: Uint8Array, direction: Direction, actions: Actions): void {
    const at = { start: 0, end: payload.length };
    const stream = this.#streams[direction];
    const lf = payload.indexOf(LF);
    const end = headEnd(payload, 0);
    const length = end < 0 ? 0 : (lengthOf(parseHead(payload, end))?.length ?? 0);
    stream.skip = end < 0 ? 0 : Math.max(0, end + length - payload.length);
    stream.lost = end < 0;
    stream.drop = lf < 0 || parseFirstLine(payload, lf) !== null;
    if (stream.drop) actions.refuse("unfinished", at, { ...at, text: () => "" });
  }

  gap(direction: Direction): void {
    Object.assign(this.#streams[direction], { ...makeStream(), lost: true });
  }

  // --- datagrams: one message each (RFC 3261 §18.3) ---------------------------------------------------------------------

  #datagram(payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    const blank = blankLines(payload);
    const lf = payload.indexOf(LF);
    const end = headEnd(payload, 0);
    const first = lf < 0 ? null : parseFirstLine(payload, lf);
    if (first === null || end < 0) {
      // Keep-alives: empty lines (RFC 5626 §3.5.1), NULs.
      if (blank < payload.length && payload.some((byte) => byte !== 0)) actions.fault("not-sip");
      return pass(payload.length);
    }
    const head = parseHead(payload, end);
    const length = lengthOf(head);
    const rest = payload.length - end;
    if (length !== null && length.length !== rest) actions.fault("bad-content-length", { start: 0, end });
    // RFC 3261 §18.3: what is beyond is discarded. There are peers that read it.
    const said = this.#strict ? (length?.length ?? rest) : rest;
    const body = { start: end, end: end + Math.min(rest, said) };
    this.#message(head, first, body, direction, actions);
    return pass(payload.length);
  }

  // --- streams: messages by their Content-Length ------------------------------------------------------------------------

  #stream(payload: Uint8Array, stream: Stream, direction: Direction, actions: Actions): Inspection {
    if (stream.skip > 0) return skipped(stream, payload);
    const blank = stream.midline ? 0 : blankLines(payload);
    if (blank > 0) return pass(blank);
    const found = payload.indexOf(LF);
    // A first line that may not be held is endless, however much of it has come.
    const lf = found > this.#hold ? -1 : found;
    const first = lf < 0 || stream.midline ? null : parseFirstLine(payload, lf);
    const begins = lf < 0 ? !stream.midline && mayOpen(payload) : first !== null;
    if (!begins) return this.#stray(payload, stream, actions);
    const end = first === null ? -1 : headEnd(payload, 0);
    if (first !== null && end >= 0 && end <= this.#hold)
      return this.#held(payload, stream, first, end, direction, actions);
    return payload.length > this.#hold ? this.#endless(payload, stream, actions) : WAIT;
  }

  /** A whole head, and what there is of its body. */
  #held(
    payload: Uint8Array,
    stream: Stream,
    first: FirstLine,
    end: number,
    direction: Direction,
    actions: Actions,
  ): Inspection {
    const head = parseHead(payload, end);
    const length = lengthOf(head);
    const body = { start: end, end: end + (length?.length ?? 0) };
    const tooLong = body.end > this.#hold;
    if (!tooLong && payload.length < body.end) return WAIT;
    Object.assign(stream, { lost: false, opened: true });
    if (length !== null && length.length === null) actions.fault("bad-content-length", { start: 0, end });
    if (tooLong) return this.#tooLong(payload, stream, head, body, actions);
    this.#message(head, first, body, direction, actions);
    return pass(body.end);
  }

  /** Nothing of SIP: an opening that is none is left alone, and later bytes are passed over, a line at a time. */
  #stray(payload: Uint8Array, stream: Stream, actions: Actions): Inspection {
    if (!stream.opened && !stream.lost) {
      actions.fault("not-sip");
      return { verdict: "detach", consumed: payload.length };
    }
    if (!stream.lost) actions.fault("not-sip");
    stream.lost = true;
    const lf = payload.indexOf(LF);
    stream.midline = lf < 0;
    return pass(lf < 0 ? payload.length : lf + 1);
  }

  /** Only a description announces. One that cannot be held goes nowhere. */
  #tooLong(payload: Uint8Array, stream: Stream, head: Head, body: ByteRange, actions: Actions): Inspection {
    const consumed = Math.min(payload.length, body.end);
    const at = { start: 0, end: consumed };
    stream.drop = isDescribed(head);
    stream.skip = body.end - consumed;
    if (stream.drop) actions.refuse("message-too-long", at, { ...at, text: () => "" });
    else actions.fault("message-too-long", at);
    return pass(consumed);
  }

  /** A head without an end: nothing behind it can be told apart. */
  #endless(payload: Uint8Array, stream: Stream, actions: Actions): Inspection {
    const at = { start: 0, end: payload.length };
    actions.refuse("message-too-long", at, { ...at, text: () => "" });
    stream.drop = true;
    stream.skip = Number.POSITIVE_INFINITY;
    return pass(payload.length);
  }

  // --- messages ---------------------------------------------------------------------------------------------------------

  #message(head: Head, first: FirstLine, body: ByteRange, direction: Direction, actions: Actions): void {
    const method = "method" in first ? first.method : methodOf(head);
    const call = callOf(head);
    if (this.#ends(first, method, call)) this.#end(call, actions);
    const named = this.#names(head, direction);
    if (DESCRIBING.has(method) && isDescribed(head) && body.end > body.start) {
      const said = "method" in first ? method : `${first.status} to ${method}`;
      this.#describes({ head, body, said, speaker: direction, named }, call, actions);
    } else for (const edit of named) actions.write(edit.start, edit.end, edit.text);
    const known = this.#calls.get(call);
    if (known !== undefined && isAgreed(first, method)) known.established = true;
  }

  #describes(message: Omit<Describing, "other">, call: string, actions: Actions): void {
    const { speaker } = message;
    const other = this.#calls.get(call)?.described[opposite(speaker)] ?? null;
    const described = offer({ ...message, other }, this.#service(speaker), actions);
    if (described !== null) this.#remember(call, speaker, described);
  }

  /**
   * BYE; CANCEL, or an INVITE that failed (RFC 3261 §13.2.2.3): a challenged one comes again with the same offer. Of a call
   * that was agreed on they end nothing: it goes on as it was (§14.1).
   */
  #ends(first: FirstLine, method: string, call: string): boolean {
    if ("method" in first && method === "BYE") return true;
    if (this.#calls.get(call)?.established === true) return false;
    return "method" in first ? method === "CANCEL" : method === "INVITE" && first.status >= 300;
  }

  #end(call: string, actions: Actions): void {
    for (const ref of this.#calls.get(call)?.refs ?? []) actions.revoke(ref);
    this.#calls.delete(call);
  }

  #remember(name: string, direction: Direction, described: Described): void {
    const call = this.#calls.get(name) ?? {
      refs: [],
      described: { original: null, reply: null },
      established: false,
    };
    call.refs = [...call.refs.slice(1 - MOST_REFS), described.ref];
    call.described[direction] = described;
    this.#calls.set(name, call);
    if (this.#calls.size > CALLS) this.#calls.delete(this.#calls.keys().next().value!);
  }

  /** What the message says of the two ends of this signalling in its speaker's terms, in its receiver's. */
  #names(head: Head, direction: Direction): Edit[] {
    const { client, source = client } = this.#connection;
    const [own, shown] = direction === "original" ? [client, source] : [source, client];
    const line = { start: 0, end: head.bytes.indexOf(LF) };
    const edit = (names: Names, headers: ReadonlySet<string>): Edit[] => {
      if (isSame(names.own, names.shown)) return [];
      const named = head.headers.filter(({ name }) => headers.has(name));
      return [line, ...named].flatMap((range) => hostEdits(head.bytes, range, names));
    };
    const reaching = { own, shown };
    const edits = edit(reaching, REACHING);
    const taken = new Set(edits.map(({ start }) => start));
    const ports = head.headers.flatMap((header) =>
      header.name === "via" ? (portEdit(head.bytes, header, reaching) ?? []) : [],
    );
    return [...edits, ...ports, ...edit(this.#service(direction), NAMING).filter(({ start }) => !taken.has(start))];
  }

  #service(direction: Direction): Names {
    const { virtual, real } = this.#connection;
    return direction === "reply" ? { own: real, shown: virtual } : { own: virtual, shown: real };
  }
}

const isSame = (one: Endpoint, another: Endpoint): boolean =>
  one.port === another.port && one.address.equals(another.address);

const isAgreed = (first: FirstLine, method: string): boolean =>
  "status" in first && first.status >= 200 && first.status < 300 && method === "INVITE";

const isDescribed = (head: Head): boolean => textOf(head, "content-type").toLowerCase().startsWith(SDP);

/** Bytes that nobody reads: what there is of them goes on, or goes nowhere. */
function skipped(stream: Stream, payload: Uint8Array): Inspection {
  const consumed = Math.min(stream.skip, payload.length);
  stream.skip -= consumed;
  return { verdict: stream.drop ? "drop" : "pass", consumed };
}

/** Empty lines between messages keep the connection alive (RFC 5626 §3.5.1). */
function blankLines(payload: Uint8Array): number {
  let at = 0;
  while (at < payload.length && (payload[at] === CR || payload[at] === LF)) at++;
  return at;
}
