/**
 * Linux net/netfilter/nf_conntrack_ftp.c, with its default `loose=0` and without NAT; checked against the kernel of
 * Linux 6.18 (test/tools/replay-kernel.test.ts). It reads segments, not the stream: only one that begins where it
 * has seen a line end is looked at, and only at its start.
 */
import type { Direction } from "../../../../core/units.ts";
import { Address } from "../../../../core/wire/address.ts";
import type { Said } from "../../transcript.ts";
import {
  beginsWith,
  drops,
  isDelimiter,
  isDigit,
  type Judgement,
  type Model,
  opens,
  passes,
  speakerOf,
  spilling,
  textOf,
} from "./model.ts";

/** Line ends remembered for each direction. */
const LINE_ENDS = 2;

/** What a message names; null address: its speaker's own. */
interface Numbers {
  readonly address: Address | null;
  readonly port: number;
}

/** Null: what follows the pattern is not what it must be. */
type Read = (text: string, family: 4 | 6) => Numbers | null;

interface Pattern {
  readonly text: string;
  /** The numbers are behind the first of these; null: behind the pattern. */
  readonly skip: string | null;
  readonly read: Read;
}

const PATTERNS: Readonly<Record<Direction, readonly Pattern[]>> = {
  original: [
    { text: "PORT", skip: " ", read: (text) => sixNumbers(text, "\r") },
    { text: "EPRT", skip: " ", read: eprt },
  ],
  reply: [
    { text: "227 ", skip: null, read: firstSixNumbers },
    { text: "229 ", skip: "(", read: (text) => epsv(text) },
  ],
};

export const nfConntrackFtp: Model = {
  name: "nf_conntrack_ftp",
  judge(control, said) {
    const ends: Readonly<Record<Direction, number[]>> = { original: [], reply: [] };
    return said.map((segment) => {
      const judgement = look(
        segment,
        ends[segment.direction],
        control.client.address.family,
        speakerOf(control, segment.direction),
      );
      if (!judgement.drops) remember(segment, ends[segment.direction]);
      return judgement;
    });
  },
};

function look(segment: Said, ends: readonly number[], family: 4 | 6, speaker: Address): Judgement {
  const { frame, direction, sequence } = segment;
  if (!ends.includes(sequence)) return passes(frame, "the segment does not begin where it has seen a line end");
  const text = textOf(segment);
  for (const pattern of PATTERNS[direction]) {
    const found = match(text, pattern, family);
    if (found === "none") continue;
    if (found === "partial") return drops(frame, `the segment matches ${pattern.text.trim()} only in part`);
    const address = found.address ?? speaker;
    if (!address.equals(speaker)) return passes(frame, `it names ${address}, not its speaker's address (loose=0)`);
    return opens(frame, address, found.port);
  }
  return passes(frame, "the first line of its segment is another");
}

function match(text: string, { text: pattern, skip, read }: Pattern, family: 4 | 6): Numbers | "none" | "partial" {
  if (text.length <= pattern.length) return beginsWith(pattern, text.toUpperCase()) ? "partial" : "none";
  if (!beginsWith(text, pattern)) return "none";
  const at = skip === null ? pattern.length : text.indexOf(skip, pattern.length) + 1;
  if (at === 0 || at >= text.length) return "partial";
  return read(text.slice(at), family) ?? "partial";
}

/** The two latest line ends that segments had; an older one is never put in their place. */
function remember({ bytes, sequence, length }: Said, ends: number[]): void {
  if (bytes.at(-1) !== 0x0a || bytes.length < length) return;
  const end = (sequence + length) >>> 0;
  if (ends.includes(end)) return;
  if (ends.length < LINE_ENDS) {
    ends.push(end);
    return;
  }
  const oldest = ((ends[0]! - ends[1]!) | 0) < 0 ? 0 : 1;
  if (((end - ends[oldest]!) | 0) > 0) ends[oldest] = end;
}

/** `count` numbers with `separator` between them; `end`: what must stand behind them, null: anything. */
function numbers(
  text: string,
  count: number,
  separator: string,
  end: string | null,
): { values: number[]; length: number } | null {
  const values = [0];
  for (let at = 0; at < text.length && values.length <= count; at++) {
    const character = text[at]!;
    if (isDigit(character)) values.push(Math.imul(values.pop()!, 10) + Number(character));
    else if (character === separator) values.push(0);
    else
      return values.length === count && (end === null || character === end) && at > 0 ? { values, length: at } : null;
  }
  return null;
}

function sixNumbers(text: string, end: string | null): Numbers | null {
  const values = numbers(text, 6, ",", end)?.values;
  return values === undefined ? null : { address: spilling(values), port: ((values[4]! << 8) | values[5]!) & 0xffff };
}

/** RFC 1123 §4.1.2.6: the text varies, so that the numbers begin with the first digit. */
function firstSixNumbers(text: string): Numbers | null {
  let at = 0;
  while (at < text.length && !isDigit(text[at])) at++;
  return sixNumbers(text.slice(at), null);
}

function eprt(text: string, family: 4 | 6): Numbers | null {
  const delimiter = text[0];
  if (text.length <= 3 || !isDelimiter(delimiter) || text[2] !== delimiter || text[1] !== (family === 4 ? "1" : "2"))
    return null;
  const rest = text.slice(3);
  const end = family === 4 ? (numbers(rest, 4, ".", delimiter!)?.length ?? -1) : rest.indexOf(delimiter!);
  if (end <= 0) return null;
  const address =
    family === 4 ? spilling(numbers(rest, 4, ".", delimiter!)!.values) : Address.parse(rest.slice(0, end));
  const port = portNumber(rest.slice(end + 1), delimiter!);
  return address === null || port === null ? null : { address, port };
}

function epsv(text: string): Numbers | null {
  const delimiter = text[0];
  if (text.length <= 3 || !isDelimiter(delimiter) || text[1] !== delimiter || text[2] !== delimiter) return null;
  const port = portNumber(text.slice(3), delimiter!);
  return port === null ? null : { address: null, port };
}

/** In sixteen bits, whatever the number. */
function portNumber(text: string, delimiter: string): number | null {
  let port = 0;
  for (const character of text) {
    if (character === delimiter) return port === 0 ? null : port;
    if (!isDigit(character)) return null;
    port = (port * 10 + Number(character)) & 0xffff;
  }
  return null;
}
