/** core/flow/key.ts in this language: where in a key what is, in bytes, and its seeded hash, which is the same. */
import { SEED } from "../layout.ts";

export const LENGTH = 40;
export const SOURCE_PREFIX = 0;
export const DESTINATION_PREFIX = 12;
export const SOURCE = 24;
export const DESTINATION = 28;
export const PORTS = 32;
export const KIND = 36;

/** In KIND, beside the protocol. */
export const IPV6 = 0x100;

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
