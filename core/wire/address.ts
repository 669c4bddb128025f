/**
 * IP addresses as values: four 32-bit words, IPv4 mapped into IPv6 (RFC 4291 §2.5.5.2), so that one comparison and one
 * table serve both families. Text is read strictly: no octal, no leading zeros, no missing parts, no zone
 * (`010.0.0.1` is 8.0.0.1 to some readers and 10.0.0.1 to others; a director must not guess).
 */

const MAPPED = 0x0000ffff;
const DOT = 0x2e;
const COLON = 0x3a;

export class Address {
  readonly family: 4 | 6;
  /** Most significant word first, each an unsigned 32-bit number. */
  readonly words: readonly [number, number, number, number];
  /** The last word, all of an IPv4 address, as a signed number: what differs in most addresses, and never needs memory. */
  readonly low: number;
  #text = "";

  private constructor(a: number, b: number, c: number, d: number) {
    this.words = [a >>> 0, b >>> 0, c >>> 0, d >>> 0];
    this.low = d | 0;
    this.family = a === 0 && b === 0 && c >>> 0 === MAPPED ? 4 : 6;
  }

  static ipv4(word: number): Address {
    return new Address(0, 0, MAPPED, word);
  }

  static ipv6(a: number, b: number, c: number, d: number): Address {
    return new Address(a, b, c, d);
  }

  /** From 4 or 16 bytes at `offset`, network byte order. */
  static fromBytes(bytes: Uint8Array, offset: number, family: 4 | 6): Address {
    const word = (at: number) =>
      ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
    if (family === 4) return Address.ipv4(word(offset));
    return new Address(word(offset), word(offset + 4), word(offset + 8), word(offset + 12));
  }

  /** The address that `text` names, or null. */
  static parse(text: string): Address | null {
    return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  }

  /** 0.0.0.0 or `::`. */
  get unspecified(): boolean {
    const [a, b, c, d] = this.words;
    return d === 0 && a === 0 && b === 0 && (c === 0 || this.family === 4);
  }

  equals(other: Address): boolean {
    if (this === other) return true;
    if (this.low !== other.low) return false;
    const { words } = this;
    const { words: others } = other;
    return words[2] === others[2] && words[1] === others[1] && words[0] === others[0];
  }

  /** The network of `prefix` bits that this address is in; `prefix` counts in the address's own family. */
  network(prefix: number): Address {
    const bits = this.family === 4 ? prefix + 96 : prefix;
    const masked = this.words.map((word, i) => {
      const keep = Math.min(32, Math.max(0, bits - i * 32));
      return keep === 0 ? 0 : (word & (0xffffffff << (32 - keep))) >>> 0;
    });
    return new Address(masked[0]!, masked[1]!, masked[2]!, masked[3]!);
  }

  /** Canonical text: dotted quad, or RFC 5952. */
  toString(): string {
    if (this.#text === "") this.#text = this.family === 4 ? ipv4Text(this.words[3]) : ipv6Text(this.words);
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }
}

const ipv4Text = (word: number): string => `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;

function ipv6Text(words: readonly number[]): string {
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  const { start, length } = longestZeroRun(groups);
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  if (length < 2) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

/** RFC 5952 §4.2.3: the longest run of zero groups is shortened, the first of equals. */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let i = 0; i < groups.length; i++) {
    let end = i;
    while (groups[end] === 0) end++;
    if (end - i > best.length) best = { start: i, length: end - i };
    if (end > i) i = end;
  }
  return best;
}

function parseIpv4(text: string): Address | null {
  const word = ipv4Word(text, 0);
  return word === null ? null : Address.ipv4(word);
}

/** `text` from `start` to its end as a dotted quad. */
function ipv4Word(text: string, start: number): number | null {
  let word = 0;
  let octets = 0;
  for (let at = start; octets < 4; octets++) {
    const begin = at;
    let octet = 0;
    while (at < text.length && isDigit(text.charCodeAt(at)) && at - begin < 3) {
      octet = octet * 10 + text.charCodeAt(at++) - 0x30;
    }
    const digits = at - begin;
    if (digits === 0 || octet > 255 || (digits > 1 && text.charCodeAt(begin) === 0x30)) return null;
    word = word * 256 + octet;
    if (octets === 3) return at === text.length ? word : null;
    if (text.charCodeAt(at++) !== DOT) return null;
  }
  return null;
}

function parseIpv6(text: string): Address | null {
  const gap = text.indexOf("::");
  if (gap < 0) {
    const groups = ipv6Groups(text);
    return groups?.length === 8 ? fromGroups(groups) : null;
  }
  // A dotted quad stands at the very end only (RFC 4291 §2.2).
  const quad = text.indexOf(".");
  if (quad >= 0 && quad < gap) return null;
  const head = gap === 0 ? [] : ipv6Groups(text.slice(0, gap));
  const tail = gap + 2 === text.length ? [] : ipv6Groups(text.slice(gap + 2));
  // `::` stands for at least one group (RFC 4291 §2.2).
  if (head === null || tail === null || head.length + tail.length > 7) return null;
  const zeros: number[] = new Array(8 - head.length - tail.length).fill(0);
  return fromGroups([...head, ...zeros, ...tail]);
}

const fromGroups = (g: readonly number[]): Address =>
  Address.ipv6((g[0]! << 16) | g[1]!, (g[2]! << 16) | g[3]!, (g[4]! << 16) | g[5]!, (g[6]! << 16) | g[7]!);

/** Groups between single colons; the last part may be a dotted quad (two groups). */
function ipv6Groups(text: string): number[] | null {
  const groups: number[] = [];
  for (let at = 0; groups.length < 8; at++) {
    const end = skipHex(text, at);
    if (text.charCodeAt(end) === DOT) {
      const word = ipv4Word(text, at);
      return word === null ? null : [...groups, word >>> 16, word & 0xffff];
    }
    if (end === at) return null;
    groups.push(Number.parseInt(text.slice(at, end), 16));
    if (end === text.length) return groups;
    if (text.charCodeAt(end) !== COLON) return null;
    at = end;
  }
  return null;
}

/** The end of a group that begins at `start`: at most four hexadecimal digits. */
function skipHex(text: string, start: number): number {
  let at = start;
  while (at < text.length && at - start < 4 && isHex(text.charCodeAt(at))) at++;
  return at;
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
const isHex = (code: number): boolean => isDigit(code) || ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x66);
