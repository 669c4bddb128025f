import type { Endpoint } from "../../core/units.ts";
import { putU16, putU32 } from "../../core/wire/bytes.ts";
import { latin1 } from "../../core/wire/text.ts";
import { HEADER, INTERNET, INTERNET_V6, LAST_DISPLAY, X11 } from "./wire.ts";

/** The display number whose port is `port`, or null. */
export const displayAt = (port: number): number | null =>
  port >= X11 && port - X11 <= LAST_DISPLAY ? port - X11 : null;

export function u16Text(value: number): string {
  const bytes = new Uint8Array(2);
  putU16(bytes, 0, value);
  return latin1(bytes, 0, 2);
}

/**
 * A Request's bytes from its length to its last address: the same display at one address. `rest`: bytes of the body
 * behind the addresses.
 */
export function renderRequest({ address, port }: Endpoint, rest: number): string | null {
  const display = displayAt(port);
  if (display === null) return null;
  const raw = addressBytes(address.words, address.family);
  const family = address.family === 4 ? INTERNET : INTERNET_V6;
  const addresses = `\x01${u16Text(family)}\x01${u16Text(raw.length)}${latin1(raw, 0, raw.length)}`;
  return u16Text(2 + addresses.length + rest) + u16Text(display) + addresses;
}

function addressBytes(words: readonly number[], family: 4 | 6): Uint8Array {
  const bytes = new Uint8Array(16);
  for (const [index, word] of words.entries()) putU32(bytes, index * 4, word);
  return family === 4 ? bytes.subarray(12) : bytes;
}

/** Where the length of a body stands. */
export const LENGTH_AT = HEADER - 2;
