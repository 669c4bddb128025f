/**
 * NetBIOS (RFC 1002). The name service (§4.2, port 137): NB records of the realserver's own name the virtual service to
 * clients. The datagram service (§4.4, port 138): every message says where it comes from, and where it comes from it is
 * answered.
 */
import { between, type Choices, oneIn, pick } from "../choices.ts";
import type { Ends } from "../ftp/model.ts";
import { anyId, header, label, record } from "./names.ts";
import { CLIENT_PORT, instead, packed, plain, type Said, u16 } from "./said.ts";

const NB = 0x20;
const NBSTAT = 0x21;
const NAMES = [
  "FHEPFCELEHFCEPFFFACACACACACACAAA",
  "EJDAEPDACACACACACACACACACACACACA",
  "CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
];
const REGISTERED = 0x2900;
const ANSWERED = 0x8500;

const name = (choices: Choices): string => `${label(pick(choices, NAMES))}${pick(choices, ["\0", "\0", "\x03WRK\0"])}`;

function query(choices: Choices): Said {
  const asked = name(choices) + u16(pick(choices, [NB, NB, NBSTAT])) + u16(1);
  return plain("original", "a query", header(anyId(choices), pick(choices, [0x0110, 0, 0x1000]), [1, 0, 0, 0]) + asked);
}

/** Clients name themselves; that is nobody's business. */
function registration(choices: Choices, { client }: Ends): Said {
  const asked = name(choices) + u16(NB) + u16(1);
  const own = record("\xc0\x0c", NB, u16(0x6000) + packed(client));
  return plain("original", "a registration", header(anyId(choices), REGISTERED, [1, 0, 0, 1]) + asked + own);
}

/** Each entry of an NB record is flags and an address. */
function answer(choices: Choices, { real, virtual }: Ends): Said {
  const own = packed(real);
  const addresses = Array.from({ length: between(choices, 1, 3) }, () =>
    oneIn(choices, 3) ? "\x0a\x09\x09\x09" : own,
  );
  const asked = name(choices);
  const start = header(anyId(choices), ANSWERED, [0, 1, 0, 0]);
  const written = (seen: (address: string) => string): string =>
    start + record(asked, NB, addresses.map((address) => u16(0) + seen(address)).join(""));
  const heard = written((address) => (address === own ? packed(virtual) : address));
  return instead(
    "reply",
    "an answer",
    written((address) => address),
    heard,
  );
}

function status(choices: Choices, { real }: Ends): Said {
  const body = `\x01${"SERVER".padEnd(15)}\0${u16(0)}${packed(real)}`;
  return plain(
    "reply",
    "a status",
    header(anyId(choices), ANSWERED, [0, 1, 0, 0]) + record(name(choices), NBSTAT, body),
  );
}

const BAD = [
  "\0",
  "\0\x01\x85\0\0\0\0\x01\0\0\0\0\xc0\x0c\0\x20",
  "\0\x01\x85\0\0\0\0\xff\0\0\0\0",
  "\0\x01\x85\0\0\x01\0\0\0\0\0\0\x50",
];

/** The datagram service's port. */
export const DATAGRAMS = 138;
/** To one, to a group, to all; an error; a question, and its two answers. */
const DATA = [0x10, 0x11, 0x12];
const ERROR = 0x13;
const QUESTIONS = [0x14, 0x15, 0x16];
const STRANGER = "10.9.9.9";

/** What stands behind the source: its length and offset and two names, an error's code, or a name. */
function contentOf(choices: Choices, type: number): string {
  if (type === ERROR) return pick(choices, ["\x82", "\x83", "\x84"]);
  if (QUESTIONS.includes(type)) return name(choices);
  const content = name(choices) + name(choices) + pick(choices, ["", "\xffSMB%", "x".repeat(500)]);
  return u16(content.length) + u16(pick(choices, [0, 0, 0xffff])) + content;
}

/** A datagram with its source left open. */
function datagram(choices: Choices): (source: string) => string {
  const type = pick(choices, [...DATA, ERROR, ...QUESTIONS]);
  const start = String.fromCharCode(type, between(choices, 0, 15)) + u16(anyId(choices));
  const content = contentOf(choices, type);
  return (source) => start + source + content;
}

const sourceOf = (address: string, port: number): string => packed(address) + u16(port);

/** Whatever a client says of itself, it is where it is. */
function fromClient(choices: Choices, { client }: Ends): Said {
  const written = datagram(choices);
  const own = sourceOf(client, CLIENT_PORT);
  const claimed = pick(choices, [own, sourceOf(client, DATAGRAMS), sourceOf(STRANGER, DATAGRAMS)]);
  return instead("original", "a client's datagram", written(claimed), written(own));
}

/** What a realserver passes on for another keeps its source. */
function fromReal(choices: Choices, { real, virtual }: Ends): Said {
  const written = datagram(choices);
  const port = pick(choices, [DATAGRAMS, DATAGRAMS, 5000]);
  if (oneIn(choices, 4)) return plain("reply", "another's datagram", written(sourceOf(STRANGER, port)));
  return instead("reply", "a datagram", written(sourceOf(real, port)), written(sourceOf(virtual, port)));
}

const SHORT = ["\x10", "\x10\x02\0\x01\x0a\0\0\x05\0\x8a\0\0\0\0\0", "\x14\0\0\x01\x0a\0\0\x05\0\x8a"];
const UNKNOWN = ["\x0f", "\x17", "\0", "\xff"].map((type) => type.padEnd(40, "\x0a"));

function datagrams(choices: Choices, ends: Ends): Said[] {
  const said = [fromClient(choices, ends)];
  for (let n = between(choices, 0, 5); n > 0; n--) {
    said.push(oneIn(choices, 2) ? fromReal(choices, ends) : fromClient(choices, ends));
    if (!oneIn(choices, 6)) continue;
    said.push(plain(oneIn(choices, 2) ? "reply" : "original", "none", pick(choices, [...SHORT, ...UNKNOWN])));
  }
  return said;
}

/** The protocol has no IPv6. */
export function netbios(choices: Choices, ends: Ends): Said[] {
  if (ends.port === DATAGRAMS) return datagrams(choices, ends);
  const said: Said[] = [];
  for (let n = between(choices, 1, 4); n > 0; n--) {
    said.push(oneIn(choices, 4) ? registration(choices, ends) : query(choices));
    if (!oneIn(choices, 5)) said.push(oneIn(choices, 4) ? status(choices, ends) : answer(choices, ends));
    if (oneIn(choices, 6)) said.push(plain(oneIn(choices, 2) ? "reply" : "original", "none", pick(choices, BAD)));
  }
  return said;
}
