/**
 * What an rsh or rexec client says first (rcmd(3), rexec(3), rshd(8)): the port of its connection for stderr in decimal
 * digits, then NUL. Nothing, or 0: there is none. The names and the command behind it are nobody's business here.
 *
 *   31 30 32 32 00 | 72 6f 6f 74 00 | ...        "1022", "root"
 */
import { decimal, skipDigits } from "../../core/wire/text.ts";

/** Digits that are waited for. */
const MOST_DIGITS = 7;
/** With the NUL. */
export const LONGEST = MOST_DIGITS + 1;

export interface ErrorPort {
  /** 0: none; as it was written, above 65535 too. */
  readonly port: number;
  /** Behind the NUL. */
  readonly end: number;
}

/** null: not complete. */
export function parseErrorPort(payload: Uint8Array): ErrorPort | "not-rsh" | null {
  const end = skipDigits(payload, 0, Math.min(payload.length, LONGEST));
  if (end === payload.length && end <= MOST_DIGITS) return null;
  if (end > MOST_DIGITS || payload[end] !== 0) return "not-rsh";
  return { port: decimal(payload, 0, end), end: end + 1 };
}
