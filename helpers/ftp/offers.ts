/**
 * What 227 and 229 offer, in numbers: the plain forms, which nearly all servers use. What is written in another way, or could
 * be read in two, is looked at in full (replies.ts).
 */
import type { Actions, Announcement, Offer, OfferForm } from "../../core/helper/api.ts";
import type { PartialEndpoint } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { decimal, isDigit, skipDigits } from "../../core/wire/text.ts";
import { extendedRenderer, refusedReply, renderHostPort, writeExtended, writeHostPort } from "./render.ts";
import type { Announced } from "./wire.ts";

const COMMA = 0x2c;
const OPEN = 0x28;
const NUMBERS = 6;
const MOST_DIGITS = 5;

/** The client, from whatever port. */
const ANYBODY: PartialEndpoint = { address: null, port: null };

const cannotOpen = (reason: string): string => refusedReply(425, reason);

/** `227 Entering Passive Mode (h1,h2,h3,h4,p1,p2)` */
const PASSIVE: OfferForm = {
  kind: "ftp-passive",
  said: "227",
  transport: "tcp",
  write: (_offer, address, port, out, at) => writeHostPort(address, port, out, at),
  tell: (offer, actions) => announceOffer(227, offer, Address.ipv4(offer.address), actions),
};

/** `229 Entering Extended Passive Mode (|||port|)` */
const EXTENDED: OfferForm = {
  kind: "ftp-epsv",
  said: "229",
  transport: "tcp",
  write: ({ detail }, _address, port, out, at) => writeExtended(detail, port, out, at),
  tell: (offer, actions) => announceOffer(229, offer, null, actions),
};

function announceOffer(code: number, offer: Offer, address: Address | null, actions: Actions): void {
  const { port, start, end, length, detail } = offer;
  announcePassive(code, { address, port, at: [{ start, end }] }, length, 425, detail, null, actions);
}

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
  const extended = code === 229;
  const announcement: Announcement = {
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
  const ref = actions.expect(objection === null ? announcement : { ...announcement, objection });
  const render = extended ? extendedRenderer(delimiter) : renderHostPort;
  for (const { start, end } of announced.at) actions.rewrite(start, end, ref, render);
  actions.settle(ref, "accepted");
}

/** The text of a reply with this code in the place of what is refused. */
export const insteadOf = (code: number): ((reason: string) => string) =>
  code === 425 ? cannotOpen : (reason) => refusedReply(code, reason);

/** Reads what the line `[at, lf)`, a 227 or 229, offers. False: it is not of the plain form. */
export function readOffer(code: number, bytes: Uint8Array, at: number, lf: number, offer: Offer): boolean {
  const extended = code === 229;
  if (!(extended ? readExtended(bytes, at, lf, offer) : readHostPort(bytes, at, lf, offer))) return false;
  if (offer.port === 0) return false;
  offer.form = extended ? EXTENDED : PASSIVE;
  offer.length = lf + 1 - at;
  return true;
}

/** Six numbers up to 255 with nothing but commas between them, and no other number or comma behind the code. */
function readHostPort(bytes: Uint8Array, line: number, lf: number, offer: Offer): boolean {
  let at = line + 3;
  while (at < lf && !isDigit(bytes[at])) at++;
  offer.start = at - line;
  let address = 0;
  let port = 0;
  for (let i = 0; i < NUMBERS; i++) {
    if (i > 0 && bytes[at++] !== COMMA) return false;
    const stop = skipDigits(bytes, at, lf);
    const number = decimal(bytes, at, stop);
    if (stop === at || stop - at > 3 || number > 255) return false;
    if (i < 4) address = address * 256 + number;
    else port = port * 256 + number;
    at = stop;
  }
  offer.address = address;
  offer.port = port;
  offer.end = at - line;
  return !hasNumbers(bytes, at, lf);
}

function hasNumbers(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (isDigit(bytes[at]) || bytes[at] === COMMA) return true;
  return false;
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
