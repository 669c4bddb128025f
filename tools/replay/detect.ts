/**
 * Control connections on ports that nobody told us: by how they open. An FTP server speaks first, with `220` (RFC 959
 * §5.4); so does an SMTP server (RFC 5321 §4.2), which is told apart by what its client says next.
 */
import type { Direction } from "../../core/units.ts";
import { LF, latin1 } from "../../core/wire/text.ts";

/** Bytes of each direction that are looked at. */
const OPENING = 512;

const BANNER = "220";
const USER = "USER ";
/** What an FTP client may open with, and an SMTP or POP3 client may not. */
const FTP_COMMANDS: ReadonlySet<string> = new Set([
  "USER",
  "AUTH",
  "FEAT",
  "HOST",
  "CLNT",
  "OPTS",
  "SYST",
  "ACCT",
  "PASV",
]);

/** A connection's first payload: is it worth to read on? True for a part of an opening, too. */
export function mayOpenFtp(payload: Uint8Array): boolean {
  const start = latin1(payload, 0, Math.min(payload.length, USER.length)).toUpperCase();
  if (USER.startsWith(start)) return true;
  const banner = start.slice(0, BANNER.length + 1);
  return BANNER.startsWith(banner) || banner === "220 " || banner === "220-";
}

/** Watches a connection open until it is clear what it is. */
export class FtpOpening {
  /** Null: not known yet. */
  isFtp: boolean | null = null;
  readonly #said = { original: "", reply: "" };

  /** The next bytes of `direction`, in order. */
  more(direction: Direction, bytes: Uint8Array): void {
    if (this.isFtp !== null) return;
    const said = this.#said[direction];
    this.#said[direction] += latin1(bytes, 0, Math.min(bytes.length, OPENING - said.length));
    this.#decide();
  }

  #decide(): void {
    const { original, reply } = this.#said;
    const greeting = firstLine(reply);
    const command = firstLine(original);
    if (greeting !== null && !isReply(greeting)) this.isFtp = false;
    else if (greeting !== null && isFtpBanner(greeting)) this.isFtp = true;
    else if (greeting !== null && command !== null) this.isFtp = FTP_COMMANDS.has(command.slice(0, 4).toUpperCase());
    else this.#giveUp(greeting, command);
  }

  /** No first line is as long as that; a server that has greeted may say more before its client answers. */
  #giveUp(greeting: string | null, command: string | null): void {
    const { original, reply } = this.#said;
    const endless = (line: string | null, said: string) => line === null && said.length >= OPENING;
    if (endless(greeting, reply) || endless(command, original)) this.isFtp = false;
  }
}

function firstLine(text: string): string | null {
  const end = text.indexOf(String.fromCharCode(LF));
  return end < 0 ? null : text.slice(0, end);
}

/** Three digits, and a blank, a hyphen or nothing. */
function isReply(line: string): boolean {
  for (let at = 0; at < 3; at++) if (!(line.charCodeAt(at) >= 0x30 && line.charCodeAt(at) <= 0x39)) return false;
  return line.length === 3 || line[3] === " " || line[3] === "-" || line[3] === "\r";
}

function isFtpBanner(line: string): boolean {
  const text = line.toLowerCase();
  return text.startsWith(BANNER) && text.includes("ftp") && !text.includes("smtp") && !text.includes("mail");
}
