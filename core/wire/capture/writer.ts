/**
 * Writes pcapng (draft-ietf-opsawg-pcapng): one section, little-endian, times in nanoseconds, comments on packets. Each
 * function returns one block.
 */
const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

const Option = { END: 0, COMMENT: 1, NAME: 2, TIME_RESOLUTION: 9 } as const;
/** A negative power of ten. */
const NANOSECONDS = 9;
const MOST_COMMENT = 0xffff;

/** Raw IP: the packet begins with its IP header. */
export const LINK_TYPE_RAW = 101;

export const sectionHeader = (): Uint8Array =>
  // Version 1.0, and a length that is not known.
  block(SECTION_HEADER, [words(BYTE_ORDER_MAGIC, 1, 0xffffffff, 0xffffffff)]);

/** Of the next interface; they are numbered from 0. `name`: ASCII. */
export const interfaceDescription = (linkType: number, name: string): Uint8Array =>
  block(INTERFACE_DESCRIPTION, [
    words(linkType, 0),
    option(Option.NAME, encode(name)),
    option(Option.TIME_RESOLUTION, Uint8Array.of(NANOSECONDS)),
    option(Option.END, new Uint8Array(0)),
  ]);

/** A packet of interface `index`, captured so long after 1970-01-01 UTC. An empty comment is none. */
export function enhancedPacket(
  index: number,
  seconds: number,
  nanoseconds: number,
  packet: Uint8Array,
  comment: string,
): Uint8Array {
  const time = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
  const high = Number(time >> 32n);
  const low = Number(time & 0xffffffffn);
  const text = encode(comment).subarray(0, MOST_COMMENT);
  const options = text.length === 0 ? [] : [option(Option.COMMENT, text), option(Option.END, new Uint8Array(0))];
  return block(ENHANCED_PACKET, [words(index, high, low, packet.length, packet.length), padded(packet), ...options]);
}

function block(type: number, parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 12);
  const out = new Uint8Array(length);
  out.set(words(type, length), 0);
  let at = 8;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  out.set(words(length), at);
  return out;
}

function option(code: number, value: Uint8Array): Uint8Array {
  const out = new Uint8Array(4 + ((value.length + 3) & ~3));
  out.set(words((value.length << 16) | code), 0);
  out.set(value, 4);
  return out;
}

function padded(bytes: Uint8Array): Uint8Array {
  if ((bytes.length & 3) === 0) return bytes;
  const out = new Uint8Array((bytes.length + 3) & ~3);
  out.set(bytes);
  return out;
}

function words(...values: readonly number[]): Uint8Array {
  const out = new Uint8Array(values.length * 4);
  for (const [i, value] of values.entries()) {
    for (let k = 0; k < 4; k++) out[i * 4 + k] = value >>> (k * 8);
  }
  return out;
}

/** UTF-8. */
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
