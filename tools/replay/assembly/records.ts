/** The records of a capture, as core/wire/capture/ takes them one by one: where the frame of the next one lies, and its time. */
import { BIG, FORMAT, INTERFACE, OFFSET, PCAP, TICKS_PER_SECOND } from "../layout.ts";

const LONGEST_FRAME: u32 = 262144;
const PCAP_HEADER = 16;
const ENHANCED_PACKET = 6;
const PACKET_DATA = 28;
const SHORTEST_PACKET: u32 = 32;
const LONGEST_BLOCK: u32 = 16777216;

/** Of the record that was taken last: its frame's bytes, and seconds since 1970-01-01 UTC. */
export let frame: i32 = 0;
export let frameEnd: i32 = 0;
export let time: f64 = 0;

/** Where the record at `at` ends, if it is whole, sound and of the common kind; 0: it is not. */
export function take(at: i32, end: i32): i32 {
  return load<i32>(FORMAT) === PCAP ? takePcap(at, end) : takePcapng(at, end);
}

/** In the byte order of the file. */
function u32Of(at: i32): u32 {
  const word = load<u32>(at);
  return load<i32>(BIG) === 0 ? word : bswap<u32>(word);
}

function takePcap(at: i32, end: i32): i32 {
  if (end - at < PCAP_HEADER) return 0;
  frame = at + PCAP_HEADER;
  const length = u32Of(at + 8);
  if (length > LONGEST_FRAME || <i32>length > end - frame) return 0;
  frameEnd = frame + length;
  const nanosecondsPerTick = 1e9 / load<f64>(TICKS_PER_SECOND);
  time = <f64>u32Of(at) + (<f64>u32Of(at + 4) * nanosecondsPerTick) / 1e9;
  return frameEnd;
}

/** An enhanced packet block of the same interface as the packet before. */
function takePcapng(at: i32, end: i32): i32 {
  if (end - at < <i32>SHORTEST_PACKET || u32Of(at) !== ENHANCED_PACKET || u32Of(at + 8) !== load<u32>(INTERFACE))
    return 0;
  const total = u32Of(at + 4);
  if (total < SHORTEST_PACKET || (total & 3) !== 0 || total > LONGEST_BLOCK || <i32>total > end - at) return 0;
  if (u32Of(at + total - 4) !== total) return 0;
  const length = u32Of(at + 20);
  if (length > LONGEST_FRAME || length > total - SHORTEST_PACKET) return 0;
  frame = at + PACKET_DATA;
  frameEnd = frame + length;
  time = timeOf(((<u64>u32Of(at + 12)) << 32) | u32Of(at + 16));
  return at + total;
}

function timeOf(ticks: u64): f64 {
  const ticksPerSecond = load<f64>(TICKS_PER_SECOND);
  const seconds = ticks / <u64>ticksPerSecond;
  const rest = <f64>(ticks - seconds * <u64>ticksPerSecond);
  return <f64>seconds + load<f64>(OFFSET) + floor((rest / ticksPerSecond) * 1e9) / 1e9;
}
