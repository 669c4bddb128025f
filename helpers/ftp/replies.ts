import type { Actions, Announcement } from "../../core/helper/api.ts";
import type { ByteRange, PartialEndpoint } from "../../core/units.ts";
import { CR, decimal, latin1, skipDigits } from "../../core/wire/text.ts";
import type { Pending } from "./dialogue.ts";
import type { Reader, Session } from "./reader.ts";
import { extendedRenderer, refusedReply, renderHostPort } from "./render.ts";
import { plain } from "./telnet.ts";
import {
  type Announced,
  behindBareCr,
  findExtended,
  findHostPort,
  type Malformed,
  mayOpen,
  parseReply,
  type Reply,
} from "./wire.ts";

const PASSIVE = ["227", "228", "229"];

/** 227 and 229; 228 is LPSV's (RFC 1639), whose address nobody here can read. */
const isPassive = (code: number): boolean => code >= 227 && code <= 229;

const replyIn = (text: Uint8Array): Reply | null => parseReply(text, 0, text.length);

/** The first three digits, whatever follows: some clients look no further (`2271` is 227 to Python's ftplib). */
const codeAt = (text: Uint8Array, start: number): number =>
  skipDigits(text, start, Math.min(text.length, start + 3)) === start + 3 ? decimal(text, start, start + 3) : 0;

/** Server to client. */
export class Replies implements Reader {
  readonly #session: Session;
  /** The code of the multi-line reply that is being read (RFC 959 §4.2); 0: none. */
  #multiline = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  opens(line: Uint8Array): boolean {
    return replyIn(plain(line)) !== null;
  }

  begins(line: Uint8Array): boolean {
    return replyIn(line) !== null;
  }

  /** Lines are missing: which reply this one belongs to is not known. */
  lost(): void {
    this.#multiline = 0;
  }

  read(line: Uint8Array, actions: Actions): boolean {
    const reply = replyIn(plain(line));
    const within = this.#multiline;
    if (this.#goesOn(reply)) this.#continuation(line, actions);
    else if (reply === null) this.#other(line, actions);
    else {
      const { command, secured } = this.#answered(reply.code, actions);
      if (isPassive(reply.code)) this.#passive(reply.code, within, command, line, actions);
      else this.#other(line, actions);
      return secured;
    }
    return false;
  }

  abandon(line: Uint8Array, at: ByteRange, code: string, actions: Actions): boolean {
    const text = plain(line);
    const reply = replyIn(text);
    const within = this.#multiline;
    if (this.#goesOn(reply)) {
      if (!isPassive(this.#multiline) && !isPassive(reply?.code ?? 0)) return false;
      actions.refuse(code, at, { ...at, text: () => `${this.#multiline}-\r\n` });
      return true;
    }
    if (reply !== null) this.#answered(reply.code, actions);
    const undecided = text.length < 3 && mayOpen(text, 0, PASSIVE);
    if (!undecided && !isPassive(reply?.code ?? 0)) return false;
    actions.refuse(code, at, { ...at, text: (reason) => refusedReply(within === 0 ? 425 : within, reason) });
    return true;
  }

  /** Whether this line belongs to a multi-line reply and does not end it. */
  #goesOn(reply: Reply | null): boolean {
    if (this.#multiline !== 0) return reply?.code !== this.#multiline || reply.more;
    if (reply?.more) this.#multiline = reply.code;
    return this.#multiline !== 0;
  }

  /**
   * Only the last line of a reply announces. But there are clients that look for an address in all of them (Python's
   * ftplib), and clients to which any code and a space is a last line (curl); RFC 959 §4.2 has servers pad those.
   */
  #continuation(line: Uint8Array, actions: Actions): void {
    const code = this.#multiline;
    if (!isPassive(code)) return this.#other(line, actions);
    const coded = replyIn(plain(line)) !== null;
    if (addressIn(code, line, coded ? 3 : 0) === null && !announcesItself(line) && !isVeiled(line)) return;
    actions.refuse("address-in-continuation", wholeOf(line), { ...wholeOf(line), text: () => `${code}-\r\n` });
  }

  /** A line that announces nothing, whatever clients take it for. */
  #other(line: Uint8Array, actions: Actions): void {
    const passive = announcesItself(line);
    if (!passive && !isVeiled(line)) return;
    const reason = passive && this.#multiline !== 0 ? "address-in-continuation" : "hidden";
    actions.refuse(reason, wholeOf(line), { ...wholeOf(line), text: () => `${passive ? " " : ""}${unveiled(line)}` });
  }

  /** The final line of a reply: the command it answers, and whether both go on encrypted. */
  #answered(code: number, actions: Actions): { readonly command: Pending | null; readonly secured: boolean } {
    this.#multiline = 0;
    const { dialogue } = this.#session;
    const command = dialogue.answered(code);
    if (command !== null) this.#settle(command, code, actions);
    // RFC 4217 §4 (234), RFC 2228 §3 (235): the words are hidden from here on, and the data connections with them.
    const protects = (code === 234 || code === 235) && (command !== null || dialogue.guessing);
    if (protects) actions.group(code === 234 ? "tls" : "protected");
    return { command, secured: protects && code === 234 };
  }

  #settle(command: Pending, code: number, actions: Actions): void {
    const outcome = code < 400 ? "accepted" : "rejected";
    if (command.ref !== null) actions.settle(command.ref, outcome);
    if (command.all && outcome === "rejected") this.#session.epsvAll = false;
  }

  #passive(code: number, within: number, command: Pending | null, line: Uint8Array, actions: Actions): void {
    const whole = wholeOf(line);
    const announced = addressIn(code, line, 3);
    if (announced === null) {
      if (command !== null) actions.fault("no-address", whole);
      this.#other(line, actions);
      return;
    }
    // Within a multi-line reply the code may not change.
    const shown = within === 0 ? 425 : within;
    const { start, end } = whole;
    const instead = { start, end, text: (reason: string) => refusedReply(shown, reason) };
    if (typeof announced === "string") {
      actions.refuse(announced, whole, instead);
      return;
    }
    const announcement: Announcement = {
      kind: code === 229 ? "ftp-epsv" : "ftp-passive",
      said: String(code),
      transport: "tcp",
      opener: "original",
      from: ANYBODY,
      to: announced,
      uses: 1,
      bytes: whole,
      instead,
    };
    const objection = objectionTo(command);
    const ref = actions.expect(objection === null ? announcement : { ...announcement, objection });
    const render = code === 229 ? extendedRenderer(line[announced.at[0]!.start]!) : renderHostPort;
    for (const { start, end } of announced.at) actions.rewrite(start, end, ref, render);
    actions.settle(ref, "accepted");
  }
}

/** The client, from whatever port. */
const ANYBODY: PartialEndpoint = { address: null, port: null };

const wholeOf = (line: Uint8Array): ByteRange => ({ start: 0, end: line.length + 1 });

/**
 * Whether clients could differ in where this line ends, or in what its code is: to some a bare CR ends it (Python's
 * universal newlines), some take NULs and telnet commands out, others do not.
 */
function isVeiled(line: Uint8Array): boolean {
  const text = plain(line);
  if (text !== line) {
    const [read, written] = [replyIn(text), replyIn(line)];
    if (read?.code !== written?.code || read?.more !== written?.more) return true;
  }
  return hides(text) || (text !== line && hides(line));
}

/** Whether to a client that ends a line at a bare CR there is a code behind one. */
function hides(text: Uint8Array): boolean {
  for (let at = behindBareCr(text, 0); at >= 0; at = behindBareCr(text, at)) if (codeAt(text, at) !== 0) return true;
  return false;
}

/** Whether the line, looked at by itself, is a passive reply with an address. */
function announcesItself(line: Uint8Array): boolean {
  const code = codeAt(plain(line), 0);
  return isPassive(code) && addressIn(code, line, 3) !== null;
}

/** The line so that they agree. */
function unveiled(line: Uint8Array): string {
  const text = plain(line);
  const end = text.at(-1) === CR ? text.length - 1 : text.length;
  // A byte 255 stays two, as telnet has it: one would begin a command.
  return `${latin1(text, 0, end).replaceAll("\r", " ").replaceAll("\xff", "\xff\xff")}\r\n`;
}

function objectionTo(command: Pending | null): string | null {
  if (command === null) return "unsolicited";
  return command.barred ? "epsv-all" : null;
}

/** What the text of a passive reply announces from `start` on. */
function addressIn(code: number, line: Uint8Array, start: number): Announced | Malformed | null {
  const text = plain(line);
  const find = code === 229 ? findExtended : findHostPort;
  const found = find(text, Math.min(start, text.length), text.length);
  // Not all clients take telnet commands out, and one may swallow an address.
  if (found === null) return text !== line && find(line, start, line.length) !== null ? "bad-argument" : null;
  if (code === 228) return "bad-family";
  // An address that shows when NULs and telnet commands are taken out is not where it would have to be rewritten.
  return text === line && !isVeiled(line) ? found : "bad-argument";
}
