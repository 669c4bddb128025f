/** NetBIOS's name service (RFC 1002 §4.2): NB records of the realserver's own name the virtual service to clients. */
import { between, type Choices, oneIn, pick } from "../choices.ts";
import type { Ends } from "../ftp/model.ts";
import { anyId, header, label, record } from "./names.ts";
import { instead, packed, plain, type Said, u16 } from "./said.ts";

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

/** The protocol has no IPv6. */
export function netbios(choices: Choices, ends: Ends): Said[] {
  const said: Said[] = [];
  for (let n = between(choices, 1, 4); n > 0; n--) {
    said.push(oneIn(choices, 4) ? registration(choices, ends) : query(choices));
    if (!oneIn(choices, 5)) said.push(oneIn(choices, 4) ? status(choices, ends) : answer(choices, ends));
    if (oneIn(choices, 6)) said.push(plain(oneIn(choices, 2) ? "reply" : "original", "none", pick(choices, BAD)));
  }
  return said;
}
