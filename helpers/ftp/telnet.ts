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

/**
 * Puts the line `[0, end)` into `out` without NULs and telnet commands, IAC IAC being one byte 255. Returns how long it is
 * then.
 */
export function putPlain(line: Uint8Array, end: number, out: Uint8Array): number {
  let length = 0;
  for (let at = 0; at < end; ) {
    const byte = line[at]!;
    if (byte !== IAC) {
      if (byte !== NUL) out[length++] = byte;
      at++;
    } else if (isCommand(line, at, end)) {
      at = afterCommand(line, at, end);
    } else {
      out[length++] = byte;
      at += 2;
    }
  }
  return length;
}

/** Of an IAC. */
const isCommand = (line: Uint8Array, at: number, end: number): boolean => at + 1 >= end || line[at + 1] !== IAC;

/** How far telnet commands and NULs reach before the first other byte of the line `[0, end)`. */
export function skipTelnet(line: Uint8Array, end: number): number {
  let at = 0;
  while (at < end) {
    if (line[at] === NUL) at++;
    else if (line[at] === IAC && isCommand(line, at, end)) at = afterCommand(line, at, end);
    else break;
  }
  return at;
}

/** The first byte behind the telnet command at `at`. */
function afterCommand(line: Uint8Array, at: number, end: number): number {
  const command = at + 1 < end ? line[at + 1]! : 0;
  if (command === SB) {
    for (let stop = at + 2; stop + 1 < end; stop++) {
      if (line[stop] === IAC && line[stop + 1] === SE) return stop + 2;
    }
    return end;
  }
  return Math.min(end, at + (command >= WILL && command < IAC ? 3 : 2));
}
