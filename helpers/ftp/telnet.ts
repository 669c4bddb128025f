/**
 * FTP is spoken over telnet (RFC 959 §4), whose commands may stand anywhere in a line. Some peers take them out before
 * they read it, others do not, so what only shows without them is read, and never forwarded as it is.
 */

export const NUL = 0x00;
/** RFC 854: interpret as command; subnegotiation begin and end; WILL to DONT carry an option byte. */
export const IAC = 0xff;
const SB = 0xfa;
const SE = 0xf0;
const WILL = 0xfb;

/** The line without NULs and telnet commands, IAC IAC being one byte 255; `line` itself where it has none. */
export function plain(line: Uint8Array): Uint8Array {
  if (isPlain(line)) return line;
  const out = new Uint8Array(line.length);
  let length = 0;
  for (let at = 0; at < line.length; ) {
    const byte = line[at]!;
    if (byte === IAC && line[at + 1] !== IAC) {
      at = afterCommand(line, at);
      continue;
    }
    if (byte !== NUL) out[length++] = byte;
    at += byte === IAC ? 2 : 1;
  }
  return out.subarray(0, length);
}

function isPlain(line: Uint8Array): boolean {
  for (let at = 0; at < line.length; at++) if (line[at] === IAC || line[at] === NUL) return false;
  return true;
}

/** How far telnet commands and NULs reach before the line's first other byte. */
export function skipTelnet(line: Uint8Array): number {
  let at = 0;
  while (at < line.length) {
    if (line[at] === NUL) at++;
    else if (line[at] === IAC && line[at + 1] !== IAC) at = afterCommand(line, at);
    else break;
  }
  return at;
}

/** The first byte behind the telnet command at `at`. */
function afterCommand(line: Uint8Array, at: number): number {
  const command = line[at + 1] ?? 0;
  if (command === SB) {
    for (let stop = at + 2; stop + 1 < line.length; stop++) {
      if (line[stop] === IAC && line[stop + 1] === SE) return stop + 2;
    }
    return line.length;
  }
  return Math.min(line.length, at + (command >= WILL && command < IAC ? 3 : 2));
}
