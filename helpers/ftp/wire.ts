/**
 * FTP on the wire: commands and replies as lines (RFC 959 §4, §5.3), the host-port of PORT and 227 (RFC 959 §4.1.2), the
 * delimited forms of EPRT and 229 (RFC 2428 §2, §3). Bytes only, no policy. Lines end at LF, with or without CR: peers
 * differ, and whoever ends a line earlier than we do would read a message that we did not.
 */
import { Address } from "../../core/wire/address.ts";
import {
  CR,
  decimal,
  HT,
  isBlank,
  isDigit,
  isLetter,
  latin1,
  SPACE,
  skipBlanks,
  skipDigits,
} from "../../core/wire/text.ts";

const COMMA = 0x2c;
const HYPHEN = 0x2d;
const PLUS = 0x2b;
const OPEN = 0x28;

/** Up to four letters, upper case, as one number: comparing verbs needs no text. 0: no verb. */
export type Verb = number;

export const verb = (text: string): Verb => {
  let code = 0;
  for (let at = 0; at < text.length; at++) code = code * 256 + (text.charCodeAt(at) & 0xdf);
  return code;
};

const ANNOUNCING: readonly Verb[] = ["PORT", "EPRT", "LPRT"].map(verb);

/** Of a command. */
export const announces = (code: Verb): boolean => ANNOUNCING.includes(code);

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

/** An endpoint and the bytes it was read from. */
export interface Announced {
  /** null: the speaker's own. */
  readonly address: Address | null;
  readonly port: number;
  /** Each place in which it is written; more than one only if all say the same. */
  readonly at: readonly { readonly start: number; readonly end: number }[];
}

export type Malformed = "bad-argument" | "bad-octet" | "bad-port" | "bad-address" | "bad-family" | "ambiguous";

/** `h1,h2,h3,h4,p1,p2` and nothing else (RFC 959 §5.3.2 <host-port>). */
export function parseHostPort(bytes: Uint8Array, start: number, end: number): Announced | Malformed {
  return numbersAt(bytes, start, end).end === end ? announcedBy(start) : "bad-argument";
}

interface Run {
  end: number;
  count: number;
}

/** The run that was looked at last, and its first six numbers: most digits of a text are no address. */
const run: Run = { end: 0, count: 0 };
const numbers = new Float64Array(6);

/** The numbers from `start` on that only commas (and what sscanf skips) part. NaN: one with a sign. */
function numbersAt(bytes: Uint8Array, start: number, end: number): Run {
  run.count = 0;
  run.end = start;
  for (let at = start; ; ) {
    const first = run.count === 0 ? at : skipSign(bytes, at, end);
    const stop = skipDigits(bytes, first, end);
    if (stop === first) break;
    if (run.count < 6) numbers[run.count] = first > at ? Number.NaN : numberIn(bytes, at, stop);
    run.count++;
    run.end = stop;
    const comma = skipSpace(bytes, stop, end);
    if (bytes[comma] !== COMMA || comma >= end) break;
    at = skipSpace(bytes, comma + 1, end);
  }
  return run;
}

/** More than three digits are out of range, whatever they say. */
const numberIn = (bytes: Uint8Array, start: number, end: number): number =>
  end - start > 3 ? Number.POSITIVE_INFINITY : decimal(bytes, start, end);

/** sscanf's %u skips all of C's isspace, and takes a sign. */
function skipSpace(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && (bytes[at] === SPACE || (bytes[at]! >= HT && bytes[at]! <= CR))) at++;
  return at;
}

const skipSign = (bytes: Uint8Array, at: number, end: number): number =>
  at < end && (bytes[at] === PLUS || bytes[at] === HYPHEN) ? at + 1 : at;

/** What the run that was looked at last announces, if it has six numbers. */
function announcedBy(start: number): Announced | Malformed {
  if (run.count !== 6) return "bad-argument";
  for (let i = 0; i < 6; i++) if (Number.isNaN(numbers[i])) return "bad-argument";
  for (let i = 0; i < 6; i++) if (numbers[i]! > 255) return "bad-octet";
  const [a, b, c, d, high, low] = [numbers[0]!, numbers[1]!, numbers[2]!, numbers[3]!, numbers[4]!, numbers[5]!];
  const address = addressOf(((a << 24) | (b << 16) | (c << 8) | d) >>> 0);
  return { address, port: high * 256 + low, at: [{ start, end: run.end }] };
}

/** The one that was read last is read again more often than not: a server has one address. */
let last = Address.ipv4(0);

function addressOf(word: number): Address {
  if (last.words[3] !== word) last = Address.ipv4(word);
  return last;
}

/**
 * The host-port anywhere in a 227 text (RFC 1123 §4.1.2.6: its place and the parentheses vary), or null when the text
 * carries none (`227 Logout.`). Four or more numbers in a row that are not six are malformed; fewer are prose.
 */
export function findHostPort(bytes: Uint8Array, start: number, end: number): Announced | Malformed | null {
  let found: Announced | null = null;
  for (let at = start; at < end; at++) {
    if (!isDigit(bytes[at])) continue;
    const first = at;
    const { count, end: stop } = numbersAt(bytes, first, end);
    at = stop;
    if (count < 4) continue;
    const next = announcedBy(first);
    if (typeof next === "string") return next;
    // Clients differ in which of two they take. The same one twice is no question.
    if (found !== null && !sameEndpoint(found, next)) return "ambiguous";
    found = found === null ? next : again(found, next);
  }
  return found;
}

const again = (first: Announced, { at }: Announced): Announced => ({ ...first, at: [...first.at, ...at] });

function sameEndpoint(a: Announced, b: Announced): boolean {
  return a.port === b.port && (a.address === null ? b.address === null : b.address?.equals(a.address) === true);
}

/** `<d>net-prt<d>net-addr<d>tcp-port<d>` and nothing else (RFC 2428 §2). */
export function parseExtended(bytes: Uint8Array, start: number, end: number): Announced | Malformed {
  const fields = fieldsAt(bytes, start, end);
  if (fields === null || fields.end !== end) return "bad-argument";
  const family = latin1(bytes, start + 1, fields.second);
  if (family !== "1" && family !== "2") return "bad-family";
  const address = Address.parse(latin1(bytes, fields.second + 1, fields.third));
  const written = addressFamily(bytes, fields.second + 1, fields.third);
  if (address === null || written !== (family === "1" ? 4 : 6)) return "bad-address";
  return portOf(bytes, fields, address);
}

/** As written: a v4-mapped address in EPRT |2| is an IPv6 text though it names an IPv4 end. */
const addressFamily = (bytes: Uint8Array, start: number, end: number): 4 | 6 =>
  bytes.subarray(start, end).includes(0x3a) ? 6 : 4;

interface Fields {
  /** The four delimiters: `start`, `second`, `third` and `end - 1`. */
  readonly start: number;
  readonly second: number;
  readonly third: number;
  readonly end: number;
  /** Before the digits stands what only sscanf takes for a part of a number. */
  readonly loose: boolean;
}

/** Longest text between the delimiters: an IPv6 address with a dotted tail has 45 characters. */
const LONGEST_FIELD = 64;

/** Three fields in four equal delimiters (RFC 2428 §2: any of ASCII 33 to 126) from `start` on, the last one digits. */
function fieldsAt(bytes: Uint8Array, start: number, end: number): Fields | null {
  const delimiter = bytes[start];
  if (delimiter === undefined || start >= end || delimiter < 33 || delimiter > 126 || isDigit(delimiter)) return null;
  const second = indexWithin(bytes, delimiter, start + 1, end);
  const third = second < 0 ? -1 : indexWithin(bytes, delimiter, second + 1, end);
  if (third < 0) return null;
  const first = skipSign(bytes, skipSpace(bytes, third + 1, Math.min(end, third + LONGEST_FIELD)), end);
  const last = skipDigits(bytes, first, end);
  if (last === first || bytes[last] !== delimiter || last >= end) return null;
  return { start, second, third, end: last + 1, loose: first > third + 1 };
}

function indexWithin(bytes: Uint8Array, byte: number, start: number, end: number): number {
  return indexOf(bytes, byte, start, Math.min(end, start + LONGEST_FIELD));
}

function portOf(bytes: Uint8Array, fields: Fields, address: Address | null): Announced | Malformed {
  const { start, third, end, loose } = fields;
  if (loose) return "bad-argument";
  const port = decimal(bytes, third + 1, end - 1);
  return port > 0xffff ? "bad-port" : { address, port, at: [{ start, end }] };
}

/**
 * The `(<d><d><d>tcp-port<d>)` of a 229 text (RFC 2428 §3), with or without its parentheses, or null when the text
 * carries none. Servers that fill the first two fields in are understood too.
 */
export function findExtended(bytes: Uint8Array, start: number, end: number): Announced | Malformed | null {
  const open = indexOf(bytes, OPEN, start, end);
  const bracketed = open < 0 ? null : fieldsAt(bytes, open + 1, end);
  let found: Announced | null = null;
  for (let at = start; at + 4 < end; at++) {
    const fields = at === bracketed?.start ? bracketed : bareAt(bytes, at, end);
    if (fields === null) continue;
    const next = extendedIn(bytes, fields);
    if (typeof next === "string") return next;
    if (found !== null && !sameEndpoint(found, next)) return "ambiguous";
    found = found === null ? next : again(found, next);
    at = fields.end - 1;
  }
  return found;
}

/** Without parentheses the first two fields are empty. */
const bareAt = (bytes: Uint8Array, at: number, end: number): Fields | null =>
  bytes[at] === bytes[at + 1] && bytes[at] === bytes[at + 2] ? fieldsAt(bytes, at, end) : null;

/** Not `bytes.indexOf`: that would look at all that follows the line, too. */
function indexOf(bytes: Uint8Array, byte: number, start: number, end: number): number {
  for (let at = start; at < end; at++) if (bytes[at] === byte) return at;
  return -1;
}

function extendedIn(bytes: Uint8Array, fields: Fields): Announced | Malformed {
  if (fields.third === fields.second + 1) return portOf(bytes, fields, null);
  const address = Address.parse(latin1(bytes, fields.second + 1, fields.third));
  return address === null ? "bad-address" : portOf(bytes, fields, address);
}
