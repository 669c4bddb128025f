/**
 * How peers read a line of FTP, all that is lenient in any of them at once. Nothing of the helper's is used here: what one
 * of these readers finds in a line, some client or server may act upon.
 */

/** What a reader takes a line to offer. `address` null: the speaker's own. */
export interface Read {
  readonly address: string | null;
  readonly port: number;
  readonly start: number;
  readonly end: number;
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
/** C's isspace, which scanf skips before a number. */
const isSpace = (code: number): boolean => code === 0x20 || (code >= 9 && code <= 13);

function skipSpace(text: string, at: number): number {
  while (isSpace(text.charCodeAt(at))) at++;
  return at;
}

function skipDigits(text: string, at: number): number {
  while (isDigit(text.charCodeAt(at))) at++;
  return at;
}

/** scanf's %u takes a sign. */
const skipSign = (text: string, at: number): number => (text[at] === "+" || text[at] === "-" ? at + 1 : at);

/** Six numbers with commas between them from `start` on, or null. Blanks and signs as scanf takes them. */
export function sixAt(text: string, start: number): Read | null {
  const numbers: number[] = [];
  let at = start;
  for (;;) {
    const first = numbers.length === 0 ? at : skipSign(text, skipSpace(text, at));
    const end = skipDigits(text, first);
    if (end === first) return null;
    numbers.push(Number(text.slice(first, end)));
    if (numbers.length === 6) return readOf(numbers, start, end);
    const comma = skipSpace(text, end);
    if (text[comma] !== ",") return null;
    at = comma + 1;
  }
}

const readOf = (numbers: readonly number[], start: number, end: number): Read => ({
  address: numbers.slice(0, 4).join("."),
  port: numbers[4]! * 256 + numbers[5]!,
  start,
  end,
});

/** All six numbers anywhere in `text`. */
export function sixIn(text: string): Read[] {
  const found: Read[] = [];
  for (let at = 0; at < text.length; at++) {
    if (!isDigit(text.charCodeAt(at))) continue;
    const read = sixAt(text, at);
    if (read === null) at = skipDigits(text, at) - 1;
    else {
      found.push(read);
      at = read.end;
    }
  }
  return found;
}

/** Three equal characters and a number behind them, as 229 has it, anywhere in `text`. */
export function extendedIn(text: string): Read[] {
  const found: Read[] = [];
  for (let at = 0; at + 3 < text.length; at++) {
    const d = text[at]!;
    if (isDigit(d.charCodeAt(0)) || isSpace(d.charCodeAt(0)) || text[at + 1] !== d || text[at + 2] !== d) continue;
    const first = skipSign(text, skipSpace(text, at + 3));
    const end = skipDigits(text, first);
    if (end === first || text[end] !== d) continue;
    found.push({ address: null, port: Number(text.slice(first, end)), start: at, end: end + 1 });
    at = end;
  }
  return found;
}

/** `|1|address|port|` from `start` on, or null. */
export function fieldsAt(text: string, start: number): (Read & { readonly family: string }) | null {
  const d = text[start];
  if (d === undefined) return null;
  const parts = text.slice(start + 1).split(d);
  if (parts.length < 4) return null;
  const [family, address, port] = parts as [string, string, string];
  const end = start + 4 + family.length + address.length + port.length;
  return skipDigits(port, 0) === port.length && port !== ""
    ? { family, address, port: Number(port), start, end }
    : null;
}
