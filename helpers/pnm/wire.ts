/**
 * PNM, the Progressive Networks streaming protocol (RealAudio), big-endian. It was never published as a standard; these
 * are the facts that NAT helpers have used since 1996 (IPFilter's ip_raudio_pxy.c, Linux's ip_masq_raudio.c).
 *
 *   client   "PNA" version(2)  { id(2) length(2) value }  0000  ...
 *   server   "PNA" version(2)  ...   at 7: "X", an error; at 11: 0007 and a port(2), the robust one
 */
import type { ByteRange } from "../../core/units.ts";
import { u16 } from "../../core/wire/bytes.ts";

const SIGNATURE = [0x50, 0x4e, 0x41];
/** "PNA" and the version. */
const HEADER = 5;
const LETTER_X = 0x58;

/** Options of the client that name a UDP port of its own. */
const PLAYER_PORT = 1;
const ROBUST_PORT = 7;

/** Whether these bytes open a PNM stream; null: more are needed to tell. */
export function isPnm(bytes: Uint8Array): boolean | null {
  for (const [at, byte] of SIGNATURE.entries()) {
    if (at >= bytes.length) return null;
    if (bytes[at] !== byte) return false;
  }
  return true;
}

/** An option that names a port: the whole of it, and its value. */
export interface PortOption extends ByteRange {
  readonly robust: boolean;
  readonly port: number;
  readonly value: ByteRange;
}

export interface Greeting {
  /** Behind the option that ends the list. */
  readonly end: number;
  readonly options: readonly PortOption[];
}

/** What the client opens with; null: it is not complete. */
export function parseGreeting(bytes: Uint8Array): Greeting | "bad-option" | null {
  const options: PortOption[] = [];
  for (let at = HEADER; ; ) {
    const end = optionEnd(bytes, at);
    if (end === null) return null;
    const id = u16(bytes, at);
    if (id === 0) return { end, options };
    if (id === PLAYER_PORT || id === ROBUST_PORT) {
      const robust = id === ROBUST_PORT;
      if (end !== at + 6 || options.some((other) => other.robust === robust)) return "bad-option";
      options.push({ start: at, end, robust, port: u16(bytes, at + 4), value: { start: at + 4, end } });
    }
    at = end;
  }
}

/** Behind the option at `at`; the one that ends the list has no length. Null: not all of it is here. */
function optionEnd(bytes: Uint8Array, at: number): number | null {
  if (at + 2 > bytes.length) return null;
  if (u16(bytes, at) === 0) return at + 2;
  const end = at + 4 > bytes.length ? Number.POSITIVE_INFINITY : at + 4 + u16(bytes, at + 2);
  return end > bytes.length ? null : end;
}

/** Bytes of the server's answer that are looked at. */
export const ANSWER = 15;

export interface Answer {
  readonly failed: boolean;
  /** Where it names its port for robust delivery; null: it does not. */
  readonly robust: { readonly port: number; readonly value: ByteRange } | null;
}

/** The beginning of the server's answer, `ANSWER` bytes of it where as many came. */
export function parseAnswer(bytes: Uint8Array): Answer {
  const failed = bytes[7] === LETTER_X;
  const named = !failed && bytes.length >= ANSWER && u16(bytes, 11) === ROBUST_PORT;
  return { failed, robust: named ? { port: u16(bytes, 13), value: { start: 13, end: 15 } } : null };
}
