/** A stream of FTP as lines, the way different peers make lines of it. */

const IAC = "\xff";

/** To peers that speak telnet it may be another text. */
export const hidesBytes = (text: string): boolean => text.includes(IAC) || text.includes("\0");

/** Without NULs and telnet commands (RFC 854), as peers take them out that speak telnet. */
export function withoutTelnet(text: string): string {
  if (!hidesBytes(text)) return text;
  let out = "";
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "\0") continue;
    if (text[at] !== IAC) out += text[at];
    else if (text[at + 1] === IAC) {
      out += IAC;
      at++;
    } else at = lastOfCommand(text, at);
  }
  return out;
}

function lastOfCommand(text: string, at: number): number {
  const command = text.charCodeAt(at + 1);
  if (command === 0xfa) {
    const stop = text.indexOf("\xff\xf0", at + 2);
    return stop < 0 ? text.length : stop + 1;
  }
  return command >= 0xfb && command <= 0xfe ? at + 2 : at + 1;
}

/** The whole lines of `stream`: as they are, as telnet shows them, and as those end them to whom a bare CR is an end. */
export function* linesOf(stream: string): Generator<string> {
  for (let start = 0, end = stream.indexOf("\n"); end >= 0; start = end + 1, end = stream.indexOf("\n", start)) {
    const line = stream.slice(start, end);
    yield line;
    const shown = withoutTelnet(line);
    if (shown !== line) yield shown;
    for (const text of shown === line ? [line] : [line, shown]) {
      const parts = text.split("\r");
      if (parts.length > 2 || (parts.length === 2 && parts[1] !== "")) yield* parts;
    }
  }
}
