/** What clients say: PORT and EPRT as they may be, and as they may not. */
import { between, type Choices, oneIn, pick } from "../choices.ts";
import { freePort, isIpv6, reservedPort, sixOf, stranger } from "./ends.ts";
import { announced, type Ends, type Message, refused, same } from "./model.ts";
import { hostPortText, lineEnd } from "./replies.ts";

/** Telnet's interrupt and synch, as clients send them before ABOR (RFC 959 §4.1.3), and other options. */
const TELNET = ["\xff\xf4\xff\xf2", "\xff\xf1", "\xff\xfb\x01", "\xff\xfa\x18\x01\xff\xf0", "\0"];
const DELIMITERS = ["|", "|", "|", "!", "$", "%", "*", "#", ";", "~"];

/** The command with what stands before and behind it; what is written anew begins with the verb. */
function offering(
  kind: "ftp-active" | "ftp-eprt",
  address: string,
  port: number,
  command: string,
  choices: Choices,
): Message {
  const dressed = choices.below(8);
  const before = dressed === 6 ? pick(choices, TELNET) : dressed === 7 ? "  " : "";
  const behind = dressed === 5 ? " \t" : "";
  const said = `${before}${command}${behind}${lineEnd(choices)}`;
  const about =
    dressed === 6 ? `${command.slice(0, 4).toUpperCase()} behind telnet bytes` : command.slice(0, 4).toUpperCase();
  return announced(said, about, { kind, address, port, at: [[before.length, before.length + command.length]] });
}

/** A PORT of the client's own. Over IPv6 there is none. */
export function port(choices: Choices, { client }: Ends): Message {
  const number = freePort(choices);
  // A client that listens on all of its addresses may say so.
  const address = oneIn(choices, 16) ? "0.0.0.0" : client;
  const verb = pick(choices, ["PORT ", "PORT ", "port ", "Port\t"]);
  return offering("ftp-active", address, number, verb + hostPortText(choices, sixOf(address, number)), choices);
}

export function eprt(choices: Choices, ends: Ends): Message {
  const number = freePort(choices);
  const d = pick(choices, DELIMITERS);
  const family = isIpv6(ends) ? 2 : 1;
  const command = `${pick(choices, ["EPRT", "eprt"])} ${[d, d, d, d].join("\0").replace("\0", String(family)).replace("\0", ends.client).replace("\0", String(number))}`;
  return offering("ftp-eprt", ends.client, number, command, choices);
}

/** An announcement of the client's that a director may let in. */
export const active = (choices: Choices, ends: Ends): Message =>
  isIpv6(ends) || oneIn(choices, 3) ? eprt(choices, ends) : port(choices, ends);

type Bad = (choices: Choices, ends: Ends) => Message;

const portText = (numbers: readonly string[]): string => `PORT ${numbers.join(",")}\r\n`;

const six = (choices: Choices, { client }: Ends): string[] =>
  sixOf(client.includes(":") ? "10.0.0.5" : client, freePort(choices));

const bounced: Bad = (choices, ends) => {
  const address = stranger(choices, ends);
  const number = freePort(choices);
  const family = isIpv6(ends) ? 2 : 1;
  if (family === 2 || oneIn(choices, 2))
    return refused(`EPRT |${family}|${address}|${number}|\r\n`, "EPRT names another host");
  return refused(portText(sixOf(address, number)), "PORT names another host");
};

const reserved: Bad = (choices, ends) => {
  const number = reservedPort(choices);
  const family = isIpv6(ends) ? 2 : 1;
  if (family === 2 || oneIn(choices, 2))
    return refused(`EPRT |${family}|${ends.client}|${number}|\r\n`, "EPRT names a reserved port");
  return refused(portText(sixOf(ends.client, number)), "PORT names a reserved port");
};

const octet: Bad = (choices, ends) => {
  const numbers = six(choices, ends);
  const index = between(choices, 0, 5);
  return refused(portText(numbers.with(index, String(Number(numbers[index]) + 256))), "PORT with a number above 255");
};

const count: Bad = (choices, ends) => {
  const numbers = six(choices, ends);
  return refused(
    portText(oneIn(choices, 2) ? [...numbers, "7"] : numbers.slice(0, choices.below(6))),
    "PORT without six numbers",
  );
};

const tail: Bad = (choices, ends) =>
  refused(
    `PORT ${six(choices, ends).join(",")}${pick(choices, [" x", ")", ",", "\r1", "/"])}\r\n`,
    "PORT with something behind it",
  );

const family: Bad = (choices, { client }) =>
  refused(
    `EPRT |${pick(choices, ["3", "0", "", "11", client.includes(":") ? "1" : "2"])}|${client}|${freePort(choices)}|\r\n`,
    "EPRT of no family",
  );

const portAbove: Bad = (choices, { client }) =>
  refused(
    `EPRT |${client.includes(":") ? 2 : 1}|${client}|${pick(choices, [65536, 66560, 70000, 4294969417])}|\r\n`,
    "EPRT with a port above 65535",
  );

const lprt: Bad = (choices) => refused(`LPRT 4,4,10,0,0,5,2,${between(choices, 4, 255)},1\r\n`, "LPRT");

/** To some servers a bare CR ends the line. */
const hidden: Bad = (choices, ends) =>
  refused(
    `${pick(choices, ["NOOP", "TYPE I", ""])}x\rPORT ${six(choices, ends).join(",")}\r\n`,
    "PORT behind a bare CR",
  );

/** A line longer than what may be held, which would announce. */
const endless: Bad = (choices, ends) =>
  refused(
    `PORT ${six(choices, ends).join(",")}${" ".repeat(between(choices, 4097, 5000))}\r\n`,
    "PORT that is too long",
  );

const BAD: readonly Bad[] = [bounced, reserved, octet, count, tail, family, portAbove, lprt, hidden, endless];

/** An announcement that offers what may not be, or is none. */
export const inactive = (choices: Choices, ends: Ends): Message => pick(choices, BAD)(choices, ends);

const NAMES = ["a.bin", "PASV", "PORT 1,2,3,4,5,6", "227 (1,2,3,4,5,6).txt", "EPSV", "x PASV", "AUTH TLS", "(|||21|)"];
const TAKING_NAMES = ["RETR", "STOR", "CWD", "DELE", "MKD", "SITE", "LIST", "STAT"];

/** A command with a name that may look like something else. */
export const named = (choices: Choices): Message =>
  same(`${pick(choices, TAKING_NAMES)} ${pick(choices, NAMES)}${lineEnd(choices)}`, "a file name");

const PLAIN = [
  "NOOP",
  "PWD",
  "SYST",
  "TYPE I",
  "\xff\xf4\xff\xf2ABOR",
  "STRU F",
  "MODE S",
  "HELP",
  "UNKNOWN",
  "x y z",
  "NO\xff\xf1OP",
];

export const plain = (choices: Choices): Message => same(`${pick(choices, PLAIN)}${lineEnd(choices)}`, "a command");
