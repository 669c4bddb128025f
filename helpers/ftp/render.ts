/** What the helper writes: an announced end as its receiver must see it, and what stands in for a refused message. */
import type { Render } from "../../core/helper/api.ts";
import type { Endpoint } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";

const ZERO = 0x30;

/** The address that was written last, nearly always that of the one virtual service, and its text. */
let last = 0;
let lastText = "0,0,0,0";

function hostPort({ address, port }: Endpoint): string {
  const word = address.words[3];
  if (word !== last) {
    last = word;
    lastText = `${word >>> 24},${(word >>> 16) & 255},${(word >>> 8) & 255},${word & 255}`;
  }
  return `${lastText},${port >> 8},${port & 255}`;
}

export const renderHostPort: Render = (seen) => (seen.address.family === 4 ? hostPort(seen) : null);

/** With the server's own delimiter: some clients of IBM servers know no other. */
export function extendedRenderer(delimiter: number): Render {
  const d = String.fromCharCode(delimiter);
  return ({ port }) => `${d}${d}${d}${port}${d}`;
}

export const renderEprt = ({ address, port }: Endpoint): string =>
  `EPRT |${address.family === 4 ? 1 : 2}|${address}|${port}|`;

/** Towards a realserver of the other family a PORT becomes an EPRT. */
export const renderPort: Render = (seen) => (seen.address.family === 4 ? `PORT ${hostPort(seen)}` : renderEprt(seen));

/** A command that every server refuses by itself (RFC 959 §5.4: 500, 501), so that its reply is the server's own. */
export const REFUSED_COMMAND = "PORT 0,0,0,0,0,0";

/** RFC 959 §4.2.1: 425 Can't open data connection. */
export const refusedReply = (code: number, reason: string): string =>
  `${code} Can't open data connection: refused by the director (${reason}).\r\n`;

/** Each number up to 255 in decimal, and a comma behind it, as the bytes of a word; and how many they are. */
const OCTETS = new Int32Array(256);
const LENGTHS = new Uint8Array(256);
for (let value = 0; value < 256; value++) {
  const text = `${value},`;
  for (let i = 0; i < text.length; i++) OCTETS[value]! |= text.charCodeAt(i) << (8 * i);
  LENGTHS[value] = text.length;
}

/** The host-port of an IPv4 end into `out` from `at` on, as `renderHostPort`. Returns where it ends. */
export function writeHostPort({ low: word }: Address, port: number, out: DataView, at: number): number {
  let to = writeOctet(word >>> 24, out, at);
  to = writeOctet((word >>> 16) & 255, out, to);
  to = writeOctet((word >>> 8) & 255, out, to);
  to = writeOctet(word & 255, out, to);
  to = writeOctet(port >>> 8, out, to);
  return writeOctet(port & 255, out, to) - 1;
}

/** In decimal, and a comma behind it. Always four bytes, those that are too many are written over: nothing is to be guessed. */
function writeOctet(value: number, out: DataView, at: number): number {
  out.setInt32(at, OCTETS[value]!, true);
  return (at + LENGTHS[value]!) | 0;
}

/** The same of what `extendedRenderer` makes. */
export function writeExtended(delimiter: number, port: number, out: DataView, at: number): number {
  for (let i = 0; i < 3; i++) out.setUint8(at + i, delimiter);
  const to = writePort(port, out, at + 3);
  out.setUint8(to, delimiter);
  return to + 1;
}

/** In decimal. */
function writePort(port: number, out: DataView, at: number): number {
  let to = at + 1;
  for (let rest = port; rest > 9; rest = Math.floor(rest / 10)) to++;
  for (let i = to - 1, rest = port; i >= at; i--, rest = Math.floor(rest / 10)) out.setUint8(i, ZERO + (rest % 10));
  return to;
}
