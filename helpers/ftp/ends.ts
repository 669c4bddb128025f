/**
 * The ends that lines of FTP name: the host-port of PORT and 227 (RFC 959 §4.1.2), the delimited forms of EPRT and 229
 * (RFC 2428 §2, §3). Bytes only, no policy: what some peer takes for an end is one.
 */
import { Address } from "../../core/wire/address.ts";
import { CR, decimal, HT, isDigit, latin1, SPACE, skipDigits } from "../../core/wire/text.ts";

const COMMA = 0x2c;
const HYPHEN = 0x2d;
const PLUS = 0x2b;
const OPEN = 0x28;
const ZERO = 0x30;

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
  if (readNumbers(bytes, start, end) !== end) return "bad-argument";
  return wrongSix() ?? announcedAs(firstFound(wordOfSix(), null, portOfSix(), start, end))!;
}

/** How many numbers were read last, and the first six of them: most digits of a text are no address. */
let count = 0;
const numbers = new Int32Array(6);
/** In the place of a number: one with a sign; and one of more than three digits, which is out of range whatever they say. */
const SIGNED = -1;
const LONG = 1000;

/** Reads the numbers from `start` on that only commas (and what sscanf skips) part. Returns where the last of them ends. */
function readNumbers(bytes: Uint8Array, start: number, end: number): number {
  count = 0;
  let behind = start;
  for (let at = start; ; ) {
    const first = count === 0 ? at : skipSign(bytes, at, end);
    const stop = readNumber(bytes, first, end, first > at);
    if (stop === first) return behind;
    behind = stop;
    const comma = skipSpace(bytes, stop, end);
    if (comma >= end || bytes[comma] !== COMMA) return behind;
    at = skipSpace(bytes, comma + 1, end);
  }
}

/** The next of them, at `first`. Returns where it ends. */
function readNumber(bytes: Uint8Array, first: number, end: number, signed: boolean): number {
  let value = 0;
  let at = first;
  for (; at < end && isDigit(bytes[at]); at++) value = at - first < 3 ? value * 10 + bytes[at]! - ZERO : LONG;
  if (at === first) return at;
  if (count < 6) numbers[count] = signed ? SIGNED : value;
  count++;
  return at;
}

/** sscanf's %u skips all of C's isspace, and takes a sign. */
function skipSpace(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at]! <= SPACE && (bytes[at] === SPACE || (bytes[at]! >= HT && bytes[at]! <= CR))) at++;
  return at;
}

const skipSign = (bytes: Uint8Array, at: number, end: number): number =>
  at < end && (bytes[at] === PLUS || bytes[at] === HYPHEN) ? at + 1 : at;

/** What is wrong with the numbers that were read last, which should be six. */
function wrongSix(): Malformed | null {
  if (count !== 6) return "bad-argument";
  for (let i = 0; i < 6; i++) if (numbers[i] === SIGNED) return "bad-argument";
  for (let i = 0; i < 6; i++) if (numbers[i]! > 255) return "bad-octet";
  return null;
}

/** The address and the port that they are. */
const wordOfSix = (): number => ((numbers[0]! << 24) | (numbers[1]! << 16) | (numbers[2]! << 8) | numbers[3]!) >>> 0;
const portOfSix = (): number => numbers[4]! * 256 + numbers[5]!;

/** The one that was read last is read again more often than not: a server has one address. */
let last = Address.ipv4(0);

/** The IPv4 address that is this number. */
export function addressOf(word: number): Address {
  if (last.words[3] !== word) last = Address.ipv4(word);
  return last;
}

/** Where a text names an end: nowhere, once, more than once, but always the same; or what is wrong with it. */
export type Found = "nowhere" | "once" | "again" | Malformed;

/** The end that was found last, in whatever text, and where it is named first. One object serves all. */
export const found = {
  /** An IPv4 address as a number; -1: none, or another one. */
  word: -1,
  other: null as Address | null,
  port: 0,
  start: 0,
  end: 0,
  /** Where it is named again: pairs of start and end. */
  more: [] as number[],
};

/** An end that is named at `[start, end)`, as are those before it. */
function sameAsFound(word: number, other: Address | null, port: number, start: number, end: number): Found {
  const same =
    found.word === word && found.port === port && (found.other === null ? other === null : other?.equals(found.other));
  // Clients differ in which of two they take. The same one twice is no question.
  if (same !== true) return "ambiguous";
  found.more.push(start, end);
  return "again";
}

function firstFound(word: number, other: Address | null, port: number, start: number, end: number): Found {
  found.word = word;
  found.other = other;
  found.port = port;
  found.start = start;
  found.end = end;
  if (found.more.length > 0) found.more = [];
  return "once";
}

/** As an object. */
function announcedAs(how: Found): Announced | Malformed | null {
  if (how === "nowhere") return null;
  if (how !== "once" && how !== "again") return how;
  const { word, other, port, start, end, more } = found;
  const at = [{ start, end }];
  for (let i = 0; i < more.length; i += 2) at.push({ start: more[i]!, end: more[i + 1]! });
  return { address: word < 0 ? other : addressOf(word), port, at };
}

/**
 * The host-port anywhere in a 227 text (RFC 1123 §4.1.2.6: its place and the parentheses vary), or null when the text
 * carries none (`227 Logout.`). Four or more numbers in a row that are not six are malformed; fewer are prose.
 */
export const findHostPort = (bytes: Uint8Array, start: number, end: number): Announced | Malformed | null =>
  announcedAs(seekHostPort(bytes, start, end));

/** The same in numbers: what was `found`. */
export function seekHostPort(bytes: Uint8Array, start: number, end: number): Found {
  let how: Found = "nowhere";
  for (let at = start; at < end; at++) {
    if (!isDigit(bytes[at])) continue;
    const first = at;
    const stop = readNumbers(bytes, first, end);
    at = stop;
    if (count < 4) continue;
    const wrong = wrongSix();
    if (wrong !== null) return wrong;
    how = (how === "nowhere" ? firstFound : sameAsFound)(wordOfSix(), null, portOfSix(), first, stop);
    if (how === "ambiguous") return how;
  }
  return how;
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
  /** Before the digits stands what only sscanf takes for a part of a number, or RFC 2428 knows no such delimiter. */
  readonly loose: boolean;
}

/** Longest text between the delimiters: an IPv6 address with a dotted tail has 45 characters. */
const LONGEST_FIELD = 64;

/**
 * Three fields in four equal delimiters from `start` on, the last one digits. RFC 2428 §2 has any of ASCII 33 to 126; of others
 * clients take what is no digit and no blank (curl), so what has those is loose.
 */
function fieldsAt(bytes: Uint8Array, start: number, end: number): Fields | null {
  const delimiter = bytes[start];
  if (delimiter === undefined || start >= end || isDigit(delimiter)) return null;
  if (skipSpace(bytes, start, start + 1) > start) return null;
  const second = indexWithin(bytes, delimiter, start + 1, end);
  const third = second < 0 ? -1 : indexWithin(bytes, delimiter, second + 1, end);
  if (third < 0) return null;
  const first = skipSign(bytes, skipSpace(bytes, third + 1, Math.min(end, third + LONGEST_FIELD)), end);
  const last = skipDigits(bytes, first, end);
  if (last === first || bytes[last] !== delimiter || last >= end) return null;
  const loose = first > third + 1 || delimiter < 33 || delimiter > 126;
  return { start, second, third, end: last + 1, loose };
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
export const findExtended = (bytes: Uint8Array, start: number, end: number): Announced | Malformed | null =>
  announcedAs(seekExtended(bytes, start, end));

/** The same in numbers: what was `found`. */
export function seekExtended(bytes: Uint8Array, start: number, end: number): Found {
  const bracketed = indexOf(bytes, OPEN, start, end) + 1;
  let how: Found = "nowhere";
  for (let at = start; at + 4 < end; at++) {
    if (!isTripled(bytes, at) && (at !== bracketed || bracketed === 0)) continue;
    const fields = fieldsAt(bytes, at, end);
    if (fields === null) continue;
    how = extendedIn(bytes, fields, how === "nowhere");
    if (how !== "once" && how !== "again") return how;
    at = fields.end - 1;
  }
  return how;
}

/** Without parentheses the first two fields are empty. */
const isTripled = (bytes: Uint8Array, at: number): boolean =>
  bytes[at] === bytes[at + 1] && bytes[at] === bytes[at + 2];

/** Not `bytes.indexOf`: that would look at all that follows the line, too. */
function indexOf(bytes: Uint8Array, byte: number, start: number, end: number): number {
  for (let at = start; at < end; at++) if (bytes[at] === byte) return at;
  return -1;
}

function extendedIn(bytes: Uint8Array, { start, second, third, end, loose }: Fields, first: boolean): Found {
  const other = third === second + 1 ? null : Address.parse(latin1(bytes, second + 1, third));
  if (other === null && third > second + 1) return "bad-address";
  if (loose) return "bad-argument";
  const port = decimal(bytes, third + 1, end - 1);
  if (port > 0xffff) return "bad-port";
  return (first ? firstFound : sameAsFound)(-1, other, port, start, end);
}
