/**
 * FTP by how it opens. The server speaks first, with `220` (RFC 959 §5.4); so does an SMTP server (RFC 5321 §4.2),
 * which is told apart by what its client says next.
 */
import { DETECTABLE, type Opening } from "../../core/helper/api.ts";
import { isDigit, LF, latin1 } from "../../core/wire/text.ts";

const BANNER = "220";
const USER = "USER ";
/** What an FTP client may open with, and an SMTP or POP3 client may not. */
const COMMANDS: ReadonlySet<string> = new Set(["USER", "AUTH", "FEAT", "HOST", "CLNT", "OPTS", "SYST", "ACCT", "PASV"]);

/** As `Helper.detect`. */
export function opensLikeFtp({ original, reply }: Opening): boolean | null {
  if (reply.length === 0) return mayStart(original, USER) ? null : false;
  if (original.length === 0 && !mayGreet(reply)) return false;
  const greeting = firstLine(reply);
  const command = firstLine(original);
  if (greeting !== null && !isReply(greeting)) return false;
  if (greeting !== null && isBanner(greeting)) return true;
  if (greeting !== null && command !== null) return COMMANDS.has(command.slice(0, 4).toUpperCase());
  // No first line is as long as that; a server that has greeted may say more before its client answers.
  const endless = (line: string | null, { length }: Uint8Array) => line === null && length >= DETECTABLE;
  return endless(greeting, reply) || endless(command, original) ? false : null;
}

const mayStart = (said: Uint8Array, word: string): boolean =>
  word.startsWith(latin1(said, 0, Math.min(said.length, word.length)).toUpperCase());

const mayGreet = (said: Uint8Array): boolean => mayStart(said, `${BANNER} `) || mayStart(said, `${BANNER}-`);

function firstLine(said: Uint8Array): string | null {
  const end = said.indexOf(LF);
  return end < 0 || end > DETECTABLE ? null : latin1(said, 0, end);
}

/** Three digits, and a blank, a hyphen or nothing. */
function isReply(line: string): boolean {
  for (let at = 0; at < 3; at++) if (!isDigit(line.charCodeAt(at))) return false;
  return line.length === 3 || line[3] === " " || line[3] === "-" || line[3] === "\r";
}

function isBanner(line: string): boolean {
  const text = line.toLowerCase();
  return text.startsWith(BANNER) && text.includes("ftp") && !text.includes("smtp") && !text.includes("mail");
}
