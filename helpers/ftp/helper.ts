import type {
  Actions,
  Announcement,
  Connection,
  Direction,
  Helper,
  Inspection,
  Inspector,
  Ref,
  Replacement,
  Settings,
} from "../../core/helper/api.ts";
import { type Endpoint, type Port, port, seconds } from "../../core/units.ts";
import { CR, LF, latin1 } from "../../core/wire/text.ts";
import { Dialogue, type Pending } from "./dialogue.ts";
import { startsTls, TlsRecords } from "./tls.ts";
import {
  type Announced,
  type Command,
  cleaned,
  findExtended,
  findHostPort,
  isDirty,
  isKnown,
  type Malformed,
  parseCommand,
  parseExtended,
  parseHostPort,
  parseReply,
  type Reply,
  skipTelnet,
  verb,
} from "./wire.ts";

/**
 * FTP agrees on a further connection for every listing and every file, and says so in the control connection:
 *
 *   passive   client:C -> virtual:21   PASV, EPSV
 *             real:21 -> client:C      227 (real,p), 229 (|||p|)     announced here: client:any -> real:p
 *   active    client:C -> virtual:21   PORT client,p; EPRT |..|p|    announced here: real:any -> client:p
 *
 * RFC 4217: after `234` the words are encrypted. A port group then sends the client's data connections to the same
 * realserver, and the records are skipped until plain text resumes (CCC).
 */
export const ftp: Helper = {
  name: "ftp",
  transport: "tcp",
  ports: [port(21)],
  sources: ["RFC 959", "RFC 1123 §4.1.2.12", "RFC 2428", "RFC 2577", "RFC 4217", "RFC 854"],
  limits: { pending: 10, ttl: seconds(30), hold: 4096, patience: seconds(60) },
  open: (connection, settings) => new FtpInspector(connection, settings),
};

const [PORT, EPRT, LPRT, EPSV] = [verb("PORT"), verb("EPRT"), verb("LPRT"), verb("EPSV")];

/** How the bytes of one direction are to be taken now. */
interface Stream {
  /**
   * - `opening`  nothing was read yet: the first line decides whether this is FTP at all
   * - `lines`    commands or replies
   * - `midline`  bytes are missing: a line begins here, or behind the next LF
   * - `skipping` the rest of a line that is too long goes on unread
   * - `erasing`  the rest of a refused line goes nowhere
   * - `tls`      encrypted records
   */
  mode: "opening" | "lines" | "midline" | "skipping" | "erasing" | "tls";
  tls: TlsRecords;
}

const DETACH_REST = (consumed: number): Inspection => ({ verdict: "detach", consumed });

class FtpInspector implements Inspector {
  readonly #dataPort: Port | null;
  readonly #hold: number;
  readonly #dialogue = new Dialogue();
  readonly #original: Stream = { mode: "opening", tls: new TlsRecords() };
  readonly #reply: Stream = { mode: "opening", tls: new TlsRecords() };
  /** RFC 2428 §4: after EPSV ALL the client may use nothing else. */
  #epsvAll = false;
  /** The code of the multi-line reply that is being read; 0: none. */
  #multiline = 0;

  constructor({ real }: Connection, { strict, hold }: Settings) {
    // RFC 959 §3.2: the server's data port is the one before its control port. Many servers use any other.
    this.#dataPort = strict && real.port > 1 ? port(real.port - 1) : null;
    this.#hold = hold;
  }

  inspect(payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    const stream = direction === "original" ? this.#original : this.#reply;
    let at = 0;
    while (at < payload.length) {
      if (stream.mode === "erasing") return this.#erase(stream, payload, at);
      const next = this.#step(stream, payload, at, direction, actions);
      if (next === BLIND) return DETACH_REST(payload.length);
      if (next === WAIT) break;
      at = Math.abs(next);
      if (next < 0) break;
    }
    return { verdict: "pass", consumed: at };
  }

  end(payload: Uint8Array, direction: Direction, actions: Actions): void {
    const announces =
      direction === "original"
        ? announcing(readCommand(payload, 0, payload.length).verb)
        : passiveCode(readReply(payload, 0, payload.length)?.code ?? 0);
    const at = { start: 0, end: payload.length };
    if (announces) actions.refuse("unfinished", at, { ...at, text: () => "" });
  }

  gap(direction: Direction): void {
    const stream = direction === "original" ? this.#original : this.#reply;
    if (stream.mode !== "tls") stream.mode = "midline";
    if (direction === "reply") {
      this.#multiline = 0;
      this.#dialogue.lost();
    }
  }

  /** One line, or one run of records: where the next begins (negative: stop there, a message was acted on). */
  #step(stream: Stream, payload: Uint8Array, at: number, direction: Direction, actions: Actions): number {
    if (stream.mode === "tls") return this.#records(stream, payload, at, actions);
    if (stream.mode === "opening" && direction === "original" && startsTls(payload[at]!)) {
      this.#implicitTls(actions);
      return at;
    }
    const lf = payload.indexOf(LF, at);
    const end = lf < 0 ? payload.length : lf;
    if (stream.mode === "skipping") {
      if (lf >= 0) stream.mode = "lines";
      return lf < 0 ? end : lf + 1;
    }
    const tooLong = end - at > this.#hold;
    if (lf < 0 && !tooLong) return WAIT;
    if (stream.mode === "opening" && !isFtp(payload, at, end, direction)) {
      actions.fault("not-ftp", { start: at, end });
      return BLIND;
    }
    if (tooLong) return this.#tooLong(stream, payload, at, end, direction, actions);
    return this.#line(stream, payload, at, lf, direction, actions);
  }

  #line(stream: Stream, payload: Uint8Array, at: number, lf: number, direction: Direction, actions: Actions): number {
    if (stream.mode === "midline" && !beginsLine(payload, at, lf, direction)) {
      stream.mode = "lines";
      return lf + 1;
    }
    if (lf > at + 1) stream.mode = "lines";
    const acted =
      direction === "original"
        ? this.#command(payload, at, lf, actions)
        : this.#replyLine(stream, payload, at, lf, actions);
    return acted ? -(lf + 1) : lf + 1;
  }

  /** A line longer than what may be held: an announcement goes nowhere, anything else goes on unread. */
  #tooLong(
    stream: Stream,
    payload: Uint8Array,
    at: number,
    end: number,
    direction: Direction,
    actions: Actions,
  ): number {
    const whole = { start: at, end: end === payload.length ? end : end + 1 };
    stream.mode = end === payload.length ? "skipping" : "lines";
    const reply = direction === "reply" ? readReply(payload, at, end) : null;
    const command = direction === "original" ? readCommand(payload, at, end) : null;
    const refused = announcing(command?.verb ?? 0) || passiveCode(reply?.code ?? 0);
    if (!refused) {
      actions.fault("line-too-long", whole);
      return -whole.end;
    }
    if (stream.mode === "skipping") stream.mode = "erasing";
    const text = reply === null ? refusedCommand : this.#refusedReply(reply);
    actions.refuse("line-too-long", whole, { ...whole, text: (reason) => `${text(reason)}\r\n` });
    return -whole.end;
  }

  #erase(stream: Stream, payload: Uint8Array, at: number): Inspection {
    if (at > 0) return { verdict: "pass", consumed: at };
    const lf = payload.indexOf(LF);
    if (lf >= 0) stream.mode = "lines";
    return { verdict: "drop", consumed: lf < 0 ? payload.length : lf + 1 };
  }

  // --- client to server -------------------------------------------------------------------------------------------

  /** True: the line announced something, or was refused. */
  #command(payload: Uint8Array, start: number, lf: number, actions: Actions): boolean {
    const dirty = isDirty(payload, start, lf);
    const bytes = dirty ? cleaned(payload, start, lf) : payload;
    const command = dirty ? parseCommand(bytes, 0, bytes.length) : parseCommand(payload, start, lf);
    if (command.verb === 0) return false;
    if (!announcing(command.verb)) {
      this.#remember(command, bytes, null, actions);
      return false;
    }
    // With telnet bytes in it, the argument is written anew from the verb on.
    const end = payload[lf - 1] === CR ? lf - 1 : lf;
    const at = dirty ? { start: skipTelnet(payload, start, end), end } : { start: command.start, end: command.end };
    this.#active(command, bytes, at, { start, end: lf + 1 }, actions);
    return true;
  }

  #remember(command: Command, bytes: Uint8Array, ref: Ref | null, actions: Actions): void {
    const all = command.verb === EPSV && latin1(bytes, command.argument, command.end).toUpperCase() === "ALL";
    const pending: Pending = { verb: command.verb, ref, barred: this.#epsvAll && command.verb !== EPSV, all };
    if (all) this.#epsvAll = true;
    if (!this.#dialogue.sent(pending)) actions.fault("pipeline-too-deep");
  }

  /** PORT, EPRT, LPRT. `at`: from the verb to the end of the argument; `line`: with its line end. */
  #active(command: Command, bytes: Uint8Array, at: Range, line: Range, actions: Actions): void {
    const announced =
      command.verb === LPRT
        ? "not-supported"
        : (command.verb === PORT ? parseHostPort : parseExtended)(bytes, command.argument, command.end);
    const instead = { ...at, text: refusedCommand };
    if (typeof announced === "string") {
      this.#remember(command, bytes, null, actions);
      actions.refuse(announced, line, instead);
      return;
    }
    const said = command.verb === PORT ? "PORT" : "EPRT";
    const ref = actions.expect({
      kind: command.verb === PORT ? "ftp-active" : "ftp-eprt",
      said,
      transport: "tcp",
      opener: "reply",
      from: { address: null, port: this.#dataPort },
      to: announced,
      uses: 1,
      bytes: line,
      ...(this.#epsvAll ? { objection: "epsv-all" } : {}),
      instead,
    });
    this.#remember(command, bytes, ref, actions);
    actions.rewrite(at.start, at.end, ref, command.verb === PORT ? renderPort : renderEprt);
  }

  // --- server to client -------------------------------------------------------------------------------------------

  #replyLine(stream: Stream, payload: Uint8Array, start: number, lf: number, actions: Actions): boolean {
    const reply = readReply(payload, start, lf);
    const multiline = this.#multiline;
    if (multiline !== 0 && reply?.code !== multiline) return false;
    if (reply === null) return false;
    if (reply.more) {
      this.#multiline = reply.code;
      return this.#continuation(reply, payload, start, lf, actions);
    }
    this.#multiline = 0;
    const command = this.#dialogue.answered(reply.code);
    if (command !== null) this.#settle(command, reply.code, actions);
    if (reply.code === 234 || reply.code === 235) this.#secured(stream, reply.code, actions);
    if (!passiveCode(reply.code)) return false;
    return this.#passive({ ...reply, more: multiline !== 0 }, command, payload, start, lf, actions);
  }

  /** Only the final line of a reply announces; but clients exist that read an address in any of its lines. */
  #continuation(reply: Reply, payload: Uint8Array, start: number, lf: number, actions: Actions): boolean {
    if (reply.code !== 227 || findHostPort(payload, start + 4, lf) === null) return false;
    const line = { start, end: lf + 1 };
    actions.refuse("address-in-continuation", line, { ...line, text: () => "227-\r\n" });
    return true;
  }

  #settle(command: Pending, code: number, actions: Actions): void {
    const outcome = code < 400 ? "accepted" : "rejected";
    if (command.ref !== null) actions.settle(command.ref, outcome);
    if (command.all && outcome === "rejected") this.#epsvAll = false;
  }

  #passive(
    reply: Reply,
    command: Pending | null,
    payload: Uint8Array,
    start: number,
    lf: number,
    actions: Actions,
  ): boolean {
    const announced = announcedIn(reply.code, payload, start + 4, lf);
    if (announced === null) {
      if (command !== null) actions.fault("no-address", { start, end: lf });
      return false;
    }
    const line = { start, end: lf + 1 };
    const refused = this.#refusedReply(reply);
    const instead = { ...line, text: (reason: string) => `${refused(reason)}\r\n` };
    if (typeof announced === "string") {
      actions.refuse(announced, line, instead);
      return true;
    }
    const objection = command === null ? "unsolicited" : command.barred ? "epsv-all" : undefined;
    const ref = actions.expect(passiveAnnouncement(reply.code, announced, line, instead, objection));
    const render = reply.code === 229 ? extendedRenderer(payload[announced.at[0]!.start]!) : renderHostPort;
    for (const { start, end } of announced.at) actions.rewrite(start, end, ref, render);
    actions.settle(ref, "accepted");
    return true;
  }

  /** A reply that takes the place of a refused one; within a multi-line reply the code may not change. */
  #refusedReply({ code, more }: Reply): (reason: string) => string {
    const shown = more || this.#multiline === code ? code : 425;
    return (reason) => `${shown} Can't open data connection: refused by the director (${reason}).`;
  }

  // --- encrypted --------------------------------------------------------------------------------------------------

  /** RFC 4217 §4 (234), RFC 2228 §3 (235): from here on the words are hidden, and the data connections with them. */
  #secured(stream: Stream, code: number, actions: Actions): void {
    actions.group(code === 234 ? "tls" : "protected");
    if (code !== 234) return;
    stream.mode = "tls";
    this.#original.mode = "tls";
    actions.note("encrypted");
  }

  /** RFC 4217 §1 mentions it as deployed: TLS from the first byte, on port 990. */
  #implicitTls(actions: Actions): void {
    this.#original.mode = "tls";
    this.#reply.mode = "tls";
    actions.group("tls");
    actions.note("encrypted");
  }

  #records(stream: Stream, payload: Uint8Array, at: number, actions: Actions): number {
    const { end, broken } = stream.tls.skip(payload, at);
    if (end === payload.length && !broken) return end;
    if (broken || !isText(payload[end]!)) {
      actions.fault("encryption-unknown", { start: at, end });
      return BLIND;
    }
    stream.mode = "lines";
    actions.note("plain-again", { start: end, end });
    return end;
  }
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** `#step`: forward all and look no more. */
const BLIND = Number.NEGATIVE_INFINITY;
/** `#step`: the line is incomplete. */
const WAIT = Number.POSITIVE_INFINITY;

const announcing = (code: number): boolean => code === PORT || code === EPRT || code === LPRT;

/** 227 and 229; 228 is LPSV's (RFC 1639), whose address nobody here can read. */
const passiveCode = (code: number): boolean => code >= 227 && code <= 229;

const announcedIn = (code: number, payload: Uint8Array, start: number, lf: number): Announced | Malformed | null => {
  if (code === 227 && isDirty(payload, start, lf)) return dirtyHostPort(payload, start, lf);
  if (code === 228) return findHostPort(payload, start, lf) === null ? null : "bad-family";
  return (code === 227 ? findHostPort : findExtended)(payload, start, lf);
};

/** An address that shows only when the NULs and telnet commands in it are taken out, is meant for somebody else. */
function dirtyHostPort(payload: Uint8Array, start: number, lf: number): Announced | Malformed | null {
  const bytes = cleaned(payload, start, lf);
  return findHostPort(bytes, 0, bytes.length) === null ? null : "bad-argument";
}

function readCommand(payload: Uint8Array, start: number, end: number): Command {
  if (!isDirty(payload, start, end)) return parseCommand(payload, start, end);
  const bytes = cleaned(payload, start, end);
  return parseCommand(bytes, 0, bytes.length);
}

function readReply(payload: Uint8Array, start: number, end: number): Reply | null {
  const reply = parseReply(payload, start, end);
  if (reply !== null || !isDirty(payload, start, end)) return reply;
  const bytes = cleaned(payload, start, end);
  return parseReply(bytes, 0, bytes.length);
}

/** A stream that does not open like FTP is none, whatever comes later in it (NAT slipstreaming). */
function isFtp(payload: Uint8Array, start: number, lf: number, direction: Direction): boolean {
  if (direction === "reply") return readReply(payload, start, lf) !== null;
  return lf <= start + 1 || isKnown(readCommand(payload, start, lf).verb);
}

const beginsLine = (payload: Uint8Array, start: number, lf: number, direction: Direction): boolean =>
  direction === "reply" ? parseReply(payload, start, lf) !== null : isKnown(parseCommand(payload, start, lf).verb);

/** Printable, or a telnet command: what plain FTP may go on with. */
const isText = (byte: number): boolean =>
  (byte >= 0x20 && byte < 0x7f) || byte === 0xff || byte === 0x0d || byte === LF;

function passiveAnnouncement(
  code: number,
  to: Announced,
  bytes: Range,
  instead: Replacement,
  objection: string | undefined,
): Announcement {
  return {
    kind: code === 229 ? "ftp-epsv" : "ftp-passive",
    said: String(code),
    transport: "tcp",
    opener: "original",
    from: { address: null, port: null },
    to,
    uses: 1,
    bytes,
    ...(objection === undefined ? {} : { objection }),
    instead,
  };
}

const hostPort = ({ address, port }: Endpoint): string =>
  `${address.toString().replaceAll(".", ",")},${port >> 8},${port & 255}`;

const renderHostPort = (seen: Endpoint): string | null => (seen.address.family === 4 ? hostPort(seen) : null);
/** With the server's own delimiter: some clients of IBM servers know no other. */
function extendedRenderer(delimiter: number): (seen: Endpoint) => string {
  const d = String.fromCharCode(delimiter);
  return ({ port }) => `${d}${d}${d}${port}${d}`;
}

const renderEprt = ({ address, port }: Endpoint): string => `EPRT |${address.family === 4 ? 1 : 2}|${address}|${port}|`;
/** Towards a realserver of the other family a PORT becomes an EPRT. */
const renderPort = (seen: Endpoint): string =>
  seen.address.family === 4 ? `PORT ${hostPort(seen)}` : renderEprt(seen);

/** A command that every server refuses by itself, so that its reply is the server's own. */
const refusedCommand = (): string => "PORT 0,0,0,0,0,0";
