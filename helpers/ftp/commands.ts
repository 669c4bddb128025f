import type { Actions, Ref } from "../../core/helper/api.ts";
import type { ByteRange } from "../../core/units.ts";
import { CR, latin1, skipBlanks } from "../../core/wire/text.ts";
import { isEmpty, type Reader, type Session } from "./reader.ts";
import { REFUSED_COMMAND, renderEprt, renderPort } from "./render.ts";
import { plain, skipTelnet } from "./telnet.ts";
import {
  type Announced,
  behindBareCr,
  type Command,
  isKnown,
  type Malformed,
  mayOpen,
  parseCommand,
  parseExtended,
  parseHostPort,
  type Verb,
  verb,
  verbAt,
} from "./wire.ts";

const [PORT, EPRT, LPRT, EPSV] = [verb("PORT"), verb("EPRT"), verb("LPRT"), verb("EPSV")];
const ANNOUNCING = ["PORT", "EPRT", "LPRT"];

const announces = (code: Verb): boolean => code === PORT || code === EPRT || code === LPRT;

const commandIn = (text: Uint8Array): Command => parseCommand(text, 0, text.length);

/** Client to server. */
export class Commands implements Reader {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  opens(line: Uint8Array): boolean {
    const text = plain(line);
    return isEmpty(text) || isKnown(commandIn(text).verb);
  }

  begins(line: Uint8Array): boolean {
    return isKnown(commandIn(line).verb);
  }

  read(line: Uint8Array, actions: Actions): boolean {
    const text = plain(line);
    const command = commandIn(text);
    if (announces(command.verb)) this.#announce(command, text, line, actions);
    else this.#other(command, text, line, actions);
    return false;
  }

  abandon(line: Uint8Array, at: ByteRange, code: string, actions: Actions): boolean {
    const text = plain(line);
    const command = commandIn(text);
    this.#remember(command, text, null, actions);
    const start = skipBlanks(text, 0, text.length);
    const undecided = text.length - start < 4 && mayOpen(text, start, ANNOUNCING);
    if (!undecided && !announces(command.verb)) return false;
    actions.refuse(code, at, { ...at, text: () => `${REFUSED_COMMAND}\r\n` });
    return true;
  }

  #other(command: Command, text: Uint8Array, line: Uint8Array, actions: Actions): void {
    if (isEmpty(text)) return;
    this.#remember(command, text, null, actions);
    if (!hides(text) && (text === line || !hides(line))) return;
    const whole = { start: 0, end: line.length + 1 };
    actions.refuse("hidden", whole, { ...whole, text: () => `${REFUSED_COMMAND}\r\n` });
  }

  #remember({ verb, argument, end }: Command, text: Uint8Array, ref: Ref | null, actions: Actions): void {
    const all = verb === EPSV && latin1(text, argument, end).toUpperCase() === "ALL";
    const barred = this.#session.epsvAll && verb !== EPSV;
    if (all) this.#session.epsvAll = true;
    if (!this.#session.dialogue.sent({ verb, ref, barred, all })) actions.fault("pipeline-too-deep");
  }

  /** PORT, EPRT, LPRT. */
  #announce(command: Command, text: Uint8Array, line: Uint8Array, actions: Actions): void {
    const whole = { start: 0, end: line.length + 1 };
    const at = written(command, text, line);
    const announced = argumentOf(command, text);
    const instead = { ...at, text: () => REFUSED_COMMAND };
    if (typeof announced === "string") {
      this.#remember(command, text, null, actions);
      actions.refuse(announced, whole, instead);
      return;
    }
    const port = command.verb === PORT;
    const { dataPort, virtualDataPort, epsvAll } = this.#session;
    const ref = actions.expect({
      kind: port ? "ftp-active" : "ftp-eprt",
      said: port ? "PORT" : "EPRT",
      transport: "tcp",
      opener: "reply",
      from: { address: null, port: dataPort },
      to: announced,
      uses: 1,
      ...(virtualDataPort === null ? {} : { leaves: virtualDataPort }),
      bytes: whole,
      ...(epsvAll ? { objection: "epsv-all" } : {}),
      instead,
    });
    this.#remember(command, text, ref, actions);
    actions.rewrite(at.start, at.end, ref, port ? renderPort : renderEprt);
  }
}

/** Whether to a peer that ends a line at a bare CR there is an announcement behind one. */
function hides(text: Uint8Array): boolean {
  for (let at = behindBareCr(text, 0); at >= 0; at = behindBareCr(text, at)) {
    const start = skipBlanks(text, at, text.length);
    if (announces(verbAt(text, start, text.length))) return true;
  }
  return false;
}

function argumentOf({ verb, argument, end }: Command, text: Uint8Array): Announced | Malformed | "not-supported" {
  if (verb === LPRT) return "not-supported";
  return (verb === PORT ? parseHostPort : parseExtended)(text, argument, end);
}

/** From the verb to the end of the argument. With telnet bytes in it, all behind the first of them is written anew. */
function written(command: Command, text: Uint8Array, line: Uint8Array): ByteRange {
  if (text === line) return { start: command.start, end: command.end };
  return { start: skipTelnet(line), end: line.at(-1) === CR ? line.length - 1 : line.length };
}
