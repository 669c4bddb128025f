/**
 * TCP options, by offset: maximum segment size (RFC 9293 §3.7.1), window scale and timestamps (RFC 7323), selective
 * acknowledgments (RFC 2018).
 *
 *     +--------+--------+---------+--------+
 *     |  Kind  | Length |   value ...      |      kinds 0 (end) and 1 (no operation) are that byte alone
 *     +--------+--------+---------+--------+
 */
import { putU32, u16, u32 } from "./bytes.ts";
import { HEADER, headerLength } from "./tcp.ts";

const END = 0;
const NO_OPERATION = 1;
const MSS = 2;
const WINDOW_SCALE = 3;
const SACK_PERMITTED = 4;
export const SACK = 5;
const TIMESTAMPS = 8;

/** A larger shift is as this one (RFC 7323 §2.3). */
const MOST_SHIFT = 14;
/** Options of a header. */
export const MOST_OPTIONS = 40;
const MOST_BLOCKS = 4;
/** With two bytes in front that align them. */
export const TIMESTAMPS_LENGTH = 12;
const ALIGNED_TIMESTAMPS = 0x0101080a;

/** Where the option `kind` of the header at `at` stands, or -1. What follows a malformed option is not read. */
export function findOption(bytes: Uint8Array, at: number, kind: number): number {
  const end = at + headerLength(bytes, at);
  for (let i = at + HEADER; i < end; i = nextOption(bytes, i, end)) if (bytes[i] === kind) return whole(bytes, i, end);
  return -1;
}

const whole = (bytes: Uint8Array, i: number, end: number): number => (nextOption(bytes, i, end) <= end ? i : -1);

/** Behind the option at `i`; beyond `end` when that is malformed, or the last. */
function nextOption(bytes: Uint8Array, i: number, end: number): number {
  const kind = bytes[i]!;
  if (kind === NO_OPERATION) return i + 1;
  if (kind === END || i + 1 >= end || bytes[i + 1]! < 2) return end + 1;
  return i + bytes[i + 1]!;
}

/** What a header's options say; filled anew by each `read`. */
export class TcpOptions {
  /** Bytes; 0: not said. */
  mss = 0;
  /** -1: not said. */
  windowScale = -1;
  sackPermitted = false;
  timestamps = false;
  value = 0;
  echo = 0;
  /** Blocks in `edges`: left and right edge of each, as sequence numbers. */
  blocks = 0;
  readonly edges = new Uint32Array(2 * MOST_BLOCKS);

  read(bytes: Uint8Array, at: number): void {
    this.mss = 0;
    this.windowScale = -1;
    this.sackPermitted = false;
    this.timestamps = false;
    this.blocks = 0;
    const end = at + headerLength(bytes, at);
    let i = at + HEADER;
    while (i < end) {
      const next = nextOption(bytes, i, end);
      if (next > end) return;
      if (next > i + 1) this.#option(bytes, i, next - i);
      i = next;
    }
  }

  #option(bytes: Uint8Array, i: number, length: number): void {
    const kind = bytes[i]!;
    if (kind === TIMESTAMPS && length === 10) {
      this.timestamps = true;
      this.value = u32(bytes, i + 2);
      this.echo = u32(bytes, i + 6);
    } else if (kind === SACK && (length & 7) === 2) {
      this.blocks = Math.min((length - 2) >> 3, MOST_BLOCKS);
      for (let k = 0; k < this.blocks * 2; k++) this.edges[k] = u32(bytes, i + 2 + k * 4);
    } else if (kind === MSS && length === 4) this.mss = u16(bytes, i + 2);
    else if (kind === WINDOW_SCALE && length === 3) this.windowScale = Math.min(bytes[i + 2]!, MOST_SHIFT);
    else if (kind === SACK_PERMITTED && length === 2) this.sackPermitted = true;
  }
}

/** Whether the options of the header at `at` are timestamps, aligned as `putTimestamps` does, and nothing else. */
export const hasTimestampsOnly = (bytes: Uint8Array, at: number): boolean =>
  headerLength(bytes, at) === HEADER + TIMESTAMPS_LENGTH && u32(bytes, at + HEADER) === ALIGNED_TIMESTAMPS;

/** The clock of such a header's sender. */
export const timestampOf = (bytes: Uint8Array, at: number): number => u32(bytes, at + HEADER + 4);

/** Writes timestamps at `at`, aligned. Returns where they end. */
export function putTimestamps(bytes: Uint8Array, at: number, value: number, echo: number): number {
  putU32(bytes, at, ALIGNED_TIMESTAMPS);
  putU32(bytes, at + 4, value);
  putU32(bytes, at + 8, echo);
  return at + TIMESTAMPS_LENGTH;
}

/** Writes the first `blocks` of `edges` at `at`, aligned. Returns where they end. */
export function putSack(bytes: Uint8Array, at: number, edges: Uint32Array, blocks: number): number {
  putU32(bytes, at, 0x01010500 | (2 + blocks * 8));
  for (let k = 0; k < blocks * 2; k++) putU32(bytes, at + 4 + k * 4, edges[k]!);
  return at + 4 + blocks * 8;
}
