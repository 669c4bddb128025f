import type { Actions, Replacement } from "../../core/helper/api.ts";
import type { ByteRange } from "../../core/units.ts";
import { CR } from "../../core/wire/text.ts";
import type { Pending } from "./dialogue.ts";
import { type Announced, findExtended, findHostPort, type Malformed } from "./ends.ts";
import type { Line } from "./line.ts";
import { announcePassive, insteadOf } from "./offers.ts";
import { Reader, type Session } from "./reader.ts";
import { refusedReply } from "./render.ts";
import { IAC } from "./telnet.ts";
import { behindBareCr, codeAt, isPassiveCode, mayOpen, parseReply, type Reply } from "./wire.ts";

const PASSIVE = ["227", "228", "229"];

/** To those who take telnet bytes out. */
const replyIn = ({ text, textEnd }: Line): Reply | null => parseReply(text, 0, textEnd);

/** Server to client. */
export class Replies extends Reader {
  readonly #session: Session;
  /** The code of the multi-line reply that is being read (RFC 959 §4.2); 0: none. */
  #multiline = 0;

  constructor(session: Session) {
    super();
    this.#session = session;
  }

  opens(line: Line): boolean {
    return replyIn(line) !== null;
  }

  begins({ raw, end }: Line): boolean {
    return parseReply(raw, 0, end) !== null;
  }

  /** A multi-line reply is being read. */
  get within(): boolean {
    return this.#multiline !== 0;
  }

  /** Lines are missing: which reply this one belongs to is not known. */
  lost(): void {
    this.#multiline = 0;
  }

  read(line: Line, actions: Actions): boolean {
    const reply = replyIn(line);
    const within = this.#multiline;
    if (this.#goesOn(reply)) this.#continuation(line, actions);
    else if (reply === null) this.#other(line, actions);
    else {
      const command = this.#answered(reply.code, actions);
      const secured = this.#protects(reply.code, command, actions);
      if (isPassiveCode(reply.code)) this.#passive(reply.code, within, command, line, actions);
      else this.#other(line, actions);
      return secured;
    }
    return false;
  }

  abandon(line: Line, at: ByteRange, code: string, actions: Actions): boolean {
    const reply = replyIn(line);
    const within = this.#multiline;
    if (this.#goesOn(reply)) {
      if (!isPassiveCode(this.#multiline) && !isPassiveCode(reply?.code ?? 0)) return false;
      actions.refuse(code, at, { ...at, text: () => `${this.#multiline}-\r\n` });
      return true;
    }
    if (reply !== null) this.#protects(reply.code, this.#answered(reply.code, actions), actions);
    const { text, textEnd } = line;
    const undecided = textEnd < 3 && mayOpen(text, 0, PASSIVE, textEnd);
    if (!undecided && !isPassiveCode(reply?.code ?? 0)) return false;
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
  #continuation(line: Line, actions: Actions): void {
    const code = this.#multiline;
    if (!isPassiveCode(code)) return this.#other(line, actions);
    const coded = replyIn(line) !== null;
    if (addressIn(code, line, coded ? 3 : 0) === null && !announcesItself(line) && !isVeiled(line)) return;
    actions.refuse(
      "address-in-continuation",
      wholeOf(line),
      replaced(line, () => `${code}-\r\n`),
    );
  }

  /** A line that announces nothing, whatever clients take it for. */
  #other(line: Line, actions: Actions): void {
    const passive = announcesItself(line);
    if (!passive && !isVeiled(line)) return;
    const reason = passive && this.#multiline !== 0 ? "address-in-continuation" : "hidden";
    const text = `${passive ? " " : ""}${unveiled(line)}`;
    actions.refuse(
      reason,
      wholeOf(line),
      replaced(line, () => text),
    );
  }

  /** The command that the final line of a reply answers. */
  #answered(code: number, actions: Actions): Pending | null {
    this.#multiline = 0;
    const command = this.#session.answered(code);
    if (command !== null) this.#settle(command, code, actions);
    return command;
  }

  /**
   * RFC 4217 §4 (234), RFC 2228 §3 (235): the words are hidden from here on, and the data connections with them. True:
   * both go on encrypted.
   */
  #protects(code: number, command: Pending | null, actions: Actions): boolean {
    if (code !== 234 && code !== 235) return false;
    if (command === null && !this.#session.guessing) return false;
    actions.group(code === 234 ? "tls" : "protected");
    return code === 234;
  }

  #settle(command: Pending, code: number, actions: Actions): void {
    const outcome = code < 400 ? "accepted" : "rejected";
    if (command.ref !== null) actions.settle(command.ref, outcome);
    if (command.all && outcome === "rejected") this.#session.epsvAll = false;
  }

  #passive(code: number, within: number, command: Pending | null, line: Line, actions: Actions): void {
    const whole = wholeOf(line);
    const announced = addressIn(code, line, 3);
    if (announced === null) {
      if (command !== null) actions.fault("no-address", whole);
      this.#other(line, actions);
      return;
    }
    // Within a multi-line reply the code may not change.
    const shown = within === 0 ? 425 : within;
    if (typeof announced === "string") {
      actions.refuse(announced, whole, replaced(line, insteadOf(shown)));
      return;
    }
    const delimiter = line.text[announced.at[0]!.start]!;
    announcePassive(code, announced, whole.end, shown, delimiter, objectionTo(command), actions);
  }
}

const wholeOf = ({ end }: Line): ByteRange => ({ start: 0, end: end + 1 });

/** In the place of all of it. */
const replaced = ({ end }: Line, text: Replacement["text"]): Replacement => ({ start: 0, end: end + 1, text });

/**
 * Whether clients could differ in where this line ends, or in what its code is: to some a bare CR ends it (Python's
 * universal newlines), some take NULs and telnet commands out, others do not.
 */
function isVeiled(line: Line): boolean {
  if (line.simple) return false;
  const { raw, end, text, textEnd } = line;
  const [read, written] = [parseReply(text, 0, textEnd), parseReply(raw, 0, end)];
  if (read?.code !== written?.code || read?.more !== written?.more) return true;
  return hides(text, textEnd) || hides(raw, end);
}

/** Whether to a client that ends a line at a bare CR there is a code behind one. */
function hides(text: Uint8Array, end: number): boolean {
  for (let at = behindBareCr(text, 0, end); at >= 0; at = behindBareCr(text, at, end)) {
    if (codeAt(text, at, end) !== 0) return true;
  }
  return false;
}

/** Whether the line, looked at by itself, is a passive reply with an address. */
function announcesItself(line: Line): boolean {
  const code = codeAt(line.text, 0, line.textEnd);
  return isPassiveCode(code) && addressIn(code, line, 3) !== null;
}

/** The line so that they agree. */
function unveiled({ text, textEnd }: Line): string {
  const end = textEnd > 0 && text[textEnd - 1] === CR ? textEnd - 1 : textEnd;
  let shown = "";
  for (let at = 0; at < end; at++) {
    // A byte 255 stays two, as telnet has it: one would begin a command.
    shown += text[at] === CR ? " " : text[at] === IAC ? "\xff\xff" : String.fromCharCode(text[at]!);
  }
  return `${shown}\r\n`;
}

function objectionTo(command: Pending | null): string | null {
  if (command === null) return "unsolicited";
  return command.barred ? "epsv-all" : null;
}

/** What the text of a passive reply announces from `start` on. */
function addressIn(code: number, line: Line, start: number): Announced | Malformed | null {
  const { raw, end, text, textEnd, telnet } = line;
  const find = code === 229 ? findExtended : findHostPort;
  const found = find(text, Math.min(start, textEnd), textEnd);
  // Not all clients take telnet commands out, and one may swallow an address.
  if (found === null) return telnet && find(raw, start, end) !== null ? "bad-argument" : null;
  if (code === 228) return "bad-family";
  // An address that shows when NULs and telnet commands are taken out is not where it would have to be rewritten.
  return telnet || isVeiled(line) ? "bad-argument" : found;
}
