/**
 * What 227 to 229 say, in numbers: one end that they offer, why it is refused, or that there is none. The plain forms, which
 * nearly all servers use, are read at once; what names more than one place is looked at in full (replies.ts).
 */
import type { Actions, Announcement, FaultForm, Offer, OfferForm, RefusalForm } from "../../core/helper/api.ts";
import type { PartialEndpoint } from "../../core/units.ts";
import { sameView } from "../../core/wire/bytes.ts";
import { bytesOf, CR, decimal, isDigit, LF, skipDigits } from "../../core/wire/text.ts";
import { type Announced, addressOf, type Found, found, type Malformed, seekExtended, seekHostPort } from "./ends.ts";
import { extendedRenderer, refusedReply, renderHostPort, writeExtended, writeHostPort } from "./render.ts";
import { IAC, NUL } from "./telnet.ts";

const COMMA = 0x2c;
const OPEN = 0x28;
const ZERO = 0x30;
const NINE = 0x39;
const NUMBERS = 6;
const MOST_DIGITS = 5;

/** The client, from whatever port. */
const ANYBODY: PartialEndpoint = { address: null, port: null };

const cannotOpen = (reason: string): string => refusedReply(425, reason);

/** What stands in for a refused reply, by its reason, of which there are few. */
const replies = new Map<string, Uint8Array>();

function insteadInBrief(reason: string): Uint8Array {
  const known = replies.get(reason);
  if (known !== undefined) return known;
  const reply = bytesOf(cannotOpen(reason));
  replies.set(reason, reply);
  return reply;
}

/** All of one shape, which is what V8 looks at; `objection`: why nobody may be led there. */
const offerForm = (
  code: number,
  kind: string,
  objection: string | undefined,
  write: OfferForm["write"],
): OfferForm => ({
  says: "offer",
  kind,
  said: `${code}`,
  transport: "tcp",
  objection,
  write,
  instead: insteadInBrief,
  announce: (offer) => announcementOf(code, announcedBy(offer), offer.length, 425, objection ?? null),
  tell: (offer, actions) =>
    announcePassive(code, announcedBy(offer), offer.length, 425, offer.detail, objection ?? null, actions),
});

/** `227 Entering Passive Mode (h1,h2,h3,h4,p1,p2)` */
const passiveForm = (objection?: string): OfferForm =>
  offerForm(227, "ftp-passive", objection, (_offer, address, port, out, at) => writeHostPort(address, port, out, at));

/** `229 Entering Extended Passive Mode (|||port|)` */
const extendedForm = (objection?: string): OfferForm =>
  offerForm(229, "ftp-epsv", objection, ({ detail }, _address, port, out, at) => writeExtended(detail, port, out, at));

const PASSIVE = passiveForm();
const EXTENDED = extendedForm();
/** The same where no command asked for it. */
const UNASKED = passiveForm("unsolicited");
const EXTENDED_UNASKED = extendedForm("unsolicited");

const announcedBy = ({ address, port, start, end }: Offer): Announced => ({
  address: address < 0 ? null : addressOf(address),
  port,
  at: [{ start, end }],
});

const refusal = (code: Malformed): RefusalForm => ({
  says: "refusal",
  code,
  instead: insteadInBrief(code),
  tell: ({ length }, actions) => {
    actions.refuse(code, { start: 0, end: length }, { start: 0, end: length, text: cannotOpen });
  },
});

const REFUSALS: Readonly<Record<Malformed, RefusalForm>> = {
  "bad-argument": refusal("bad-argument"),
  "bad-octet": refusal("bad-octet"),
  "bad-port": refusal("bad-port"),
  "bad-address": refusal("bad-address"),
  "bad-family": refusal("bad-family"),
  ambiguous: refusal("ambiguous"),
};

/** A passive command was answered, and not with an address. */
const NO_ADDRESS: FaultForm = {
  says: "fault",
  code: "no-address",
  tell: ({ length }, actions) => actions.fault("no-address", { start: 0, end: length }),
};

/**
 * Announces what a 227 or 229 of `length` bytes says. `shown`: the code of the reply that stands in for it; `delimiter`: of
 * a 229.
 */
export function announcePassive(
  code: number,
  announced: Announced,
  length: number,
  shown: number,
  delimiter: number,
  objection: string | null,
  actions: Actions,
): void {
  const ref = actions.expect(announcementOf(code, announced, length, shown, objection));
  const render = code === 229 ? extendedRenderer(delimiter) : renderHostPort;
  for (const { start, end } of announced.at) actions.rewrite(start, end, ref, render);
  actions.settle(ref, "accepted");
}

/** An announcement that is being made. */
export type Draft = { -readonly [K in keyof Announcement]: Announcement[K] };

function announcementOf(
  code: number,
  announced: Announced,
  length: number,
  shown: number,
  objection: string | null,
): Announcement {
  const extended = code === 229;
  const announcement: Draft = {
    kind: extended ? "ftp-epsv" : "ftp-passive",
    said: extended ? "229" : "227",
    transport: "tcp",
    opener: "original",
    from: ANYBODY,
    to: announced,
    uses: 1,
    bytes: { start: 0, end: length },
    instead: { start: 0, end: length, text: insteadOf(shown) },
  };
  if (objection !== null) announcement.objection = objection;
  return announcement;
}

/** The text of a reply with this code in the place of what is refused. */
export const insteadOf = (code: number): ((reason: string) => string) =>
  code === 425 ? cannotOpen : (reason) => refusedReply(code, reason);

/**
 * Reads what the line `[at, lf)`, a passive reply, says; `asked`: a command asked for it, and if it is a 227, `readOffered` made
 * nothing of it. False: that is to be told in full.
 */
export function readPassive(
  code: number,
  bytes: Uint8Array,
  at: number,
  lf: number,
  asked: boolean,
  offer: Offer,
): boolean {
  offer.length = lf + 1 - at;
  if (isPlain(code, bytes, at, lf, asked, offer) && offer.port > 0) {
    offer.form = formOf(code, asked);
    return true;
  }
  const how = (code === 229 ? seekExtended : seekHostPort)(bytes, at + 3, lf);
  return how === "once" && code !== 228 ? readFound(code, bytes, at, asked, offer) : readRest(code, how, asked, offer);
}

function isPlain(code: number, bytes: Uint8Array, at: number, lf: number, asked: boolean, offer: Offer): boolean {
  if (code === 229) return readExtended(bytes, at, lf, offer);
  return code === 227 && !asked && readHostPort(bytes, at, lf + 1, offer) === lf;
}

const formOf = (code: number, asked: boolean): OfferForm =>
  code === 229 ? (asked ? EXTENDED : EXTENDED_UNASKED) : asked ? PASSIVE : UNASKED;

/** One end, in whatever form; false where words cannot say it. */
function readFound(code: number, bytes: Uint8Array, at: number, asked: boolean, offer: Offer): boolean {
  if (found.other !== null || found.port === 0) return false;
  offer.form = formOf(code, asked);
  offer.address = found.word;
  offer.port = found.port;
  offer.start = found.start - at;
  offer.end = found.end - at;
  offer.detail = bytes[found.start]!;
  return true;
}

/** No end, or none that could be let in. */
function readRest(code: number, how: Found, asked: boolean, offer: Offer): boolean {
  offer.start = 0;
  offer.end = offer.length;
  if (how === "nowhere") {
    if (asked) offer.form = NO_ADDRESS;
    return true;
  }
  // LPSV's (RFC 1639), whose address nobody here can read.
  if (code === 228) offer.form = REFUSALS["bad-family"];
  else if (how === "once" || how === "again") return false;
  else offer.form = REFUSALS[how];
  return true;
}

/** What a 227 in brief offers that a command asked for: as `readHostPort`. */
export function readOffered(bytes: Uint8Array, line: number, end: number, offer: Offer): number {
  const lf = readHostPort(bytes, line, end, offer);
  if (lf < 0 || offer.port === 0) return -1;
  offer.length = lf + 1 - line;
  offer.form = PASSIVE;
  return lf;
}

/**
 * Six numbers up to 255 with nothing but a comma between them, and no other number or comma behind the code, in the line at
 * `line`, which opens with 227. Returns where its LF is; -1: it is no simple line (line.ts) that ends before `end`, or not of
 * this form. By words, of which each is looked at once.
 */
function readHostPort(bytes: Uint8Array, line: number, end: number, offer: Offer): number {
  const view = sameView(bytes);
  let at = skipText(view, line + 3, end);
  offer.start = at - line;
  at = readNumbers(view, at, end, offer);
  if (at < 0) return -1;
  offer.end = at - line;
  while (at < end && bytes[at] !== COMMA && isText(bytes[at]!)) at++;
  if (at < end && bytes[at] === CR) at++;
  return at < end && bytes[at] === LF ? at : -1;
}

/** Where the first byte from `start` on is that ends a line, or is of a number. */
function skipText(view: DataView, start: number, end: number): number {
  let at = start;
  while (at + 4 <= end && isPlainText(view.getInt32(at))) at += 4;
  while (at < end && isText(view.getUint8(at))) at++;
  return at;
}

const isText = (byte: number): boolean =>
  byte > NINE ? byte !== IAC : byte < ZERO && byte !== CR && byte !== LF && byte !== NUL;

const TOPS = 0x80808080 | 0;

/** Four bytes that are letters, blanks and the like: 0x40 to 0x7f, or 0x20 to 0x2f. Each bit is shifted to the top of its byte. */
const isPlainText = (word: number): boolean => (~word & ((word << 1) | ((word << 2) & ~(word << 3))) & TOPS) === TOPS;

/** The six numbers at `start`. Returns where they end; -1: they are not there, or too near the end. */
function readNumbers(view: DataView, start: number, end: number, offer: Offer): number {
  let at = start;
  let address = 0;
  let port = 0;
  for (let i = 0; i < NUMBERS; i++) {
    if (at + 4 > end) return -1;
    const word = view.getInt32(at, true);
    const read = readNumber(word);
    const number = read >>> 2;
    const digits = read & 3;
    if (read < 0 || number > 255) return -1;
    if (i < 4) address = (address << 8) | number;
    else port = (port << 8) | number;
    at += digits;
    if (i === NUMBERS - 1) break;
    if (byteIn(word, digits) !== COMMA) return -1;
    at++;
  }
  offer.address = address >>> 0;
  offer.port = port;
  return at;
}

/** The byte of `word` that was the first one, the second, and so on. */
const byteIn = (word: number, index: number): number => (word >>> (index << 3)) & 0xff;

/** The number with which `word` begins, and in the lowest two bits how many digits it has, up to three; -1: none. */
function readNumber(word: number): number {
  const first = byteIn(word, 0) - ZERO;
  const second = byteIn(word, 1) - ZERO;
  const third = byteIn(word, 2) - ZERO;
  if (first < 0 || first > 9) return -1;
  if (second < 0 || second > 9) return (first << 2) | 1;
  if (third < 0 || third > 9) return ((first * 10 + second) << 2) | 2;
  return ((first * 100 + second * 10 + third) << 2) | 3;
}

/** `(<d><d><d>port<d>` with the first parenthesis of the line, and no three equal bytes in a row anywhere else. */
function readExtended(bytes: Uint8Array, line: number, lf: number, offer: Offer): boolean {
  let open = line + 3;
  while (open < lf && bytes[open] !== OPEN) open++;
  if (hasThree(bytes, line + 3, open)) return false;
  const start = open + 1;
  const delimiter = bytes[start] ?? 0;
  if (!isDelimiter(delimiter) || bytes[start + 1] !== delimiter || bytes[start + 2] !== delimiter) return false;
  const first = start + 3;
  const last = skipDigits(bytes, first, lf);
  if (last === first || last - first > MOST_DIGITS || bytes[last] !== delimiter) return false;
  const port = decimal(bytes, first, last);
  if (port > 0xffff || hasThree(bytes, last + 1, lf)) return false;
  offer.address = -1;
  offer.port = port;
  offer.start = start - line;
  offer.end = last + 1 - line;
  offer.detail = delimiter;
  return true;
}

/** RFC 2428 §2: any of ASCII 33 to 126; no digit, and not what opens the brackets. */
const isDelimiter = (byte: number): boolean => byte >= 33 && byte <= 126 && byte !== OPEN && !isDigit(byte);

/** Three equal bytes in a row, as the empty fields of an address without parentheses begin. */
function hasThree(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start + 2; at < end; at++) {
    if (bytes[at] === bytes[at - 1] && bytes[at] === bytes[at - 2]) return true;
  }
  return false;
}
