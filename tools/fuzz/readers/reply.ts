/** What clients may take from one reply line, in numbers: as `offersToClient` (ftp.ts) reads it, but without a text. */

const [NUL, LF, CR, SPACE, PLUS, COMMA, HYPHEN, IAC] = [0, 10, 13, 0x20, 0x2b, 0x2c, 0x2d, 0xff];
const [TWO, SEVEN, NINE] = [0x32, 0x37, 0x39];
const CODE = 3;
/** Telnet (RFC 854): subnegotiation, its end, and the commands that carry an option. */
const [SB, SE, WILL, DONT] = [0xfa, 0xf0, 0xfb, 0xfe];
/** In the place of an address: none is named. */
export const NOWHERE = -1;

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
/** C's isspace, which scanf skips before a number. */
const isSpace = (byte: number): boolean => byte === SPACE || (byte >= 9 && byte <= CR);

/** Nothing of it is hidden from some peers: no telnet bytes, and no CR but at its end. `lf`: where its LF is. */
export function isPlain(bytes: Uint8Array, at: number, lf: number): boolean {
  for (let i = at; i < lf; i++) {
    const byte = bytes[i]!;
    if (byte > CR && byte < IAC) continue;
    if (byte === NUL || byte === IAC || (byte === CR && i + 1 < lf)) return false;
  }
  return true;
}

/** Where the line at `at` ends; `end` where it does not end before it. */
export function endOfLine(bytes: Uint8Array, at: number, end: number): number {
  let lf = at;
  while (lf < end && bytes[lf] !== LF) lf++;
  return lf;
}

/**
 * The line `[at, lf)` into `out`, which is as long, as peers read it that take NULs and telnet commands out. Returns how long
 * it is then: as long as it was where there are none.
 */
function putShown(bytes: Uint8Array, at: number, lf: number, out: Uint8Array): number {
  let length = 0;
  for (let i = at; i < lf; i++) {
    const byte = bytes[i]!;
    if (byte === NUL) continue;
    if (byte !== IAC) out[length++] = byte;
    else if (i + 1 < lf && bytes[i + 1] === IAC) out[length++] = bytes[++i]!;
    else i = lastOfCommand(bytes, i, lf);
  }
  return length;
}

function lastOfCommand(bytes: Uint8Array, at: number, lf: number): number {
  const command = at + 1 < lf ? bytes[at + 1]! : NUL;
  if (command !== SB) return command >= WILL && command <= DONT ? at + 2 : at + 1;
  for (let i = at + 2; i + 1 < lf; i++) if (bytes[i] === IAC && bytes[i + 1] === SE) return i + 1;
  return lf;
}

/** The ends found in the line that was read last. */
export class ReplyReader {
  count = 0;
  /** `NOWHERE`, or NaN: none that there is. */
  readonly addresses: number[] = [];
  readonly ports: number[] = [];
  #bytes: Uint8Array = new Uint8Array(0);
  #end = 0;
  #shown = new Uint8Array(1024);
  /** Behind the number that was read last. */
  #behind = 0;

  /** Reads the plain line `[at, lf)`. */
  read(bytes: Uint8Array, at: number, lf: number): void {
    this.count = 0;
    this.#line(bytes, at, lf);
  }

  /** Reads the line `[at, lf)` as each peer does, as it is and as telnet shows it. */
  readVeiled(bytes: Uint8Array, at: number, lf: number): void {
    this.count = 0;
    this.#lines(bytes, at, lf);
    if (this.#shown.length < lf - at) this.#shown = new Uint8Array(2 * (lf - at));
    const length = putShown(bytes, at, lf, this.#shown);
    if (length < lf - at) this.#lines(this.#shown, 0, length);
  }

  /** As one line, and as those that it is to whom a bare CR is an end. */
  #lines(bytes: Uint8Array, at: number, lf: number): void {
    this.#line(bytes, at, lf);
    let start = at;
    for (let i = at; i < lf; i++) {
      if (bytes[i] !== CR || (start === at && i + 1 === lf)) continue;
      this.#line(bytes, start, i);
      start = i + 1;
    }
    if (start > at) this.#line(bytes, start, lf);
  }

  #line(bytes: Uint8Array, at: number, lf: number): void {
    if (lf - at < CODE || bytes[at] !== TWO || bytes[at + 1] !== TWO) return;
    const last = bytes[at + 2]!;
    if (last < SEVEN || last > NINE) return;
    this.#bytes = bytes;
    this.#end = lf;
    if (last === NINE) this.#extended(at + CODE);
    else this.#hostPorts(at + CODE);
  }

  /** Six numbers, anywhere. */
  #hostPorts(from: number): void {
    for (let at = from; at < this.#end; at++) {
      if (!isDigit(this.#bytes[at]!)) continue;
      at = this.#six(at) ? this.#behind : this.#skipDigits(at) - 1;
    }
  }

  #six(start: number): boolean {
    let [address, port, at] = [0, 0, start];
    for (let i = 0; i < 6; i++) {
      const first = i === 0 ? at : this.#skipBefore(at);
      const number = this.#number(first);
      if (this.#behind === first) return false;
      if (i < 4) address = number > 255 ? Number.NaN : address * 256 + number;
      else port = port * 256 + number;
      at = i < 5 ? this.#behindComma() : at;
      if (at === 0) return false;
    }
    this.#found(address, port);
    return true;
  }

  /** Of a comma that goes on with a number; 0: there is none. */
  #behindComma(): number {
    const comma = this.#skipSpace(this.#behind);
    return comma < this.#end && this.#bytes[comma] === COMMA ? comma + 1 : 0;
  }

  /** Three equal bytes and a number behind them, anywhere. */
  #extended(from: number): void {
    const bytes = this.#bytes;
    for (let at = from; at + 3 < this.#end; at++) {
      const mark = bytes[at]!;
      if (bytes[at + 1] !== mark || bytes[at + 2] !== mark || isDigit(mark) || isSpace(mark)) continue;
      const first = this.#skipBefore(at + 3);
      const port = this.#number(first);
      const end = this.#behind;
      if (end === first || end >= this.#end || bytes[end] !== mark) continue;
      this.#found(NOWHERE, port);
      at = end;
    }
  }

  #found(address: number, port: number): void {
    this.addresses[this.count] = address;
    this.ports[this.count++] = port;
  }

  /** The number at `at`, which ends `#behind`. */
  #number(at: number): number {
    let value = 0;
    let i = at;
    for (; i < this.#end && isDigit(this.#bytes[i]!); i++) value = value * 10 + this.#bytes[i]! - 0x30;
    this.#behind = i;
    return value;
  }

  #skipDigits(at: number): number {
    let i = at;
    while (i < this.#end && isDigit(this.#bytes[i]!)) i++;
    return i;
  }

  #skipSpace(at: number): number {
    let i = at;
    while (i < this.#end && isSpace(this.#bytes[i]!)) i++;
    return i;
  }

  /** scanf's %u skips blanks and takes a sign. */
  #skipBefore(at: number): number {
    const i = this.#skipSpace(at);
    return i < this.#end && (this.#bytes[i] === PLUS || this.#bytes[i] === HYPHEN) ? i + 1 : i;
  }
}
