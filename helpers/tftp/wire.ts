/**
 * TFTP requests (RFC 1350 §5, options: RFC 2347):
 *
 *    2 bytes     string    1 byte     string   1 byte    string    1 byte   string   1 byte
 *   +---------+----------+--------+---------+--------+ ---------+--------+---------+--------+
 *   | 1 or 2  | filename |   0    |  mode   |   0    |  option  |   0    |  value  |   0    |  ...
 *   +---------+----------+--------+---------+--------+ ---------+--------+---------+--------+
 */
import { u16 } from "../../core/wire/bytes.ts";
import { latin1 } from "../../core/wire/text.ts";

const RRQ = 1;
const WRQ = 2;
/** DATA, ACK, ERROR, OACK (RFC 2347). */
const FIRST_ANSWER = 3;
const LAST_ANSWER = 6;
/** RFC 2347: the whole request, options included. */
const LONGEST = 512;
const LONGEST_MODE = 8;
const MODES: ReadonlySet<string> = new Set(["netascii", "octet", "mail"]);

export interface Request {
  readonly operation: "RRQ" | "WRQ";
  /** What follows the mode is pairs of strings. */
  readonly optionsWhole: boolean;
}

export type Malformed = "truncated" | "too-long" | "not-a-request" | "no-filename" | "bad-mode";

export function parseRequest(payload: Uint8Array): Request | Malformed {
  if (payload.length < 2) return "truncated";
  const opcode = u16(payload, 0);
  if (opcode !== RRQ && opcode !== WRQ) return "not-a-request";
  if (payload.length > LONGEST) return "too-long";
  const filenameEnd = payload.indexOf(0, 2);
  if (filenameEnd === 2) return "no-filename";
  const modeEnd = filenameEnd < 0 ? -1 : payload.indexOf(0, filenameEnd + 1);
  if (modeEnd < 0) return "truncated";
  if (!isMode(payload, filenameEnd + 1, modeEnd)) return "bad-mode";
  return { operation: opcode === RRQ ? "RRQ" : "WRQ", optionsWhole: arePairs(payload, modeEnd + 1) };
}

/** What a server sends, by its opcode. */
export function isAnswer(payload: Uint8Array): boolean {
  const opcode = payload.length < 2 ? 0 : u16(payload, 0);
  return opcode >= FIRST_ANSWER && opcode <= LAST_ANSWER;
}

/** In any mix of upper and lower case. */
const isMode = (payload: Uint8Array, start: number, end: number): boolean =>
  end - start <= LONGEST_MODE && MODES.has(latin1(payload, start, end).toLowerCase());

function arePairs(payload: Uint8Array, start: number): boolean {
  let strings = 0;
  let at = start;
  while (at < payload.length) {
    const end = payload.indexOf(0, at);
    // An option has a name; its value may be empty.
    if (end < 0 || (end === at && strings % 2 === 0)) return false;
    at = end + 1;
    strings++;
  }
  return strings % 2 === 0;
}
