/** core/flow/key.ts in this language: where in a key what is, in bytes, and its seeded hash, which is the same. */
import { ENDS, SEED } from "../layout.ts";

export const LENGTH = 40;
export const SOURCE_PREFIX = 0;
export const DESTINATION_PREFIX = 12;
/** The destination follows. */
export const SOURCE = 24;
export const PORTS = 32;
export const KIND = 36;

/** In KIND, beside the protocol. */
export const IPV6 = 0x100;

/**
 * A key is written by 64 bits, as it is read: a processor that reads what it wrote in two pieces waits until both are in its
 * cache, and all that it wrote before. (Of `u32` throughout: of a signed word that was loaded asc makes a signed 64-bit one.)
 */
function put(at: usize, lower: u32, upper: u32): void {
  store<u64>(at, ((<u64>upper) << 32) | <u64>lower);
}

/** The key of a packet of IPv4 that goes from `source` to `destination`, to `at`. 1: its source is the higher end. */
export function putIpv4(at: usize, source: i32, destination: i32, ports: i32, protocol: i32): i32 {
  // Which way a packet goes nobody can foretell: a branch on it would be mistaken every other time, arithmetic never is.
  const side = i32(source === destination ? ports >>> 16 > (ports & 0xffff) : source > destination);
  const exchanged = (source ^ destination) & -side;
  put(at + SOURCE, source ^ exchanged, destination ^ exchanged);
  put(at + PORTS, ports ^ ((ports ^ rotl(ports, 16)) & -side), protocol);
  return side;
}

/** The same of IPv6, whose addresses are at `ENDS`. */
export function putIpv6(at: usize, ports: i32, protocol: i32): i32 {
  let unequal = ENDS;
  while (unequal < ENDS + 16 && load<i32>(unequal) === load<i32>(unequal + 16)) unequal += 4;
  const forward = unequal < ENDS + 16 ? load<u32>(unequal) < load<u32>(unequal + 16) : ports >>> 16 <= (ports & 0xffff);
  const lower = forward ? ENDS : ENDS + 16;
  const higher = forward ? ENDS + 16 : ENDS;
  put(at + SOURCE_PREFIX, load<u32>(lower), load<u32>(lower + 4));
  put(at + SOURCE_PREFIX + 8, load<u32>(lower + 8), load<u32>(higher));
  put(at + DESTINATION_PREFIX + 4, load<u32>(higher + 4), load<u32>(higher + 8));
  put(at + SOURCE, load<u32>(lower + 12), load<u32>(higher + 12));
  put(at + PORTS, forward ? ports : rotl(ports, 16), protocol | IPV6);
  return i32(!forward);
}

/** Of keys of IPv4 what stands before `SOURCE` is nothing. */
export function equalKeys(one: usize, other: usize): bool {
  if (load<i64>(one + PORTS) !== load<i64>(other + PORTS) || load<i64>(one + SOURCE) !== load<i64>(other + SOURCE)) {
    return false;
  }
  if (load<i32>(other + KIND) < IPV6) return true;
  for (let at = 0; at < SOURCE; at += 8) if (load<i64>(one + at) !== load<i64>(other + at)) return false;
  return true;
}

/** HalfSipHash-1-3 of the key at `at`: a round for each word but the last, and three more. */
export function hashKey(at: usize): i32 {
  const k0 = load<i32>(SEED);
  const k1 = load<i32>(SEED + 4);
  let v0 = k0;
  let v1 = k1;
  let v2 = 0x6c796765 ^ k0;
  let v3 = 0x74656462 ^ k1;
  for (let from = (load<i32>(at + KIND) & IPV6) === 0 ? SOURCE : 0; from < KIND + 12; from += 4) {
    const word = from < KIND ? load<i32>(at + from) : 0;
    if (from === KIND) v2 ^= 0xff;
    v3 ^= word;
    v0 += v1;
    v1 = rotl(v1, 5) ^ v0;
    v0 = rotl(v0, 16);
    v2 += v3;
    v3 = rotl(v3, 8) ^ v2;
    v0 += v3;
    v3 = rotl(v3, 7) ^ v0;
    v2 += v1;
    v1 = rotl(v1, 13) ^ v2;
    v2 = rotl(v2, 16);
    v0 ^= word;
  }
  return v1 ^ v3;
}
