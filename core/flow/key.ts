/**
 * Who talks to whom, as a packet has it, in ten 32-bit words; and their seeded hash.
 *
 *   0 1 2   source address, its first 96 bits (IPv6 only)
 *   3 4 5   destination address, its first 96 bits (IPv6 only)
 *   6       source address, its last 32 bits: all of an IPv4 one
 *   7       destination address, the same
 *   8       source port << 16 | destination port
 *   9       protocol, and IPV6 for that family
 *
 * IPv4 counts as mapped into IPv6: its first 96 bits are the same in every address, and so are neither stored, hashed
 * nor compared. The other six words stand last, so that an IPv4 key is the tail of an IPv6 one.
 */
export const KEY = 10;
export const SOURCE_PREFIX = 0;
export const DESTINATION_PREFIX = 3;
export const SOURCE = 6;
export const DESTINATION = 7;
export const PORTS = 8;
export const KIND = 9;

/** In KIND, beside the protocol. */
export const IPV6 = 0x100;
/** The bits of KIND that belong to the key; a row keeps others beside them. */
export const KIND_MASK = 0x1ff;

/** 64 bits from the host's randomness. */
export type HashSeed = readonly [number, number];

/**
 * HalfSipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; the 32-bit variant that Linux keeps
 * for its hash tables, Documentation/security/siphash.rst). A keyed pseudo-random function: who does not know the seed
 * cannot choose addresses and ports that collide, as he can with a seeded multiply-and-xor, where the seed only moves
 * the collisions. All keys of a family have one length, so the length is not hashed. Nor is KIND: two flows of the same ends
 * can differ in protocol only once, and a round less is a seventh of the time.
 */
export function hashKey(k0: number, k1: number, keys: Int32Array, at: number): number {
  // 32-bit integers from the start; of numbers that may be any, V8 adds in floating point, here and in all that follows.
  let v0 = k0 | 0;
  let v1 = k1 | 0;
  let v2 = 0x6c796765 ^ k0;
  let v3 = 0x74656462 ^ k1;
  const end = at + KIND;
  for (let i = (keys[at + KIND]! & IPV6) === 0 ? at + SOURCE : at; i < end; i++) {
    const word = keys[i]!;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  v2 ^= 0xff;
  // The same round three times more. A function of four results would allocate.
  for (let i = 0; i < 3; i++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  return v1 ^ v3;
}

/** The key of a packet that goes the other way. */
export function reverseKey(keys: Int32Array, at: number, to: Int32Array, toAt: number): void {
  for (let i = 0; i < 3; i++) {
    to[toAt + SOURCE_PREFIX + i] = keys[at + DESTINATION_PREFIX + i]!;
    to[toAt + DESTINATION_PREFIX + i] = keys[at + SOURCE_PREFIX + i]!;
  }
  to[toAt + SOURCE] = keys[at + DESTINATION]!;
  to[toAt + DESTINATION] = keys[at + SOURCE]!;
  const ports = keys[at + PORTS]!;
  to[toAt + PORTS] = (ports << 16) | (ports >>> 16);
  to[toAt + KIND] = keys[at + KIND]!;
}
