/** What the helper writes: an announced end as its receiver must see it, and what stands in for a refused message. */
import type { Render } from "../../core/helper/api.ts";
import type { Endpoint } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";

const COMMA = 0x2c;
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

/** The host-port of an IPv4 end into `out` from `at` on, as `renderHostPort`. Returns where it ends. */
export function writeHostPort({ words }: Address, port: number, out: Uint8Array, at: number): number {
  const word = words[3];
  let to = at;
  for (let shift = 24; shift >= 0; shift -= 8) {
    to = writeNumber((word >>> shift) & 255, out, to);
    out[to++] = COMMA;
  }
  to = writeNumber(port >> 8, out, to);
  out[to++] = COMMA;
  return writeNumber(port & 255, out, to);
}

/** The same of what `extendedRenderer` makes. */
export function writeExtended(delimiter: number, port: number, out: Uint8Array, at: number): number {
  for (let i = 0; i < 3; i++) out[at + i] = delimiter;
  const to = writeNumber(port, out, at + 3);
  out[to] = delimiter;
  return to + 1;
}

/** In decimal. */
function writeNumber(value: number, out: Uint8Array, at: number): number {
  const to = value < 10 ? at : writeNumber(Math.floor(value / 10), out, at);
  out[to] = ZERO + (value % 10);
  return to + 1;
}
