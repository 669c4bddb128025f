/** DNS (RFC 1035) over TCP: queries and answers behind their lengths. Nothing is let in and nothing changed. */
import { between, type Choices, oneIn, pick } from "../choices.ts";
import { anyId, badDomain, domain, header, record } from "./names.ts";
import { counted, plain, type Said, u16 } from "./said.ts";

/** QUERY, NOTIFY and UPDATE among them, with bits of all kinds. */
const QUERIES = [0x0100, 0, 0x0120, 0x2000, 0x2800, 0x7800];
const ANSWERS = [0x8180, 0x8580, 0x8380, 0x8183, 0xa000, 0xa800];
const TYPES = [1, 28, 6, 252, 255, 0, 0xffff];

const question = (choices: Choices): string =>
  (oneIn(choices, 6) ? badDomain(choices) : domain(choices)) +
  u16(pick(choices, TYPES)) +
  u16(pick(choices, [1, 255, 0]));

export function dns(choices: Choices): Said[] {
  const said: Said[] = [];
  for (let n = between(choices, 1, 5); n > 0; n--) {
    const asked = question(choices);
    const questions = oneIn(choices, 8) ? choices.below(4) : 1;
    const id = anyId(choices);
    const edns = oneIn(choices, 3) ? `\0${u16(41)}${u16(1232)}\0\0\0\0\0\0` : "";
    const query = header(id, pick(choices, QUERIES), [questions, 0, 0, edns === "" ? 0 : 1]) + asked + edns;
    said.push(plain("original", "a query", counted(query)));
    if (oneIn(choices, 5)) continue;
    const answer = header(oneIn(choices, 6) ? anyId(choices) : id, pick(choices, ANSWERS), [questions, 1, 0, 0]);
    said.push(plain("reply", "an answer", counted(answer + asked + record("\xc0\x0c", 1, "\x7f\0\0\x01"))));
  }
  return said;
}
