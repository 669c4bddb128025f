/** Ident (RFC 1413): queries of two ports, and responses. Nothing is let in, and nobody here knows the connections. */
import { between, type Choices, oneIn, pick } from "../choices.ts";
import { plain, type Said } from "./said.ts";

const BLANKS = ["", "", " ", "  ", "\t"];
const NAMES = ["joe", "stk", "a b", ": x", "\xff\xfe", "x".repeat(400), "6191, 23"];
const PORTS = [21, 23, 113, 1, 65535, 40000];
const BAD = ["0, 21", "65536, 1", "99999999999, 3", "1", "1,", ",1", "-1, 2", "", "x, y", "1 2", "1,2,3"];

const pair = (choices: Choices): string => {
  const blank = (): string => pick(choices, BLANKS);
  const port = (): number => (oneIn(choices, 2) ? pick(choices, PORTS) : between(choices, 1, 0xffff));
  return `${blank()}${port()}${blank()},${blank()}${port()}`;
};

function response(choices: Choices, asked: string): string {
  const blank = pick(choices, BLANKS);
  const error = pick(choices, ["NO-USER", "INVALID-PORT", "HIDDEN-USER", "UNKNOWN-ERROR", "X1"]);
  return oneIn(choices, 3)
    ? `${asked}${blank}:${blank}ERROR${blank}:${blank}${error}`
    : `${asked} :${blank}USERID${blank}: ${pick(choices, ["UNIX", "UNIX,US-ASCII", "OTHER"])} :${pick(choices, NAMES)}`;
}

export function ident(choices: Choices): Said[] {
  const said: Said[] = [];
  for (let n = between(choices, 1, 4); n > 0; n--) {
    const asked = oneIn(choices, 6) ? pick(choices, BAD) : pair(choices);
    const end = oneIn(choices, 6) ? "\n" : "\r\n";
    said.push(plain("original", "a query", asked + end));
    if (!oneIn(choices, 6)) said.push(plain("reply", "a response", response(choices, asked) + end));
  }
  if (oneIn(choices, 8))
    said.push(plain("original", "a line that is too long", `${"1".repeat(between(choices, 900, 3000))},2\r\n`));
  return said;
}
