/**
 * FreeBSD sys/netinet/libalias/alias_ftp.c, as documented, not run, in front of a server: it reads a whole packet of at
 * most 128 bytes to or from port 21 that follows one which ended in CRLF, in either direction; IPv4 only.
 */
import type { Address } from "../../../../core/wire/address.ts";
import type { Said } from "../../transcript.ts";
import { isDigit, type Judgement, type Model, opens, passes, speakerOf, textOf, wrapping } from "./model.ts";

const LONGEST = 128;
const FIRST_UNRESERVED_PORT = 1024;
const CONTROL_PORT = 21;

export const libalias: Model = {
  name: "libalias",
  judge(control, said) {
    let waiting = false;
    return said.map((segment): Judgement => {
      const judgement = waiting
        ? passes(segment.frame, "the packet before it did not end in CRLF")
        : look(segment, speakerOf(control, segment.direction), control.server.port);
      waiting = !textOf(segment).endsWith("\r\n");
      return judgement;
    });
  },
};

function look(segment: Said, speaker: Address, port: number): Judgement {
  const { frame, direction, length } = segment;
  if (port !== CONTROL_PORT) return passes(frame, "it reads port 21 only");
  if (speaker.family === 6) return passes(frame, "it knows no IPv6");
  if (length > LONGEST) return passes(frame, `the packet is longer than ${LONGEST} bytes`);
  const text = textOf(segment);
  const found = direction === "original" ? command(text) : reply(text, speaker);
  if (found === null) return passes(frame, "the packet is no whole announcement");
  if (direction === "reply" && !found.address.equals(speaker))
    return passes(frame, `it names ${found.address}, not its speaker's address`);
  if (direction === "reply" && found.port < FIRST_UNRESERVED_PORT) return passes(frame, "its port is reserved");
  return opens(frame, found.address, found.port);
}

interface Numbers {
  readonly address: Address;
  readonly port: number;
}

function command(text: string): Numbers | null {
  if (text.length < 18) return null;
  const upper = text.slice(0, 5).toUpperCase();
  const rest = text.slice(5).trimStart();
  if (upper === "PORT ") return sixNumbers(rest, null);
  return upper === "EPRT " ? eprt(rest) : null;
}

function reply(text: string, speaker: Address): Numbers | null {
  const open = text.indexOf("(");
  if (open < 4) return null;
  const rest = text.slice(open + 1);
  if (text.length >= 17 && text.startsWith("227 ")) return sixNumbers(rest, ")");
  return text.length >= 11 && text.startsWith("229 ") ? epsv(rest, speaker) : null;
}

/** `end` null: anything, but something. Each number in a byte. */
function sixNumbers(text: string, end: string | null): Numbers | null {
  const octets: number[] = [];
  let at = 0;
  while (octets.length < 6) {
    if (!isDigit(text[at])) return null;
    let octet = 0;
    while (isDigit(text[at])) octet = (octet * 10 + Number(text[at++])) & 255;
    octets.push(octet);
    const last = octets.length === 6;
    if (last ? text[at] === undefined || (end !== null && text[at] !== end && text[at] !== ",") : text[at] !== ",")
      return null;
    at++;
  }
  return { address: wrapping(octets), port: octets[4]! * 256 + octets[5]! };
}

function eprt(text: string): Numbers | null {
  const delimiter = text[0] ?? "";
  const [, family, named, digits, rest] = text.split(delimiter);
  const octets = (named ?? "").split(".");
  const port = portOf(digits, rest);
  if (
    family !== "1" ||
    octets.length !== 4 ||
    !octets.every((one) => one !== "" && [...one].every(isDigit)) ||
    port === null
  )
    return null;
  return { address: wrapping(octets.map(Number)), port };
}

function epsv(text: string, speaker: Address): Numbers | null {
  const delimiter = text[0] ?? "";
  const [, family, named, digits, rest] = text.split(delimiter);
  const port = portOf(digits, rest);
  return family === "" && named === "" && port !== null && rest!.startsWith(")") ? { address: speaker, port } : null;
}

const portOf = (digits: string | undefined, rest: string | undefined): number | null =>
  digits === undefined || digits === "" || rest === undefined || ![...digits].every(isDigit)
    ? null
    : [...digits].reduce((sum, digit) => (sum * 10 + Number(digit)) & 0xffff, 0);
