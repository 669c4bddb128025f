/**
 * DNS messages, as far as a director needs them: the header and the first question (RFC 1035 §4.1). What follows (EDNS
 * among it) passes unread and untouched.
 */
import { u16 } from "../../core/wire/bytes.ts";
import { latin1 } from "../../core/wire/text.ts";

/**
 *    0  1  2  3  4  5  6  7  8  9  0  1  2  3  4  5
 *   |                      ID                       |
 *   |QR|   Opcode  |AA|TC|RD|RA|   Z    |   RCODE   |
 *   |  QDCOUNT  |  ANCOUNT  |  NSCOUNT  |  ARCOUNT  |   16 bits each
 */
const FLAGS = 2;
const QDCOUNT = 4;
export const HEADER = 12;
/** The length before each message over TCP (RFC 1035 §4.2.2). */
export const PREFIX = 2;

/** RFC 1035 §2.3.4. */
const LONGEST_LABEL = 63;
const LONGEST_NAME = 255;
const TYPE_AND_CLASS = 4;
/** The longest first question there is, with what stands before it over TCP. */
export const LONGEST_OPENING = PREFIX + HEADER + LONGEST_NAME + TYPE_AND_CLASS;

/** IANA's registry of opcodes; NOTIFY is RFC 1996, UPDATE RFC 2136. */
export const Opcode = { QUERY: 0, NOTIFY: 4, UPDATE: 5 } as const;

export interface Header {
  readonly id: number;
  /** QR: it is a reply. */
  readonly reply: boolean;
  readonly opcode: number;
  /** TC: it was longer than what the transport carries. */
  readonly truncated: boolean;
  readonly rcode: number;
  /** Entries of the question section; for UPDATE, of its zone section. */
  readonly questions: number;
}

export type HeaderProblem = "short-header";

export function readHeader(bytes: Uint8Array, at = 0): Header | HeaderProblem {
  if (bytes.length - at < HEADER) return "short-header";
  const flags = u16(bytes, at + FLAGS);
  return {
    id: u16(bytes, at),
    reply: (flags & 0x8000) !== 0,
    opcode: (flags >>> 11) & 0xf,
    truncated: (flags & 0x0200) !== 0,
    rcode: flags & 0xf,
    questions: u16(bytes, at + QDCOUNT),
  };
}

/** - `cut`: the message ends within it. - `bad-pointer`, `bad-label`, `long-name`: RFC 1035 §4.1.4, §3.1, §2.3.4. */
export type QuestionProblem = "cut" | "bad-pointer" | "bad-label" | "long-name";

export interface Question {
  /** Name, type and class as they stand there, a character a byte, in lower case: clients vary a name's letters. */
  readonly text: string;
  readonly end: number;
}

/**
 * The first question, which begins at `at`. No name stands before it that it could point to (RFC 1035 §4.1.4: "a prior
 * occurance"), so a pointer in it is malformed; nothing is followed, and nothing can loop.
 */
export function readQuestion(bytes: Uint8Array, at: number, end = bytes.length): Question | QuestionProblem {
  for (let next = at; ; ) {
    if (next >= end) return "cut";
    const length = bytes[next]!;
    if (length >= 0xc0) return "bad-pointer";
    if (length > LONGEST_LABEL) return "bad-label";
    next += 1 + length;
    if (next - at > LONGEST_NAME) return "long-name";
    if (next > end) return "cut";
    if (length > 0) continue;
    const whole = next + TYPE_AND_CLASS;
    return whole > end ? "cut" : { text: `${lowerCase(bytes, at, next)}${latin1(bytes, next, whole)}`, end: whole };
  }
}

/** RFC 4343 §3. No length of a label is taken for a letter: they are below 64. */
function lowerCase(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    text += String.fromCharCode(byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte);
  }
  return text;
}
