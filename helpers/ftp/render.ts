/** What the helper writes: an announced end as its receiver must see it, and what stands in for a refused message. */
import type { Render } from "../../core/helper/api.ts";
import type { Endpoint } from "../../core/units.ts";

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
