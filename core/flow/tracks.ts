/**
 * Fragmented datagrams, tracked: the first fragment, which has the ports, finds the flow, and the others follow it by
 * addresses and identification, as large as they came. Only what has to be seen whole is gathered (`GATHERED`).
 *
 * Each datagram has a bit for each 8 bytes, so what overlaps is seen exactly: the fragment is dropped, and all that come
 * after it (RFC 5722 §4 for IPv6; for IPv4 because no sender makes such, only who wants the two ends to read different
 * bytes, RFC 1858 §4). An exact repetition only is dropped itself. What comes before its first is `EARLY`: see held.ts.
 *
 * So many datagrams at once; the oldest gives way.
 */
import type { Ms } from "../units.ts";
import {
  DESTINATION,
  DESTINATION_PREFIX,
  type HashSeed,
  hashKey,
  IPV6,
  KEY,
  KIND,
  PORTS,
  SOURCE,
  SOURCE_PREFIX,
} from "./key.ts";

/** Datagrams tracked. A power of two. With their bits less than the 4 MiB that fragments may cost. */
const TRACKS = 256;
/** As ip_fragment.c's ipfrag_time. */
const PATIENCE = 30_000;
/** 65,536 bytes, one bit for eight of them, in words of 32. */
const WORDS = 65_536 / 8 / 32;

/** From `follow`, when there is no handle to return. Handles are positive. */
export const EARLY = 0;
export const REPEATED = -1;
export const OVERLAP = -2;
/** In place of a handle: no flow's, but of a datagram that goes nowhere before it is whole. No handle is so small. */
export const GATHERED = 1;

export class Tracks {
  readonly #keys = new Int32Array(TRACKS * KEY);
  readonly #handles = new Float64Array(TRACKS);
  readonly #directions = new Uint8Array(TRACKS);
  readonly #ends = new Float64Array(TRACKS);
  /** Where the datagram ends, once its last fragment came; else 0. */
  readonly #totals = new Int32Array(TRACKS);
  /** Bytes that came. */
  readonly #lengths = new Int32Array(TRACKS);
  readonly #poisoned = new Uint8Array(TRACKS);
  readonly #seen = new Uint32Array(TRACKS * WORDS);
  /** Chains by hash: track + 1 of the first, and of the next after each. */
  readonly #heads = new Int32Array(TRACKS);
  readonly #nexts = new Int32Array(TRACKS);
  readonly #hashes = new Int32Array(TRACKS);
  readonly #k0: number;
  readonly #k1: number;
  #next = 0;
  /** Of the datagram that `follow` returned the handle of. */
  direction = 0;
  /** That datagram has all its bytes now. */
  whole = false;

  constructor([k0, k1]: HashSeed) {
    this.#k0 = k0;
    this.#k1 = k1;
  }

  /** The datagram whose key at `at` has its identification in place of ports belongs to `handle`. */
  begin(keys: Int32Array, at: number, handle: number, direction: number, now: Ms): void {
    const hash = hashKey(this.#k0, this.#k1, keys, at);
    const track = this.#next;
    this.#next = (track + 1) & (TRACKS - 1);
    this.#forget(track);
    for (let i = 0; i < KEY; i++) this.#keys[track * KEY + i] = keys[at + i]!;
    this.#handles[track] = handle;
    this.#directions[track] = direction;
    this.#ends[track] = now + PATIENCE;
    this.#totals[track] = 0;
    this.#lengths[track] = 0;
    this.#poisoned[track] = 0;
    this.#seen.fill(0, track * WORDS, (track + 1) * WORDS);
    const bucket = hash & (TRACKS - 1);
    this.#hashes[track] = hash;
    this.#nexts[track] = this.#heads[bucket]!;
    this.#heads[bucket] = track + 1;
  }

  /** Bytes `[start, end)` of a tracked datagram came: its handle, or why they go nowhere. */
  follow(keys: Int32Array, at: number, start: number, end: number, last: boolean, now: Ms): number {
    const track = this.#find(keys, at, now);
    if (track < 0) return EARLY;
    if (this.#poisoned[track] === 1) return OVERLAP;
    const placed = this.#place(track, start, end, last);
    if (placed === OVERLAP) this.#poisoned[track] = 1;
    if (placed !== 0) return placed;
    this.direction = this.#directions[track]!;
    this.#lengths[track]! += end - start;
    this.whole = this.#lengths[track] === this.#totals[track];
    return this.#handles[track]!;
  }

  /** Whether a datagram with this key is tracked. */
  has(keys: Int32Array, at: number, now: Ms): boolean {
    return this.#find(keys, at, now) >= 0;
  }

  #find(keys: Int32Array, at: number, now: Ms): number {
    const hash = hashKey(this.#k0, this.#k1, keys, at);
    for (let next = this.#heads[hash & (TRACKS - 1)]!; next !== 0; next = this.#nexts[next - 1]!) {
      const track = next - 1;
      if (this.#hashes[track] === hash && this.#ends[track]! > now && this.#same(track, keys, at)) return track;
    }
    return -1;
  }

  #same(track: number, keys: Int32Array, at: number): boolean {
    const from = (keys[at + KIND]! & IPV6) === 0 ? SOURCE : 0;
    for (let i = from; i < KEY; i++) if (this.#keys[track * KEY + i] !== keys[at + i]) return false;
    return true;
  }

  /** 0: new bytes, all of them. */
  #place(track: number, start: number, end: number, last: boolean): number {
    const total = this.#totals[track]!;
    // RFC 8200 §4.5: all but the last are multiples of eight bytes.
    if (end <= start || end > 65_535 || (!last && (end & 7) !== 0)) return OVERLAP;
    if (total !== 0 && (last ? end !== total : end > total)) return OVERLAP;
    const first = start >>> 3;
    const stop = (end + 7) >>> 3;
    let known = 0;
    for (let unit = first; unit < stop; unit++) known += this.#bit(track, unit);
    if (known > 0) return known === stop - first ? REPEATED : OVERLAP;
    for (let unit = first; unit < stop; unit++) this.#seen[track * WORDS + (unit >>> 5)]! |= 1 << (unit & 31);
    if (last) this.#totals[track] = end;
    return 0;
  }

  #bit(track: number, unit: number): number {
    return (this.#seen[track * WORDS + (unit >>> 5)]! >>> (unit & 31)) & 1;
  }

  /** Takes `track` out of its chain, if it is in one. */
  #forget(track: number): void {
    if (this.#ends[track] === 0) return;
    this.#ends[track] = 0;
    const bucket = this.#hashes[track]! & (TRACKS - 1);
    if (this.#heads[bucket] === track + 1) {
      this.#heads[bucket] = this.#nexts[track]!;
      return;
    }
    for (let next = this.#heads[bucket]!; next !== 0; next = this.#nexts[next - 1]!) {
      if (this.#nexts[next - 1] === track + 1) this.#nexts[next - 1] = this.#nexts[track]!;
    }
  }
}

/** The key at `at` with the datagram's identification in place of its ports. */
export function identify(keys: Int32Array, at: number, identification: number, to: Int32Array): void {
  for (let i = 0; i < 3; i++) {
    to[SOURCE_PREFIX + i] = keys[at + SOURCE_PREFIX + i]!;
    to[DESTINATION_PREFIX + i] = keys[at + DESTINATION_PREFIX + i]!;
  }
  to[SOURCE] = keys[at + SOURCE]!;
  to[DESTINATION] = keys[at + DESTINATION]!;
  to[PORTS] = identification;
  to[KIND] = keys[at + KIND]!;
}
