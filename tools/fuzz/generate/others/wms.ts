/** MMS over TCP (MS-MMSP 2.2): packets of messages, one of which names the socket that a player listens on. */
import { between, type Choices, oneIn, pick } from "../choices.ts";
import type { Ends } from "../ftp/model.ts";
import { barred, instead, offering, plain, type Said } from "./said.ts";

const CONNECT_FUNNEL = 0x00030002;
const DISCONNECTED = 0x00040003;
const OTHERS = [0x00030001, 0x00030005, 0x00040001, 0x00040002, 0x00030007];

const u32le = (n: number): string => String.fromCharCode(n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24);
const wide = (text: string): string => [...text].map((c) => `${c}\0`).join("");
const chunks = (text: string): string => text + "\0".repeat(-text.length & 7);

const message = (id: number, body: string): string => {
  const whole = chunks(u32le(0) + u32le(id) + body);
  return u32le(whole.length / 8) + whole.slice(4);
};

const packet = (sequence: number, messages: string): string =>
  `\x01\0\0\0\xce\xfa\x0b\xb0${u32le(16 + messages.length)}MMS ${u32le(2 + messages.length / 8)}${u32le(sequence)}${"\0".repeat(8)}${messages}`;

/** What is between the message's head and the name (2.2.4.18). */
const FIELDS = `${u32le(0)}${u32le(0xffffffff)}${u32le(0)}${u32le(0x000a0000)}${u32le(2)}`;
const funnel = (name: string, padding = ""): string => message(CONNECT_FUNNEL, `${FIELDS}${wide(name)}\0\0${padding}`);
const other = (choices: Choices): string => message(pick(choices, OTHERS), "x".repeat(choices.below(60)));

/** The name that a refused one becomes, in as many bytes. */
function nowhere(about: string, said: (name: string) => string, name: string): Said {
  const written = wide("\\\\0.0.0.0\\UDP\\0").padEnd(wide(name).length, "\0");
  return instead(
    "original",
    about,
    said(name),
    said(name).replace(wide(name), () => written),
  );
}

function connect(choices: Choices, { client }: Ends): Said {
  const port = between(choices, 1024, 0xffff);
  const sequence = choices.below(4);
  const behind = oneIn(choices, 3) ? other(choices) : "";
  const said = (name: string): string => packet(sequence, funnel(name) + behind);
  switch (choices.below(8)) {
    case 0:
      return plain("original", "a funnel over TCP", said(`\\\\${client}\\TCP\\${port}`));
    case 1:
      return nowhere("another host", said, `\\\\10.9.9.9\\UDP\\${port}`);
    case 2:
      return nowhere(
        "a port that may not be",
        said,
        `\\\\${client}\\UDP\\${pick(choices, [0, 80, 1023, 65536, 70000])}`,
      );
    case 3:
      return barred(
        "original",
        "no socket",
        said(pick(choices, ["", "x", "\\\\x\\UDP\\5000", `\\\\${client}\\UDP`, `${client}\\UDP\\5000`])),
      );
    default:
      return offering("original", "a funnel", [port], said(`\\\\${client}\\UDP\\${port}`), (at) =>
        said(`\\\\${at(port).address}\\UDP\\${at(port).port}`),
      );
  }
}

const data = (choices: Choices): Said => {
  const body = "d".repeat(choices.below(200));
  const length = 8 + body.length;
  return plain("reply", "data", `\0\0\0\0\x04\0${String.fromCharCode(length & 255, length >> 8)}${body}`);
};

/** Names are written with IPv4 addresses. */
export function wms(choices: Choices, ends: Ends): Said[] {
  const hello = packet(0, message(0x00030001, `${u32le(0)}${u32le(0x0004000b)}${u32le(3)}${wide("NSPlayer/9\0")}`));
  const said: Said[] = [plain("original", "a greeting", hello), plain("reply", "a packet", packet(0, other(choices)))];
  said.push(connect(choices, ends));
  if (oneIn(choices, 2)) said.push(plain("reply", "a packet", packet(1, other(choices) + other(choices))));
  for (let n = choices.below(3); n > 0; n--) said.push(data(choices));
  if (oneIn(choices, 4)) said.push(plain("reply", "the funnel is gone", packet(2, message(DISCONNECTED, u32le(0)))));
  if (oneIn(choices, 8)) said.push(instead("original", "two funnels", packet(3, funnel("a") + funnel("b")), ""));
  return said;
}
