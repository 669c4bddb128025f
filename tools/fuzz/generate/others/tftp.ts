/** TFTP (RFC 1350, 2347): requests, and what servers say from port 69 itself. */
import { between, type Choices, oneIn, pick, several } from "../choices.ts";
import { CLIENT_PORT, plain, type Said, u16 } from "./said.ts";

const NAMES = ["boot.bin", "a", "\xff\xfe", "../../etc/passwd", "name with blanks", "x".repeat(200), "1,2,3,4,5,6"];
const MODES = ["octet", "netascii", "mail", "OCTET", "NetAscii"];
const OPTIONS = ["blksize\x001428\0", "tsize\x000\0", "timeout\x005\0", "windowsize\x0016\0", "x\0\0"];

const asked = (choices: Choices, tail: string): string =>
  `${u16(between(choices, 1, 2))}${pick(choices, NAMES)}\0${pick(choices, MODES)}\0${tail}`;

const request = (choices: Choices): Said => {
  const said = asked(choices, several(choices, 3, () => pick(choices, OPTIONS)).join(""));
  // The transfer comes to where it was asked from.
  return { ...plain("original", "a request", said), lets: [CLIENT_PORT] };
};

const BAD: readonly ((choices: Choices) => string)[] = [
  (choices) => `${u16(pick(choices, [0, 3, 4, 5, 6, 7, 255, 256, 0xffff]))}\0\x01data`,
  () => "\0",
  (choices) => u16(1) + pick(choices, NAMES),
  (choices) => `${u16(1)}${pick(choices, NAMES)}\0octet`,
  () => `${u16(2)}\0octet\0`,
  (choices) => `${u16(1)}a\0${pick(choices, ["", "octets", "bin", "octet "])}\0`,
  (choices) => asked(choices, `blksize\0${"1".repeat(between(choices, 512, 1400))}\0`),
];

const bad = (choices: Choices): Said => plain("original", "no request", pick(choices, BAD)(choices));

const ANSWERS = [
  `${u16(3)}${u16(1)}data`,
  `${u16(4)}${u16(0)}`,
  `${u16(5)}${u16(1)}not found\0`,
  `${u16(6)}tsize\x009\0`,
];
const answer = (choices: Choices): Said => plain("reply", "an answer from port 69", pick(choices, ANSWERS));

/** Requests, each perhaps sent again, and answered where it was asked. */
export function tftp(choices: Choices): Said[] {
  const said: Said[] = [];
  for (let n = between(choices, 1, 5); n > 0; n--) {
    said.push(oneIn(choices, 4) ? bad(choices) : request(choices));
    if (oneIn(choices, 4)) said.push({ ...said.at(-1)!, about: "sent again" });
    if (oneIn(choices, 4)) said.push(answer(choices));
  }
  return said;
}
