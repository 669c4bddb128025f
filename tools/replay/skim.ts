/**
 * The short way through a capture: packets of plain Ethernet, counted where they lie from what their headers have at fixed
 * places. Nearly all packets go it, in a fraction of the time of `Tracker.frame`, which
 * is the way of all others and finds the same. What is to be looked at is shown to the tracker once it is counted.
 */
import { i32, u16, u32 } from "../../core/wire/bytes.ts";
import type { CaptureReader, Frame } from "../../core/wire/capture/reader.ts";
import * as ipv4 from "../../core/wire/ipv4.ts";
import * as ipv6 from "../../core/wire/ipv6.ts";
import type { Packet } from "../../core/wire/packet.ts";
import * as tcp from "../../core/wire/tcp.ts";
import { TUNNEL_PORTS } from "../../core/wire/tunnel.ts";
import * as udp from "../../core/wire/udp.ts";
import { A, B, COUNTED, type Flows, ROW, SILENT, tally, UNSEEN } from "./flows.ts";

const EN10MB = 1;
const ETHERNET = 14;
/** EtherType and version; in IPv4 a header without options. */
const PLAIN_IPV4 = 0x080045;
const PLAIN_IPV6 = 0x86dd60;
const SHORTEST = ETHERNET + ipv4.HEADER + udp.HEADER;
/** A reserved number: no protocol. */
const NONE = 255;
/** More fragments, or an offset. */
const FRAGMENT = 0x3fff;

/** By port, and by protocol, 1: may they carry packets? */
const TUNNEL = new Uint8Array(65_536);
for (const port of TUNNEL_PORTS) TUNNEL[port] = 1;
const CARRIES = new Uint8Array(256);
CARRIES[udp.PROTOCOL] = 1;

/** By protocol: bytes of the shortest header; 0: it has no ports. */
const LEAST_HEADER = new Uint8Array(256);
LEAST_HEADER[tcp.PROTOCOL] = tcp.HEADER;
LEAST_HEADER[udp.PROTOCOL] = udp.HEADER;

/** Whose short way it is. */
interface LongWay {
  readonly flows: Flows;
  /** By port: is a helper bound to it? */
  readonly bound: { readonly tcp: Uint8Array };
  frame(frame: Frame, number: number): void;
  opened(row: number, flags: number, sequence: number, acknowledgment: number): number;
  look(row: number, frame: Frame, number: number): void;
}

/** The family of a plain packet, whose header begins at `ip`, in a frame of `length` bytes; 0: it is not plain. */
function familyOf(bytes: Uint8Array, ip: number, length: number): 0 | 4 | 6 {
  if (length < SHORTEST) return 0;
  const type = i32(bytes, ip - 2) >>> 8;
  if (type === PLAIN_IPV4) return (u16(bytes, ip + 6) & FRAGMENT) === 0 ? 4 : 0;
  return (type & ~0x0f) === PLAIN_IPV6 && length >= SHORTEST + ipv6.HEADER - ipv4.HEADER ? 6 : 0;
}

/** Of a TCP or UDP header that is whole; 0: it is not. */
function headerLength(bytes: Uint8Array, protocol: number, at: number, end: number): number {
  const least = LEAST_HEADER[protocol]!;
  if (least === 0 || end - at < least) return 0;
  const length = protocol === tcp.PROTOCOL ? (bytes[at + 12]! >>> 4) << 2 : least;
  return length < least || length > end - at ? 0 : length;
}

export class Skimmer {
  readonly #longWay: LongWay;
  readonly #packet: Packet;
  readonly #words = new Uint32Array(8);

  /** `packet` is filled for what is to be looked at. */
  constructor(longWay: LongWay, packet: Packet) {
    this.#longWay = longWay;
    this.#packet = packet;
  }

  /** Counts the frames that come next, as long as `reader.find` finds them. */
  skim(reader: CaptureReader): void {
    if (reader.frame.linkType !== EN10MB) return;
    while (reader.find()) this.#count(reader);
  }

  /**
   * Those of `reader.extents`. One long function: what a packet needs stays in registers, and while the bytes of the next are
   * fetched from memory, the processor is busy with this one. As little as can be is done for some packets only: V8 throws
   * away what it optimized when it comes to where it never was, as when a long file's first datagram comes.
   */
  // biome-ignore lint/complexity: see above
  #count(reader: CaptureReader): void {
    const { bytes, extents } = reader;
    const { starts, ends, times, count } = extents;
    const before = reader.frames - count + 1;
    const longWay = this.#longWay;
    const { flows } = longWay;
    let { rows, floats, mark } = flows;
    // The ends of the row that was found last, where they are of IPv4: most packets come in bursts.
    let row = 0;
    let low = 0;
    let high = 0;
    let bothPorts = 0;
    let kind = NONE;
    for (let index = 0; index < count; index++) {
      const start = starts[index]!;
      const end = ends[index]!;
      const number = before + index;
      const ip = start + ETHERNET;
      const family = familyOf(bytes, ip, end - start);
      const protocol = family === 0 ? NONE : bytes[family === 4 ? ip + 9 : ip + 6]!;
      const transport = family === 4 ? ip + ipv4.HEADER : ip + ipv6.HEADER;
      const wireEnd = family === 0 ? 0 : family === 4 ? ip + u16(bytes, ip + 2) : transport + u16(bytes, ip + 4);
      const stop = wireEnd < end ? wireEnd : end;
      const header = headerLength(bytes, protocol, transport, stop);
      const ports = header === 0 ? 0 : i32(bytes, transport);
      const tunnel = (TUNNEL[ports >>> 16]! | TUNNEL[ports & 0xffff]!) & CARRIES[protocol]!;
      if (header === 0 || tunnel !== 0) {
        longWay.frame(reader.show(index), number);
        kind = NONE;
        continue;
      }
      let side: number;
      if (family === 4) {
        const source = i32(bytes, ip + ipv4.SOURCE);
        const destination = i32(bytes, ip + ipv4.DESTINATION);
        // Which way a packet goes nobody can foretell: a branch on it would be mistaken every other time, arithmetic never is.
        side = Number(source === destination ? ports >>> 16 > (ports & 0xffff) : source > destination);
        const exchanged = (source ^ destination) & -side;
        const lower = source ^ exchanged;
        const higher = destination ^ exchanged;
        const both = ports ^ ((ports ^ ((ports << 16) | (ports >>> 16))) & -side);
        if (kind !== protocol || bothPorts !== both || low !== lower || high !== higher) {
          row = flows.findIpv4(lower, higher, both, protocol);
          low = lower;
          high = higher;
          bothPorts = both;
          kind = protocol;
        }
      } else {
        for (let word = 0; word < 8; word++) this.#words[word] = i32(bytes, ip + ipv6.SOURCE + word * 4);
        row = flows.findIpv6(this.#words, ports, protocol);
        side = flows.sender - A;
        kind = NONE;
      }
      flows.sender = side === 0 ? A : B;
      const flags = protocol === tcp.PROTOCOL ? bytes[transport + 13]! : 0;
      if ((flags & tcp.SYN) !== 0)
        row = longWay.opened(row, flags, u32(bytes, transport + 4), u32(bytes, transport + 8));
      if (flows.rows !== rows) ({ rows, floats, mark } = flows);
      // What its header says is there is, so that nothing is negative.
      const payload = transport + header;
      tally(rows, floats, row * ROW, side, times[index]!, number, wireEnd - payload, flags);
      const silent = payload === stop && protocol === tcp.PROTOCOL;
      if (mark[row] === COUNTED || (silent && mark[row] === SILENT)) continue;
      this.#look(row, reader, index, number, transport, stop, wireEnd, protocol, silent);
    }
  }

  #look(
    row: number,
    reader: CaptureReader,
    index: number,
    number: number,
    transport: number,
    stop: number,
    wireEnd: number,
    protocol: number,
    silent: boolean,
  ): void {
    const { flows, bound } = this.#longWay;
    // No helper waits for one that says nothing: what the tracker's `look` would find, who has time to.
    if (silent && flows.mark[row] === UNSEEN && !flows.hasPort(row, bound.tcp)) {
      flows.mark[row] = SILENT;
      return;
    }
    const packet = this.#packet;
    packet.bytes = reader.bytes;
    packet.at = transport;
    packet.end = stop;
    packet.wireEnd = wireEnd;
    packet.protocol = protocol;
    this.#longWay.look(row, reader.show(index), number);
  }
}
