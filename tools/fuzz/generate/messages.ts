/** Messages of every helper's protocol but FTP: a few well-formed ones of each, and what changes make of them. */
import type { Direction } from "../../../core/units.ts";
import { between, type Choices, oneIn, pick } from "./choices.ts";

export type Spoken = readonly [direction: Direction, said: string];

const u16 = (n: number): string => String.fromCharCode((n >> 8) & 255, n & 255);
const u32 = (n: number): string => u16(n >>> 16) + u16(n);
const counted = (text: string): string => u16(text.length) + text;
const client = (said: string): Spoken => ["original", said];
const server = (said: string): Spoken => ["reply", said];
const lines = (...all: string[]): string => all.map((line) => `${line}\r\n`).join("");

const CLIENT = "\x0a\0\0\x05";
const TRANSPORT = "RTP/AVP;unicast;client_port=5000-5001";
const SDP = lines("v=0", "o=- 1 1 IN IP4 10.0.0.5", "s=-", "c=IN IP4 10.0.0.5", "t=0 0", "m=audio 5000 RTP/AVP 0");
const sip = (first: string): string =>
  lines(
    first,
    "Via: SIP/2.0/UDP 10.0.0.5:5060",
    "From: <sip:a@b>;tag=1",
    "To: <sip:b@c>",
    "Call-ID: 1@10.0.0.5",
    "CSeq: 1 INVITE",
    "Content-Type: application/sdp",
    `Content-Length: ${SDP.length}`,
    "",
  ) + SDP;
const question = "\x03www\x07example\x03com\0\0\x01\0\x01";
const radius = (code: number, attributes: string): string =>
  `${String.fromCharCode(code)}\x07${u16(20 + attributes.length)}${"0123456789abcdef"}${attributes}`;
const xdmcp = (opcode: number, body: string): string => u16(1) + u16(opcode) + counted(body);
const NAME = `\x20${"FHEPFCELEHFCEPFFFACACACACACACAAA"}\0`;
const wide = (text: string): string => [...text].map((c) => `${c}\0`).join("");

const SEEDS: Readonly<Record<string, readonly Spoken[]>> = {
  rtsp: [
    client(lines("SETUP rtsp://1.2.3.4/a RTSP/1.0", "CSeq: 1", `Transport: ${TRANSPORT}`, "")),
    server(lines("RTSP/1.0 200 OK", "CSeq: 1", "Session: 7", `Transport: ${TRANSPORT};server_port=6970-6971`, "")),
    client(lines("TEARDOWN rtsp://1.2.3.4/a RTSP/1.0", "CSeq: 2", "Session: 7", "")),
    server(lines("RTSP/1.0 200 OK", "CSeq: 2", "")),
    server("$\0\0\x04abcd"),
    client(lines("DESCRIBE rtsp://1.2.3.4/a RTSP/1.0", "CSeq: 3", "")),
    server(
      lines("RTSP/1.0 200 OK", "CSeq: 3", "Content-Type: application/sdp", `Content-Length: ${SDP.length}`, "") + SDP,
    ),
  ],
  sip: [
    client(sip("INVITE sip:a@1.2.3.4 SIP/2.0")),
    server(sip("SIP/2.0 200 OK")),
    client(sip("ACK sip:a@1.2.3.4 SIP/2.0")),
  ],
  pnm: [
    client(`PNA\0\x0a${u16(1)}${u16(2)}${u16(5000)}${u16(2)}${u16(0)}`),
    server(`PNA\0\x0a${u16(1)}${u16(2)}${u16(6970)}`),
  ],
  wms: [
    client(
      `${u32(0x01000000)}\xce\xfa\x0b\xb0\x30\0\0\0MMS \x06\0\0\0${"\0".repeat(16)}\x02\0\x03\0${wide("\\\\10.0.0.5\\UDP\\5000")}\0\0`,
    ),
    server(`${u32(0x01000000)}\xce\xfa\x0b\xb0\x20\0\0\0MMS \x04\0\0\0${"\0".repeat(32)}`),
  ],
  dns: [
    client(`\x12\x34\x01\0\0\x01${"\0".repeat(6)}${question}`),
    server(`\x12\x34\x83\x80\0\x01${"\0".repeat(6)}${question}`),
    client(`${u16(17 + 12)}\x12\x35\x01\0\0\x01${"\0".repeat(6)}${question}`),
  ],
  radius: [
    client(radius(1, `\x01\x06user\x04\x06${CLIENT}`)),
    server(radius(11, "\x18\x06state")),
    server(radius(2, "")),
    client(radius(4, "\x28\x06\0\0\0\x01")),
  ],
  tftp: [client("\0\x01boot.bin\0octet\0"), client("\0\x02a\0netascii\0blksize\x001428\0"), server("\0\x03\0\x01data")],
  rsh: [client("1022\0root\0root\0ls\0"), server("\0")],
  ident: [client("40000, 21\r\n"), server("40000, 21 : USERID : UNIX : joe\r\n")],
  netbios: [
    client(`\x11\x0a\0\x01${CLIENT}${u16(138)}${u16(80)}\0\0${NAME}${NAME}data`),
    client(
      `\0\x01\x29\x10\0\x01\0\0\0\0\0\x01${NAME}\0\x20\0\x01\xc0\x0c\0\x20\0\x01${u32(300000)}\0\x06\0\0${CLIENT}`,
    ),
    server(`\0\x01\xad\x80\0\0\0\x01\0\0\0\0${NAME}\0\x20\0\x01${u32(300000)}\0\x06\0\0\xc0\xa8\0\x02`),
  ],
  xdmcp: [
    client(xdmcp(2, "\0")),
    server(xdmcp(5, counted("") + counted("host") + counted("ok"))),
    client(
      xdmcp(
        7,
        `${u16(0)}\x01${u16(0)}\x01${counted(CLIENT)}${counted("")}${counted("")}\x01${counted("MIT-MAGIC-COOKIE-1")}${counted("x")}`,
      ),
    ),
    server(xdmcp(8, u32(7) + counted("") + counted("") + counted("MIT-MAGIC-COOKIE-1") + counted("0123456789abcdef"))),
    client(xdmcp(10, u32(7) + u16(0) + counted("MIT-unspecified"))),
  ],
};

/** Helpers that there are messages of. */
export const spoken: readonly string[] = Object.keys(SEEDS);

/** What is put into messages that are changed. */
export const PIECES: readonly string[] = [
  "\0",
  "\xff",
  "\r\n",
  "\n",
  "\r",
  ";",
  ",",
  "=",
  ":",
  " ",
  "-",
  "0",
  "65535",
  "65536",
  "99999",
  "$\0\xff\xff",
  "\xc0\x0c",
  "10.9.9.9",
];
const NUMBERS = [0, 1, 2, 127, 128, 255, 256, 1023, 1024, 0x7fff, 0x8000, 0xffff];
const MOST_SAID = 8;
const MOST_CHANGES = 4;

/** A conversation of `helper`'s protocol: its messages in order or not, and some of them changed. */
export function conversation(helper: string, choices: Choices): Spoken[] {
  const seeds = SEEDS[helper]!;
  const rate = pick(choices, [1, 2, 6]);
  return Array.from({ length: between(choices, 1, MOST_SAID) }, (_, i): Spoken => {
    const [direction, said] = oneIn(choices, 3) ? pick(choices, seeds) : seeds[i % seeds.length]!;
    return [oneIn(choices, 12) ? "reply" : direction, choices.below(rate) === 0 ? changed(said, seeds, choices) : said];
  });
}

function changed(said: string, seeds: readonly Spoken[], choices: Choices): string {
  let text = said;
  for (let n = between(choices, 1, MOST_CHANGES); n > 0; n--) text = change(text, seeds, choices);
  return text;
}

function change(text: string, seeds: readonly Spoken[], choices: Choices): string {
  const at = choices.below(text.length + 1);
  const before = text.slice(0, at);
  switch (choices.below(7)) {
    case 0:
      return before + pick(choices, PIECES) + text.slice(at);
    case 1:
      return before + String.fromCharCode(choices.below(256)) + text.slice(at + 1);
    case 2:
      return before + u16(pick(choices, NUMBERS)) + text.slice(at + 2);
    case 3:
      return before + text.slice(at + between(choices, 1, 8));
    case 4:
      return before + pick(choices, seeds)[1].slice(choices.below(20));
    case 5:
      return before;
    default:
      return (
        before + text.slice(at, at + between(choices, 1, 12)).repeat(oneIn(choices, 12) ? 300 : 2) + text.slice(at)
      );
  }
}
