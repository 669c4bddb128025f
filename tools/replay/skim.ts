/**
 * The short way through a capture: records of a pcap file walked where they lie, and packets of plain Ethernet counted from
 * what their headers have at fixed places. Nearly all packets go it, in a fraction of the time of `Tracker.frame`, which
 * is the way of all others and finds the same. What is to be looked at is shown to the tracker once it is counted.
 */
import { BATCH, type FrameBatch } from "../../core/wire/capture/batch.ts";
import type { CaptureReader, Frame } from "../../core/wire/capture/reader.ts";
import * as ipv4 from "../../core/wire/ipv4.ts";
import * as ipv6 from "../../core/wire/ipv6.ts";
import type { Packet } from "../../core/wire/packet.ts";
import * as tcp from "../../core/wire/tcp.ts";
import { tunnelIn } from "../../core/wire/tunnel.ts";
import * as udp from "../../core/wire/udp.ts";
import { COUNTED, type Flows, SILENT } from "./flows.ts";

const EN10MB = 1;
const ETHERNET = 14;
/** EtherType and version; in IPv4 a header without options. */
const PLAIN_IPV4 = 0x080045;
const PLAIN_IPV6 = 0x86dd60;
const SHORTEST = ETHERNET + ipv4.HEADER + udp.HEADER;
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

/** Where in its frame a plain packet has what, for all packets of a batch. */
class Headers {
  /** 0: this packet is not plain. */
  readonly transports = new Int32Array(BATCH);
  readonly payloads = new Int32Array(BATCH);
  /** Where its payload ended on the wire. */
  readonly wireEnds = new Int32Array(BATCH);
  readonly protocols = new Uint8Array(BATCH);

  read({ view, starts, ends, count, linkType }: FrameBatch): void {
    const { transports, payloads, wireEnds, protocols } = this;
    for (let i = 0; i < count; i++) {
      const ip = starts[i]! + ETHERNET;
      const end = ends[i]!;
      const family = linkType === EN10MB ? familyOf(view, ip, end - ip + ETHERNET) : 0;
      transports[i] = 0;
      if (family === 0) continue;
      const transport = ip + (family === 4 ? ipv4.HEADER : ipv6.HEADER);
      const protocol = view.getUint8(family === 4 ? ip + 9 : ip + 6);
      const wireEnd = family === 4 ? ip + view.getUint16(ip + 2) : transport + view.getUint16(ip + 4);
      const header = headerLength(view, protocol, transport, wireEnd < end ? wireEnd : end);
      if (header === 0) continue;
      transports[i] = transport;
      payloads[i] = transport + header;
      wireEnds[i] = wireEnd;
      protocols[i] = protocol;
    }
  }
}

export class Skimmer {
  readonly #longWay: LongWay;
  readonly #packet: Packet;
  readonly #headers = new Headers();
  readonly #words = new Uint32Array(8);

  /** `packet` is filled for what is to be looked at. */
  constructor(longWay: LongWay, packet: Packet) {
    this.#longWay = longWay;
    this.#packet = packet;
  }

  /** Counts the frames of `reader.batch`. */
  skim(reader: CaptureReader): void {
    const { batch } = reader;
    const { view, ends, times, count } = batch;
    const { transports, payloads, wireEnds, protocols } = this.#headers;
    const { flows } = this.#longWay;
    const first = reader.frames - count + 1;
    this.#headers.read(batch);
    for (let i = 0; i < count; i++) {
      const transport = transports[i]!;
      if (transport === 0) {
        reader.show(i);
        this.#longWay.frame(reader.frame, first + i);
        continue;
      }
      const protocol = protocols[i]!;
      const payload = payloads[i]!;
      const wireEnd = wireEnds[i]!;
      const isTcp = protocol === tcp.PROTOCOL;
      const flags = isTcp ? view.getUint8(transport + 13) : 0;
      let row = this.#row(view, batch.starts[i]! + ETHERNET, transport, protocol);
      if ((flags & tcp.SYN) !== 0) row = this.#opened(view, row, transport, flags);
      flows.add(row, times[i]!, first + i, wireEnd > payload ? wireEnd - payload : 0, flags);
      const mark = flows.mark[row];
      if (mark === COUNTED || (mark === SILENT && (payload >= wireEnd || payload === ends[i]!))) continue;
      this.#look(reader, i, row);
    }
  }

  #row(view: DataView, ip: number, transport: number, protocol: number): number {
    const ports = view.getInt32(transport);
    if (transport === ip + ipv4.HEADER) {
      const source = view.getInt32(ip + ipv4.SOURCE);
      return this.#longWay.flows.findIpv4(source, view.getInt32(ip + ipv4.DESTINATION), ports, protocol);
    }
    return this.#rowOfIpv6(view, ip, ports, protocol);
  }

  #rowOfIpv6(view: DataView, ip: number, ports: number, protocol: number): number {
    for (let word = 0; word < 8; word++) this.#words[word] = view.getInt32(ip + ipv6.SOURCE + word * 4);
    return this.#longWay.flows.findIpv6(this.#words, ports, protocol);
  }

  #opened(view: DataView, row: number, transport: number, flags: number): number {
    return this.#longWay.opened(row, flags, view.getUint32(transport + 4), view.getUint32(transport + 8));
  }

  /** Frame `index` of the batch belongs to `row`, and is more than to be counted. */
  #look(reader: CaptureReader, index: number, row: number): void {
    reader.show(index);
    const { frame, frames, batch } = reader;
    const { transports, wireEnds, protocols } = this.#headers;
    const packet = this.#packet;
    const wireEnd = wireEnds[index]!;
    packet.bytes = frame.bytes;
    packet.at = transports[index]!;
    packet.end = Math.min(wireEnd, frame.end);
    packet.wireEnd = wireEnd;
    packet.protocol = protocols[index]!;
    this.#longWay.look(row, frame, frames - batch.count + 1 + index);
  }
}
