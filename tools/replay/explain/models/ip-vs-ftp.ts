/**
 * Linux net/netfilter/ipvs/ip_vs_ftp.c, as documented, not run. It reads segments. A passive reply counts only once the
 * command was seen, which it takes for one anywhere in a segment; PORT and the replies only at the start of one.
 */
import { Address } from "../../../../core/wire/address.ts";
import type { Control } from "../../control.ts";
import type { Said } from "../../transcript.ts";
import {
  beginsWith,
  isDigit,
  type Judgement,
  type Model,
  opens,
  passes,
  speakerOf,
  textOf,
  wrapping,
} from "./model.ts";

type Armed = "PASV" | "EPSV" | null;
type Ends = Pick<Control, "client" | "server">;

export const ipVsFtp: Model = {
  name: "ip_vs_ftp",
  judge(control, said) {
    let armed: Armed = null;
    return said.map((segment) => {
      const text = textOf(segment);
      if (segment.direction === "reply") {
        const judgement = reply(segment, text, armed, control);
        if (judgement.opens !== null) armed = null;
        return judgement;
      }
      const arms = armedBy(text, control.client.address.family);
      if (arms !== null) {
        armed = arms;
        return passes(segment.frame, `it takes the segment for ${arms}`);
      }
      const judgement = command(segment, text, control);
      if (judgement.opens !== null) armed = null;
      return judgement;
    });
  },
};

/** `STOR x PASV` arms it too. An EPSV for another family, or EPSV ALL, ends the search. */
function armedBy(text: string, family: 4 | 6): Armed {
  const upper = text.toUpperCase();
  for (let at = 0; at <= text.length - 6; at++) {
    if (family === 4 && upper.startsWith("PASV\r\n", at)) return "PASV";
    if (upper.startsWith("EPSV\r", at)) return "EPSV";
    if (upper.startsWith("EPSV ", at)) return upper.startsWith(family === 4 ? "1\r" : "2\r", at + 5) ? "EPSV" : null;
  }
  return null;
}

function reply({ frame, direction }: Said, text: string, armed: Armed, control: Ends): Judgement {
  if (armed === null) return passes(frame, "no PASV or EPSV went before it");
  const found =
    armed === "PASV"
      ? plainNumbers(text, "227 ", "(")
      : extended(text, "229 ", "(", speakerOf(control, direction), true);
  if (found === null)
    return passes(
      frame,
      `the segment is no whole ${armed === "PASV" ? "227" : "229"} from its first byte on; it goes on as it is`,
    );
  return opens(frame, found.address, found.port);
}

function command({ frame, direction }: Said, text: string, control: Ends): Judgement {
  const own = speakerOf(control, direction);
  const port = own.family === 4 ? plainNumbers(text, "PORT", " ") : null;
  const found = port ?? extended(text, "EPRT", " ", own, false);
  return found === null
    ? passes(frame, "the segment is no whole PORT or EPRT from its first byte on")
    : opens(frame, found.address, found.port);
}

interface Numbers {
  readonly address: Address;
  readonly port: number;
}

/** Behind the pattern and `skip`, as often as it comes; the six numbers may also follow without it. */
function numbersAt(text: string, pattern: string, skip: string, optional: boolean): number {
  if (!beginsWith(text, pattern)) return -1;
  let at = pattern.length;
  while (at < text.length && text[at] !== skip) {
    if (optional && isDigit(text[at])) return at;
    at++;
  }
  while (at < text.length && text[at] === skip) at++;
  return at < text.length ? at : -1;
}

/** Six numbers, each in a byte; what stands behind them does not matter, but something must. */
function plainNumbers(text: string, pattern: string, skip: string): Numbers | null {
  const at = numbersAt(text, pattern, skip, true);
  if (at < 0) return null;
  const octets = [0];
  for (let next = at; next < text.length; next++) {
    const character = text[next]!;
    if (isDigit(character)) octets.push((octets.pop()! * 10 + Number(character)) & 255);
    else if (character === "," && octets.length < 6) octets.push(0);
    else return octets.length < 6 ? null : { address: wrapping(octets), port: octets[4]! * 256 + octets[5]! };
  }
  return null;
}

/** `|||port|`, or `|family|address|port|`. A port above 65535 wraps. */
function extended(text: string, pattern: string, skip: string, own: Address, reply: boolean): Numbers | null {
  const at = numbersAt(text, pattern, skip, false);
  const delimiter = text[at];
  if (at < 0 || delimiter === undefined || delimiter < "!" || delimiter > "~") return null;
  const [, family, named, digits, rest] = text.slice(at).split(delimiter);
  if (rest === undefined || digits === undefined || digits === "" || ![...digits].every(isDigit)) return null;
  const address = addressOf(family!, named!, own, reply);
  const port = [...digits].reduce((sum, digit) => (sum * 10 + Number(digit)) & 0xffff, 0);
  return address === null || port === 0 ? null : { address, port };
}

function addressOf(family: string, named: string, own: Address, reply: boolean): Address | null {
  if (family === "") return reply && named === "" ? own : null;
  const address = family === (own.family === 4 ? "1" : "2") ? Address.parse(named) : null;
  return address !== null && address.family === own.family ? address : null;
}
