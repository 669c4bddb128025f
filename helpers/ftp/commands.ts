import type { Actions, Ref } from "../../core/helper/api.ts";
import type { ByteRange } from "../../core/units.ts";
import { CR, latin1, skipBlanks } from "../../core/wire/text.ts";
import { type Announced, type Malformed, parseExtended, parseHostPort } from "./ends.ts";
import type { Line } from "./line.ts";
import type { Draft } from "./offers.ts";
import { isEmpty, Reader, type Session } from "./reader.ts";
import { REFUSED_COMMAND, renderEprt, renderPort } from "./render.ts";
import { skipTelnet } from "./telnet.ts";
import { announces, behindBareCr, type Command, isKnown, mayOpen, parseCommand, verb, verbAt } from "./wire.ts";

const [PORT, LPRT, EPSV] = [verb("PORT"), verb("LPRT"), verb("EPSV")];
const ANNOUNCING = ["PORT", "EPRT", "LPRT"];

/** To those who take telnet bytes out. */
const commandIn = ({ text, textEnd }: Line): Command => parseCommand(text, 0, textEnd);

/** Client to server. */
export class Commands extends Reader {
  readonly #session: Session;

  constructor(session: Session) {
    super();
    this.#session = session;
  }

  opens(line: Line): boolean {
    return isEmpty(line.text, line.textEnd) || isKnown(commandIn(line).verb);
  }

  begins({ raw, end }: Line): boolean {
    return isKnown(parseCommand(raw, 0, end).verb);
  }

  read(line: Line, actions: Actions): boolean {
    const command = commandIn(line);
    if (announces(command.verb)) this.#announce(command, line, actions);
    else this.#other(command, line, actions);
    return false;
  }

  abandon(line: Line, at: ByteRange, code: string, actions: Actions): boolean {
    const command = commandIn(line);
    this.#remember(command, line.text, null, actions);
    const { text, textEnd } = line;
    const start = skipBlanks(text, 0, textEnd);
    const undecided = textEnd - start < 4 && mayOpen(text, start, ANNOUNCING, textEnd);
    if (!undecided && !announces(command.verb)) return false;
    actions.refuse(code, at, { ...at, text: () => `${REFUSED_COMMAND}\r\n` });
    return true;
  }

  #other(command: Command, line: Line, actions: Actions): void {
    if (isEmpty(line.text, line.textEnd)) return;
    this.#remember(command, line.text, null, actions);
    if (command.verb === EPSV && line.simple) this.#extended(command, line, actions);
    if (line.simple || !isHidden(line)) return;
    const whole = { start: 0, end: line.end + 1 };
    actions.refuse("hidden", whole, { ...whole, text: () => `${REFUSED_COMMAND}\r\n` });
  }

  /** `EPSV 2` of a client that came by IPv6 (wget) is `EPSV 1` to a realserver that is reached by IPv4, and the reverse. */
  #extended({ argument, end }: Command, { text }: Line, actions: Actions): void {
    const { client, real } = this.#session.networks;
    if (client !== real && latin1(text, argument, end) === client) actions.write(argument, end, real);
  }

  #remember({ verb, argument, end }: Command, text: Uint8Array, ref: Ref | null, actions: Actions): void {
    const all = verb === EPSV && latin1(text, argument, end).toUpperCase() === "ALL";
    const barred = this.#session.epsvAll && verb !== EPSV;
    if (all) this.#session.epsvAll = true;
    if (!this.#session.sent({ verb, ref, barred, all })) actions.fault("pipeline-too-deep");
  }

  /** PORT, EPRT, LPRT. */
  #announce(command: Command, line: Line, actions: Actions): void {
    const whole = { start: 0, end: line.end + 1 };
    const at = written(command, line);
    const announced = argumentOf(command, line);
    const instead = { start: at.start, end: at.end, text: refusedCommand };
    if (typeof announced === "string") {
      this.#remember(command, line.text, null, actions);
      actions.refuse(announced, whole, instead);
      return;
    }
    const port = command.verb === PORT;
    const { dataPort, virtualDataPort, epsvAll } = this.#session;
    const announcement: Draft = {
      kind: port ? "ftp-active" : "ftp-eprt",
      said: port ? "PORT" : "EPRT",
      transport: "tcp",
      opener: "reply",
      from: { address: null, port: dataPort },
      to: announced,
      uses: 1,
      bytes: whole,
      instead,
    };
    if (virtualDataPort !== null) announcement.leaves = virtualDataPort;
    if (epsvAll) announcement.objection = "epsv-all";
    const ref = actions.expect(announcement);
    this.#remember(command, line.text, ref, actions);
    actions.rewrite(at.start, at.end, ref, port ? renderPort : renderEprt);
  }
}

const refusedCommand = (): string => REFUSED_COMMAND;

/** Whether there is an announcement in it that not all peers see. */
const isHidden = ({ raw, end, text, textEnd }: Line): boolean => hides(text, textEnd) || hides(raw, end);

/** Whether to a peer that ends a line at a bare CR there is an announcement behind one. */
function hides(text: Uint8Array, end: number): boolean {
  for (let at = behindBareCr(text, 0, end); at >= 0; at = behindBareCr(text, at, end)) {
    const start = skipBlanks(text, at, end);
    if (announces(verbAt(text, start, end))) return true;
  }
  return false;
}

function argumentOf({ verb, argument, end }: Command, { text }: Line): Announced | Malformed | "not-supported" {
  if (verb === LPRT) return "not-supported";
  return verb === PORT ? parseHostPort(text, argument, end) : parseExtended(text, argument, end);
}

/** From the verb to the end of the argument. With telnet bytes in it, all behind the first of them is written anew. */
function written(command: Command, { raw, end, telnet }: Line): ByteRange {
  if (!telnet) return { start: command.start, end: command.end };
  return { start: skipTelnet(raw, end), end: raw[end - 1] === CR ? end - 1 : end };
}
