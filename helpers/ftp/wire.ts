/**
 * FTP on the wire: commands and replies as lines (RFC 959 §4, §5.3); the ends that they name are in ends.ts. Bytes only, no
 * policy. Lines end at LF, with or without CR: peers differ, and whoever ends a line earlier than we do would read a message
 * that we did not.
 */
import { CR, decimal, isBlank, isDigit, isLetter, latin1, skipBlanks, skipDigits } from "../../core/wire/text.ts";

const HYPHEN = 0x2d;

/** Up to four letters, upper case, as one number: comparing verbs needs no text. 0: no verb. */
export type Verb = number;

export const verb = (text: string): Verb => {
  let code = 0;
  for (let at = 0; at < text.length; at++) code = code * 256 + (text.charCodeAt(at) & 0xdf);
  return code;
};

const PORT = verb("PORT");
const EPRT = verb("EPRT");
const LPRT = verb("LPRT");

/** Of a command. */
export const announces = (code: Verb): boolean => code === PORT || code === EPRT || code === LPRT;

/** Of a reply: 227 and 229; 228 is LPSV's (RFC 1639), whose address nobody here can read. */
export const isPassiveCode = (code: number): boolean => code >= 227 && code <= 229;

/** The FTP commands of the IANA registry (RFC 5797), and those that are in wide use beside it. */
const VERBS: ReadonlySet<Verb> = new Set(
  (
    "ABOR ACCT ADAT ALGS ALLO APPE AUTH AVBL CCC CDUP CLNT CONF COMB CSID CWD DELE DSIZ ENC EPRT EPSV ESTA ESTP FEAT " +
    "HASH HELP HOST LANG LIST LPRT LPSV MDTM MFCT MFF MFMT MIC MKD MLSD MLST MODE NLST NOOP OPTS PASS PASV PBSZ " +
    "PORT PROT PWD QUIT RANG REIN REST RETR RMD RMDA RNFR RNTO SITE SIZE SMNT SPSV STAT STOR STOU STRU SYST THMB TYPE " +
    "USER XCRC XCUP XCWD XMD5 XMKD XPWD XRMD XSHA"
  )
    .split(" ")
    .map(verb),
);

export const isKnown = (code: Verb): boolean => VERBS.has(code);

export interface Command {
  readonly verb: Verb;
  /** Where the verb and the argument begin, and where the argument ends (trailing blanks and CR left out). */
  readonly start: number;
  readonly argument: number;
  readonly end: number;
}

/** Command in the line `[start, end)`, `end` being its LF. Leading blanks are skipped, as servers do. */
export function parseCommand(bytes: Uint8Array, start: number, end: number): Command {
  const first = skipBlanks(bytes, start, end);
  let at = first;
  while (at < end && isLetter(bytes[at]) && at - first < 4) at++;
  const argument = skipBlanks(bytes, at, end);
  return { verb: verbAt(bytes, first, end), start: first, argument, end: trimEnd(bytes, argument, end) };
}

/** The verb that begins at `start`; nothing behind it is looked at. */
export function verbAt(bytes: Uint8Array, start: number, end: number): Verb {
  let code = 0;
  let at = start;
  while (at < end && isLetter(bytes[at]) && at - start < 4) code = code * 256 + (bytes[at++]! & 0xdf);
  return at === end || isBlank(bytes[at]) || bytes[at] === CR ? code : 0;
}

function trimEnd(bytes: Uint8Array, start: number, end: number): number {
  while (end > start && (isBlank(bytes[end - 1]) || bytes[end - 1] === CR)) end--;
  return end;
}

/** What a reply line is: the code, and whether more lines follow; null when it opens with no code. */
export interface Reply {
  readonly code: number;
  readonly more: boolean;
}

export function parseReply(bytes: Uint8Array, start: number, end: number): Reply | null {
  if (end - start < 3 || skipDigits(bytes, start, start + 3) !== start + 3) return null;
  if (isDigit(bytes[start + 3]) && start + 3 < end) return null;
  return { code: decimal(bytes, start, start + 3), more: bytes[start + 3] === HYPHEN && start + 3 < end };
}

/** The first three digits, whatever follows: some clients look no further (`2271` is 227 to Python's ftplib). */
export const codeAt = (text: Uint8Array, start: number, end: number): number =>
  skipDigits(text, start, Math.min(end, start + 3)) === start + 3 ? decimal(text, start, start + 3) : 0;

/** Whether the line, of which more is to come, may still turn out to open with one of `words` (upper case). */
export function mayOpen(line: Uint8Array, start: number, words: readonly string[], end = line.length): boolean {
  const begun = latin1(line, start, Math.min(end, start + 4)).toUpperCase();
  return words.some((word) => word.startsWith(begun));
}

/**
 * Where the next line would begin, from `start` on, for a peer that ends a line at a bare CR (RFC 854 has it followed by
 * NUL and mean no line end; Python's ftplib, for one, reads with universal newlines); -1: nowhere.
 */
export function behindBareCr(line: Uint8Array, start: number, end = line.length): number {
  for (let at = start; at + 1 < end; at++) if (line[at] === CR) return at + 1;
  return -1;
}
