/**
 * The short way through a capture: packets of plain Ethernet, counted where they lie from what their headers have at fixed
 * places. Nearly all packets go it, in a fraction of the time of `Tracker.frame`, which
 * is the way of all others and finds the same. What is to be looked at is shown to the tracker once it is counted.
 */
import type { CaptureReader, Frame } from "../../core/wire/capture/reader.ts";
import * as ipv4 from "../../core/wire/ipv4.ts";
import * as ipv6 from "../../core/wire/ipv6.ts";
import type { Packet } from "../../core/wire/packet.ts";
import * as tcp from "../../core/wire/tcp.ts";
import { tunnelIn } from "../../core/wire/tunnel.ts";
import * as udp from "../../core/wire/udp.ts";
import { A, B, COUNTED, type Flows, ROW, SILENT, tally } from "./flows.ts";

const EN10MB = 1;
const ETHERNET = 14;
/** EtherType and version; in IPv4 a header without options. */
const PLAIN_IPV4 = 0x080045;
const PLAIN_IPV6 = 0x86dd60;
const SHORTEST = ETHERNET + ipv4.HEADER + udp.HEADER;
/** No protocol. */
const NONE = -1;
/** More fragments, or an offset. */
const FRAGMENT = 0x3fff;

/** Whose short way it is. */
interface LongWay {
  readonly flows: Flows;
  frame(frame: Frame, number: number): void;
  opened(row: number, flags: number, sequence: number, acknowledgment: number): number;
  look(row: number, frame: Frame, number: number): void;
}

/** The family of a plain packet, whose header begins at `ip`, in a frame of `length` bytes; 0: it is not plain. */
function familyOf(view: DataView, ip: number, length: number): 0 | 4 | 6 {
  if (length < SHORTEST) return 0;
  const type = view.getInt32(ip - 2) >>> 8;
  if (type === PLAIN_IPV4) return (view.getUint16(ip + 6) & FRAGMENT) === 0 ? 4 : 0;
  return (type & ~0x0f) === PLAIN_IPV6 && length >= SHORTEST + ipv6.HEADER - ipv4.HEADER ? 6 : 0;
}

/** Of a TCP or UDP header that is whole and of no tunnel; 0: it is not. */
function headerLength(view: DataView, protocol: number, at: number, end: number): number {
  if (protocol === tcp.PROTOCOL) {
    const length = end - at < tcp.HEADER ? 0 : (view.getUint8(at + 12) >>> 4) << 2;
    return length < tcp.HEADER || length > end - at ? 0 : length;
  }
  if (protocol !== udp.PROTOCOL || end - at < udp.HEADER) return 0;
  return tunnelIn(view.getUint16(at), view.getUint16(at + 2)) === null ? udp.HEADER : 0;
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

  /**
   * Counts the frames that `reader.step` finds. One long function: what a packet needs stays in registers, and while the
   * bytes of the next are fetched from memory, the processor is busy with this one. In batches, records first, then packets,
   * it waited for each.
   */
  // biome-ignore lint/complexity: see above
  skim(reader: CaptureReader): void {
    if (reader.frame.linkType !== EN10MB) return;
    const { view, extent } = reader;
    const { flows } = this.#longWay;
    let { rows, floats, mark } = flows;
    // The ends of the row that was found last, where they are of IPv4: most packets come in bursts.
    let row = 0;
    let low = 0;
    let high = 0;
    let bothPorts = 0;
    let kind = NONE;
    while (reader.step()) {
      const { start, end, time } = extent;
      const ip = start + ETHERNET;
      const family = familyOf(view, ip, end - start);
      const protocol = family === 0 ? NONE : view.getUint8(family === 4 ? ip + 9 : ip + 6);
      const transport = family === 4 ? ip + ipv4.HEADER : ip + ipv6.HEADER;
      const wireEnd =
        family === 0 ? 0 : family === 4 ? ip + view.getUint16(ip + 2) : transport + view.getUint16(ip + 4);
      const stop = wireEnd < end ? wireEnd : end;
      const header = headerLength(view, protocol, transport, stop);
      if (header === 0) {
        this.#longWay.frame(reader.show(), reader.frames);
        kind = NONE;
        continue;
      }
      const ports = view.getInt32(transport);
      let byA: boolean;
      if (family === 4) {
        const source = view.getInt32(ip + ipv4.SOURCE);
        const destination = view.getInt32(ip + ipv4.DESTINATION);
        byA = source < destination || (source === destination && ports >>> 16 <= (ports & 0xffff));
        const lower = byA ? source : destination;
        const higher = byA ? destination : source;
        const both = byA ? ports : (ports << 16) | (ports >>> 16);
        if (kind !== protocol || bothPorts !== both || low !== lower || high !== higher) {
          row = flows.findIpv4(lower, higher, both, protocol);
          low = lower;
          high = higher;
          bothPorts = both;
          kind = protocol;
        }
      } else {
        for (let word = 0; word < 8; word++) this.#words[word] = view.getInt32(ip + ipv6.SOURCE + word * 4);
        row = flows.findIpv6(this.#words, ports, protocol);
        byA = flows.sender === A;
        kind = NONE;
      }
      const flags = protocol === tcp.PROTOCOL ? view.getUint8(transport + 13) : 0;
      flows.sender = byA ? A : B;
      if ((flags & tcp.SYN) !== 0) {
        row = this.#longWay.opened(row, flags, view.getUint32(transport + 4), view.getUint32(transport + 8));
      }
      if (flows.rows !== rows) ({ rows, floats, mark } = flows);
      const payload = transport + header;
      const bytes = wireEnd > payload ? wireEnd - payload : 0;
      tally(rows, floats, row * ROW, byA, time, reader.frames, bytes, flags);
      if (mark[row] === COUNTED || (mark[row] === SILENT && payload === stop)) continue;
      this.#look(row, reader.show(), reader.frames, transport, stop, wireEnd, protocol);
    }
  }

  #look(
    row: number,
    frame: Frame,
    number: number,
    transport: number,
    stop: number,
    wireEnd: number,
    protocol: number,
  ): void {
    const packet = this.#packet;
    packet.bytes = frame.bytes;
    packet.at = transport;
    packet.end = stop;
    packet.wireEnd = wireEnd;
    packet.protocol = protocol;
    this.#longWay.look(row, frame, number);
  }
}
