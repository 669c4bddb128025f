/**
 * DNS (RFC 1035): queries and answers, over TCP behind their lengths. Nothing is changed. Over UDP an answer that is cut off
 * (TC) lets the client's TCP connection in; over TCP nothing is.
 */
import { between, type Choices, oneIn, pick } from "../choices.ts";
import type { Ends } from "../ftp/model.ts";
import { anyId, badDomain, domain, header, record } from "./names.ts";
import { counted, plain, type Said, u16 } from "./said.ts";

/** QUERY, NOTIFY and UPDATE among them, with bits of all kinds. */
const QUERIES = [0x0100, 0, 0x0120, 0x2000, 0x2800, 0x7800];
const ANSWERS = [0x8180, 0x8580, 0x8380, 0x8183, 0xa000, 0xa800];
const TYPES = [1, 28, 6, 252, 255, 0, 0xffff];

const TRUNCATED = 0x0200;
const DNS = 53;

const question = (choices: Choices, bad: boolean): string =>
  (bad ? badDomain(choices) : domain(choices)) + u16(pick(choices, TYPES)) + u16(pick(choices, [1, 255, 0]));

/** A query and mostly its answer; `bad`: nobody can read what is asked. */
function exchange(choices: Choices, datagrams: boolean, bad: boolean): Said[] {
  const framed = (message: string): string => (datagrams ? message : counted(message));
  const asked = question(choices, bad);
  const questions = oneIn(choices, 8) ? choices.below(4) : 1;
  const id = anyId(choices);
  const edns = oneIn(choices, 3) ? `\0${u16(41)}${u16(1232)}\0\0\0\0\0\0` : "";
  const query = header(id, pick(choices, QUERIES), [questions, 0, 0, edns === "" ? 0 : 1]) + asked + edns;
  const said = plain("original", "a query", framed(query));
  if (oneIn(choices, 5)) return [said];
  const flags = pick(choices, ANSWERS);
  const start = header(oneIn(choices, 6) ? anyId(choices) : id, flags, [questions, 1, 0, 0]);
  const answer = plain("reply", "an answer", framed(start + asked + record("\xc0\x0c", 1, "\x7f\0\0\x01")));
  return [said, datagrams && (flags & TRUNCATED) !== 0 ? { ...answer, lets: [DNS] } : answer];
}

export function dns(choices: Choices, { transport }: Ends): Said[] {
  const datagrams = transport === "udp";
  const said: Said[] = [];
  for (let n = between(choices, 1, 5); n > 0; n--) {
    // A flow of datagrams that opens with what nobody can read is another protocol's.
    const bad = oneIn(choices, 6) && !(datagrams && said.length === 0);
    said.push(...exchange(choices, datagrams, bad));
  }
  return said;
}
