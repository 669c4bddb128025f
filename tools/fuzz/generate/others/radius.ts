/** RADIUS (RFC 2865, 2866, 5176): packets with attributes, whole and not. Nothing is let in and nothing changed. */
import { between, type Choices, oneIn, pick, several } from "../choices.ts";
import type { Ends } from "../ftp/model.ts";
import { packed, plain, type Said, u16 } from "./said.ts";

const REQUESTS = [1, 1, 4, 12, 40, 43, 255, 0];
const ANSWERS = [2, 3, 5, 11, 41, 42, 44, 45];
/** User-Name, NAS-IP-Address, State, Calling-Station-Id, EAP-Message, Message-Authenticator, NAS-IPv6-Address. */
const TYPES = [1, 4, 24, 31, 79, 80, 95, 0, 255];
const HEADER = 20;
const MOST = 4096;

const attribute = (type: number, value: string): string => String.fromCharCode(type, value.length + 2) + value;

function attributes(choices: Choices, ends: Ends): string {
  const values = [packed(ends.client), packed(ends.real), "joe", "", "\0".repeat(16), "x".repeat(253), "00-11-22"];
  const made = several(choices, 6, () => attribute(pick(choices, TYPES), pick(choices, values)));
  if (oneIn(choices, 8)) made.push(pick(choices, ["\x01", "\x01\0", "\x01\x01", "\x18\xff", "\x04\x06\x0a"]));
  return made.join("");
}

function packet(choices: Choices, ends: Ends, code: number, identifier: number): string {
  const body = attributes(choices, ends).slice(0, MOST - HEADER);
  const length = HEADER + body.length;
  const claimed = oneIn(choices, 8) ? pick(choices, [0, 19, 20, length + 1, length - 1, 4097, 0xffff]) : length;
  const padding = oneIn(choices, 8) ? "\0".repeat(between(choices, 1, 40)) : "";
  const authenticator = String.fromCharCode(97 + choices.below(3)).repeat(16);
  return String.fromCharCode(code, identifier) + u16(claimed) + authenticator + body + padding;
}

export function radius(choices: Choices, ends: Ends): Said[] {
  const said: Said[] = [];
  for (let n = between(choices, 1, 5); n > 0; n--) {
    const identifier = choices.below(3);
    const asked = packet(choices, ends, pick(choices, REQUESTS), identifier);
    said.push(plain("original", "a request", asked));
    if (oneIn(choices, 4)) said.push(plain("original", "sent again", asked));
    if (oneIn(choices, 4)) continue;
    const answered = oneIn(choices, 8) ? choices.below(256) : identifier;
    said.push(plain("reply", "a response", packet(choices, ends, pick(choices, ANSWERS), answered)));
  }
  return said;
}
