/** What servers say: 227 and 229 in the dialects that are about, and what only looks like them. */
import { between, type Choices, oneIn, pick } from "../choices.ts";
import { freePort, isIpv6, reservedPort, sixOf, stranger } from "./ends.ts";
import { announced, type Ends, type Kind, type Message, refused, same } from "./model.ts";

/** Before and behind the host-port (RFC 1123 §4.1.2.6: they vary). */
const PASSIVE: readonly (readonly [string, string])[] = [
  ["Entering Passive Mode (", ")."],
  ["Entering Passive Mode (", ")"],
  ["=", ""],
  ["", ""],
  ["Entering passive mode. ", "."],
  ["(", ") is where 1 client may go"],
  ["Passive mode OK [", "]"],
  ["Data port 2 is at <", ">"],
  ["\t", "\t"],
];
const EXTENDED: readonly (readonly [string, string])[] = [
  ["Entering Extended Passive Mode (", ")"],
  ["Entering Extended Passive Mode (", ")."],
  ["(", ")"],
  ["Port ", ""],
  ["EPSV ok (", "), go on"],
];
/** RFC 2428 §2: any of ASCII 33 to 126; digits would be read as part of the port. */
const DELIMITERS = ["|", "|", "|", "!", "#", "$", "%", "&", "*", "+", ";", "@", "^", "_", "~", "/", "x"];

export const lineEnd = (choices: Choices): string => (oneIn(choices, 8) ? "\n" : "\r\n");

/** The numbers of a host-port as servers write them. */
export function hostPortText(choices: Choices, numbers: readonly string[]): string {
  switch (choices.below(8)) {
    case 5:
      return numbers.join(", ");
    case 6:
      return numbers.map((number) => number.padStart(3, "0")).join(",");
    case 7:
      return numbers.join(" ,\t");
    default:
      return numbers.join(",");
  }
}

/** A reply whose text writes `parts` at what it offers. */
function offering(kind: Kind, address: string | null, port: number, about: string, ...parts: string[]): Message {
  const at: [number, number][] = [];
  let said = "";
  for (const [i, part] of parts.entries()) {
    if (i % 2 === 1) at.push([said.length, said.length + part.length]);
    said += part;
  }
  return announced(said, about, { kind, address, port, at });
}

/** A well-formed 227 of the realserver's own. Over IPv6 there is none. */
export function passive(choices: Choices, { real }: Ends): Message {
  const port = freePort(choices);
  const text = hostPortText(choices, sixOf(real, port));
  const [before, behind] = pick(choices, PASSIVE);
  const end = lineEnd(choices);
  if (oneIn(choices, 12))
    return offering("ftp-passive", real, port, "227 twice", "227 (", text, ") or (", text, `)${end}`);
  return offering("ftp-passive", real, port, "227", `227 ${before}`, text, behind + end);
}

/** A well-formed 229. */
export function extended(choices: Choices, { real }: Ends): Message {
  const port = freePort(choices);
  const d = pick(choices, DELIMITERS);
  const [before, behind] = pick(choices, EXTENDED);
  const end = behind + lineEnd(choices);
  if (d === "|" && oneIn(choices, 8)) {
    const family = real.includes(":") ? 2 : 1;
    return offering("ftp-epsv", real, port, "229 with an address", "229 (", `|${family}|${real}|${port}|`, `)${end}`);
  }
  return offering("ftp-epsv", null, port, "229", `229 ${before}`, `${d}${d}${d}${port}${d}`, end);
}

/** An answer to PASV or EPSV that a director may let in. */
export const welcome = (choices: Choices, ends: Ends): Message =>
  isIpv6(ends) || oneIn(choices, 3) ? extended(choices, ends) : passive(choices, ends);

type Bad = (choices: Choices, ends: Ends) => Message;

const passiveText = (numbers: readonly string[], separator = ","): string =>
  `227 Entering Passive Mode (${numbers.join(separator)}).\r\n`;

const replaced = (numbers: readonly string[], index: number, by: string): string[] => numbers.with(index, by);

/** Over IPv6 the six numbers of somebody: their family alone forbids them. */
const six = (choices: Choices, { real }: Ends): string[] =>
  sixOf(real.includes(":") ? "192.168.0.2" : real, freePort(choices));

const bounced: Bad = (choices, ends) => {
  const address = stranger(choices, ends);
  if (isIpv6(ends)) return refused(`229 (|2|${address}|${freePort(choices)}|)\r\n`, "229 names another host");
  return refused(passiveText(sixOf(address, freePort(choices))), "227 names another host");
};

const reserved: Bad = (choices, ends) => {
  const port = reservedPort(choices);
  if (isIpv6(ends) || oneIn(choices, 3)) return refused(`229 ok (|||${port}|)\r\n`, "229 names a reserved port");
  return refused(passiveText(sixOf(ends.real, port)), "227 names a reserved port");
};

/** Whatever wraps at 256 makes an allowed one of it. */
const octet: Bad = (choices, ends) => {
  const numbers = six(choices, ends);
  const index = between(choices, 0, 5);
  return refused(
    passiveText(replaced(numbers, index, String(Number(numbers[index]) + 256))),
    "227 with a number above 255",
  );
};

const large: Bad = (choices, ends) =>
  refused(
    passiveText(replaced(six(choices, ends), 5, pick(choices, ["999", "4096", "65536", "4294967297"]))),
    "227 with a large number",
  );

const fewer: Bad = (choices, ends) =>
  refused(passiveText(six(choices, ends).slice(0, between(choices, 4, 5))), "227 with too few numbers");

const more: Bad = (choices, ends) => refused(passiveText([...six(choices, ends), "7"]), "227 with too many numbers");

const portAbove: Bad = (choices) =>
  refused(`229 ok (|||${pick(choices, [65536, 66560, 70000, 4294967296 + 2121])}|)\r\n`, "229 with a port above 65535");

const twoEnds: Bad = (choices, ends) => {
  const numbers = six(choices, ends);
  const other = replaced(numbers, 5, String((Number(numbers[5]) + 1) % 256));
  return refused(`227 (${numbers.join(",")}) or (${other.join(",")})\r\n`, "227 with two ends");
};

const long: Bad = (choices, ends) => refused(`228 (4,4,${six(choices, ends).slice(0, 4).join(",")},2,4,1)\r\n`, "228");

/** What shows only without telnet bytes and NULs is not where it would be rewritten. */
const veiled: Bad = (choices, ends) => {
  const veil = pick(choices, ["\0", "\xff\xf1", "\xff\xfb\x01"]);
  const text = passiveText(six(choices, ends));
  const at = pick(choices, [1, 2, text.indexOf("(") + 2, text.indexOf(")") - 1]);
  return refused(text.slice(0, at) + veil + text.slice(at), "227 with telnet bytes in it");
};

const BAD: readonly Bad[] = [bounced, reserved, octet, large, fewer, more, portAbove, twoEnds, long, veiled];

/** An answer to PASV or EPSV that offers what may not be. */
export const unwelcome = (choices: Choices, ends: Ends): Message => pick(choices, BAD)(choices, ends);

const REFUSALS = [
  "425 Can't open passive connection.",
  "500 Unknown command.",
  "502 Not implemented.",
  "530 Log in first.",
];

/** An answer to PASV or EPSV that offers nothing. */
export const none = (choices: Choices): Message =>
  same(`${pick(choices, REFUSALS)}${lineEnd(choices)}`, "no data connection");

/** Replies with the code, or the numbers, and no end in them. */
const PROSE = [
  "227 Logout.",
  "227 1,2,3 and no more",
  "200 (1,2,3,4,5,6)",
  "250 |||2121|",
  "229 none",
  "226 227 (1,2,3,4,5,6)",
];

export const prose = (choices: Choices): Message => same(`${pick(choices, PROSE)}\r\n`, "prose");
