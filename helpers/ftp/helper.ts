import type { Actions, Connection, Direction, Helper, Inspection, Inspector, Settings } from "../../core/helper/api.ts";
import { type Endpoint, type Port, port, seconds } from "../../core/units.ts";
import { CR, LF } from "../../core/wire/text.ts";
import { HOLD, QUEUE, readInBrief, TOLERATED } from "./brief.ts";
import { Commands } from "./commands.ts";
import { Line } from "./line.ts";
import { opensLikeFtp } from "./opening.ts";
import { isEmpty, type Reader, Session } from "./reader.ts";
import { reasons } from "./reasons.ts";
import { Replies } from "./replies.ts";
import { startsTls, TlsRecords } from "./tls.ts";

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
  reasons,
  open: (connection, settings) => new FtpInspector(connection, settings),
  brief: readInBrief,
  detect: opensLikeFtp,
  initials: "2Uu",
};

/** The line that is looked at, of whatever connection. */
const line = new Line();

class FtpInspector implements Inspector {
  readonly #hold: number;
  readonly #session: Session;
  readonly #commands: Commands;
  readonly #replies: Replies;

  constructor({ virtual, real }: Connection, { strict, hold }: Settings) {
    this.#hold = hold;
    // Many servers' data connections come from any other port.
    const networks = { client: networkOf(virtual), real: networkOf(real) };
    this.#session = new Session(strict ? dataPort(real) : null, dataPort(virtual), networks);
    this.#commands = new Commands(this.#session);
    this.#replies = new Replies(this.#session);
  }

  /** Between lines of a dialogue that has begun, and of which nothing is remembered but plain commands. */
  rest(state: Int32Array, place: number): boolean {
    const session = this.#session;
    if (this.#commands.mode !== "lines" || this.#replies.mode !== "lines") return false;
    if (this.#replies.within || session.epsvAll) return false;
    state[place + HOLD] = this.#hold;
    state[place + TOLERATED] = session.tolerated ? 1 : 0;
    return session.restQueue(state, place + QUEUE);
  }

  wake(state: Int32Array, place: number): void {
    this.#session.wakeQueue(state, place + QUEUE);
    this.#session.tolerated = state[place + TOLERATED] === 1;
  }

  /** One line, or one run of records, a call. */
  inspect(payload: Uint8Array, direction: Direction, actions: Actions): Inspection {
    const reader = this.#reader(direction);
    switch (reader.mode) {
      case "blind":
        return blind(payload);
      case "tls":
        return this.#records(reader, payload, actions);
      case "skipping":
        return this.#unread(reader, payload, actions);
      case "erasing":
        return erased(reader, payload);
      default:
        if (this.#startsEncrypted(reader, payload, actions)) return this.#records(reader, payload, actions);
        return this.#line(reader, payload, actions);
    }
  }

  end(payload: Uint8Array, direction: Direction, actions: Actions, last: boolean): void {
    const reader = this.#reader(direction);
    line.show(payload, payload.length);
    // lftp leaves with a telnet interrupt and no line behind it.
    if (last && isEmpty(line.text, line.textEnd)) return;
    if (reader.mode === "opening" && !reader.opens(line)) {
      this.#close("not-ftp", payload, actions);
      return;
    }
    const refused = reader.abandon(line, { start: 0, end: payload.length }, "unfinished", actions);
    reader.mode = refused ? "erasing" : "skipping";
  }

  gap(direction: Direction): void {
    const reader = this.#reader(direction);
    if (reader.mode !== "tls") reader.mode = "midline";
    if (direction === "reply") this.#replies.lost();
    this.#session.lost(direction);
  }

  #line(reader: Reader, payload: Uint8Array, actions: Actions): Inspection {
    const lf = endOfLine(payload);
    const length = lf < 0 ? payload.length : lf;
    const tooLong = length > this.#hold;
    if (lf < 0 && !tooLong) return { verdict: "pass", consumed: 0 };
    // Of a line that is too long the same is looked at, however much of it has come.
    line.show(payload, tooLong ? this.#hold + 1 : length);
    if (reader.mode === "opening" && !reader.opens(line)) return this.#close("not-ftp", payload, actions);
    if (tooLong) return this.#tooLong(reader, lf < 0 ? null : lf + 1, payload, actions);
    this.#read(reader, actions);
    return { verdict: "pass", consumed: lf + 1 };
  }

  #read(reader: Reader, actions: Actions): void {
    const tail = reader.mode === "midline" && !reader.begins(line);
    if (reader.mode !== "lines" && (tail || !isEmpty(line.raw, line.end))) reader.mode = "lines";
    if (!tail && reader.read(line, actions)) this.#encrypted(actions);
  }

  /** An announcement that is too long goes nowhere, anything else goes on unread. `next`: where the line ends, if here. */
  #tooLong(reader: Reader, next: number | null, payload: Uint8Array, actions: Actions): Inspection {
    const consumed = next ?? payload.length;
    const at = { start: 0, end: consumed };
    const refused = reader.abandon(line, at, "line-too-long", actions);
    if (next !== null) reader.mode = "lines";
    else reader.mode = refused ? "erasing" : "skipping";
    if (refused) return { verdict: "pass", consumed };
    actions.fault("line-too-long", at);
    return { verdict: "pass", consumed: joinLine(payload, consumed, actions) };
  }

  /** The rest of a line that is too long, or too slow. */
  #unread(reader: Reader, payload: Uint8Array, actions: Actions): Inspection {
    const lf = payload.indexOf(LF);
    if (lf >= 0) reader.mode = "lines";
    return { verdict: "pass", consumed: joinLine(payload, lf < 0 ? payload.length : lf + 1, actions) };
  }

  /** TLS from the first byte (port 990). The data ports open when the server has agreed, by answering in kind. */
  #startsEncrypted(reader: Reader, payload: Uint8Array, actions: Actions): boolean {
    if (reader.mode !== "opening" || payload.length === 0 || !startsTls(payload[0]!)) return false;
    const server = reader === this.#replies;
    if (server && this.#commands.mode !== "tls") return false;
    reader.mode = "tls";
    if (server) actions.group("tls");
    else actions.note("encrypted");
    return true;
  }

  #encrypted(actions: Actions): void {
    this.#commands.mode = "tls";
    this.#replies.mode = "tls";
    actions.note("encrypted");
  }

  #records(reader: Reader, payload: Uint8Array, actions: Actions): Inspection {
    reader.records ??= new TlsRecords();
    const { end, broken } = reader.records.skip(payload, 0);
    if (broken || (end < payload.length && !isText(payload[end]!))) {
      return this.#close("encryption-unknown", payload, actions);
    }
    if (end === payload.length) return { verdict: "pass", consumed: end };
    reader.mode = "lines";
    actions.note("plain-again", { start: end, end });
    return end === 0 ? this.#line(reader, payload, actions) : { verdict: "pass", consumed: end };
  }

  /** This is nothing that can be read. */
  #close(code: string, payload: Uint8Array, actions: Actions): Inspection {
    this.#commands.mode = "blind";
    this.#replies.mode = "blind";
    actions.fault(code, { start: 0, end: payload.length });
    return blind(payload);
  }

  #reader(direction: Direction): Reader {
    return direction === "original" ? this.#commands : this.#replies;
  }
}

/** RFC 959 §3.2: the server's data port is the one before its control port. */
const dataPort = ({ port: control }: Endpoint): Port | null => (control > 1 ? port(control - 1) : null);

/** RFC 2428 §2. */
const networkOf = ({ address }: Endpoint): string => (address.family === 4 ? "1" : "2");

const blind = ({ length }: Uint8Array): Inspection => ({ verdict: "detach", consumed: length });

/** Where the first LF is; -1: nowhere. Lines are short: to call `indexOf` takes longer than to look at so few bytes. */
function endOfLine(payload: Uint8Array): number {
  for (let at = 0; at < payload.length; at++) if (payload[at] === LF) return at;
  return -1;
}

function erased(reader: Reader, payload: Uint8Array): Inspection {
  const lf = payload.indexOf(LF);
  if (lf >= 0) reader.mode = "lines";
  return { verdict: "drop", consumed: lf < 0 ? payload.length : lf + 1 };
}

/**
 * Unread bytes of one line must stay one line to peers that end lines at a bare CR, too. Returns how many of the first
 * `length` may go: what follows a CR at their end is not known yet.
 */
function joinLine(payload: Uint8Array, length: number, actions: Actions): number {
  for (let at = payload.indexOf(CR); at >= 0 && at + 1 < length; at = payload.indexOf(CR, at + 1)) {
    if (payload[at + 1] !== LF) actions.write(at, at + 1, " ");
  }
  return payload[length - 1] === CR ? length - 1 : length;
}

/** Printable, or a telnet command: what plain FTP may go on with. */
const isText = (byte: number): boolean => (byte >= 0x20 && byte < 0x7f) || byte === 0xff || byte === CR || byte === LF;
