/**
 * The IP header around what a control connection's reader sends: the ends of its flow, as they stand in the table's row,
 * and the hops and class of the packets that it takes the place of.
 */
import * as key from "../flow/key.ts";
import * as rows from "../flow/rows.ts";
import type { FlowTable } from "../flow/table.ts";
import type { Direction } from "../units.ts";
import { fold, halves, sumIn } from "../wire/checksum.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as ipv6 from "../wire/ipv6.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";
import { Verdict } from "./batch.ts";
import { lengthOf, type Segment, writeSegment } from "./control/segment.ts";
import type { Sent } from "./sent.ts";

const { IPV6 } = key;
const { CLIENT, CLIENT_PREFIX, INNER_PORT, KIND, OUTER_PORTS, PREFIXES } = rows;
const { REAL, REAL_PREFIX, ROW_SHIFT, VIRTUAL, VIRTUAL_PREFIX } = rows;

/** Class << 8 | hops of packets to come, while none has come. */
export const NO_LIKENESS = 64;

/** Class << 8 | hops that are left of what takes the place of the packet at `at`. */
export const likenessOf = (bytes: Uint8Array, at: number): number =>
  bytes[at]! >>> 4 === 4
    ? (bytes[at + 1]! << 8) | (bytes[at + ipv4.TIME_TO_LIVE]! - 1)
    : ((bytes[at]! & 15) << 12) | ((bytes[at + 1]! & 0xf0) << 4) | (bytes[at + ipv6.HOP_LIMIT]! - 1);

/** Of all flows. */
export class Envelope {
  declare private readonly table: FlowTable;

  constructor(table: FlowTable) {
    this.table = table;
  }

  /** Bytes of an IP header of flow `id`. */
  header(id: number): number {
    return this.#isIpv6(id) ? ipv6.HEADER : ipv4.HEADER;
  }

  /** Where the payload of the segment that is sent next begins, if it is of flow `id` and has options of this length. -1: there is no room for `length` bytes of it. */
  payloadAt(id: number, options: number, length: number, sent: Sent): number {
    const headers = this.header(id) + tcp.HEADER + options;
    return sent.hasRoom(headers + length) ? sent.room(0) + headers : -1;
  }

  /** Its payload may be where `payloadAt` said. */
  readonly segment = (id: number, direction: Direction, likeness: number, segment: Segment, sent: Sent): void => {
    const header = this.header(id);
    const length = header + lengthOf(segment);
    const at = sent.room(length);
    if (at < 0) return;
    const { view } = sent;
    const addresses = this.#write(id, direction, likeness, tcp.PROTOCOL, length, view, at);
    const pseudo = addresses + tcp.PROTOCOL + length - header;
    writeSegment(segment, this.#portsOf(id, direction), pseudo, view, at + header);
    sent.add(length, verdictOf(direction));
  };

  datagram(id: number, direction: Direction, likeness: number, payload: Uint8Array, sent: Sent): void {
    const header = this.header(id);
    const length = header + udp.HEADER + payload.length;
    const at = sent.room(length);
    if (at < 0) return;
    const { bytes, view } = sent;
    const start = at + header;
    const addresses = this.#write(id, direction, likeness, udp.PROTOCOL, length, view, at);
    view.setInt32(start, this.#portsOf(id, direction));
    view.setInt32(start + 4, (udp.HEADER + payload.length) << 16);
    bytes.set(payload, start + udp.HEADER);
    const end = at + length;
    const sum = ~sumIn(view, start, end, addresses + udp.PROTOCOL + end - start) & 0xffff;
    view.setUint16(start + udp.CHECKSUM, sum === 0 ? 0xffff : sum);
    sent.add(length, verdictOf(direction));
  }

  #isIpv6(id: number): boolean {
    return (this.table.rows[(id << ROW_SHIFT) + KIND]! & IPV6) !== 0;
  }

  /** Source and destination port, as in a TCP or UDP header. */
  #portsOf(id: number, direction: Direction): number {
    const { rows: table } = this.table;
    const row = id << ROW_SHIFT;
    const outer = table[row + OUTER_PORTS]!;
    if (direction === "original") return (outer & ~0xffff) | (table[row + INNER_PORT]! >>> 16);
    return (outer << 16) | (outer >>> 16);
  }

  /** An IP header at `at`, of a packet that is `length` bytes long. Returns what both addresses add to a checksum. */
  #write(
    id: number,
    direction: Direction,
    likeness: number,
    protocol: number,
    length: number,
    view: DataView,
    at: number,
  ): number {
    const toReal = direction === "original";
    const { rows: table, prefixes } = this.table;
    const row = id << ROW_SHIFT;
    const source = table[row + (toReal ? CLIENT : VIRTUAL)]!;
    const destination = table[row + (toReal ? REAL : CLIENT)]!;
    if (!this.#isIpv6(id)) return writeIpv4(view, at, likeness, protocol, length, source, destination);
    const base = id * PREFIXES;
    view.setInt32(at, (6 << 28) | ((likeness >>> 8) << 20));
    view.setInt32(at + 4, ((length - ipv6.HEADER) << 16) | (protocol << 8) | (likeness & 0xff));
    writeIpv6Address(view, at + ipv6.SOURCE, prefixes, base + (toReal ? CLIENT_PREFIX : VIRTUAL_PREFIX), source);
    writeIpv6Address(view, at + ipv6.SOURCE + 16, prefixes, base + (toReal ? REAL_PREFIX : CLIENT_PREFIX), destination);
    return sumIn(view, at + ipv6.SOURCE, at + ipv6.HEADER);
  }
}

/** An atomic datagram, which needs no identification (RFC 6864 §4.1): DF is set. */
const DONT_FRAGMENT = 0x4000;

function writeIpv4(
  view: DataView,
  at: number,
  likeness: number,
  protocol: number,
  length: number,
  source: number,
  destination: number,
): number {
  const first = 0x4500 | (likeness >>> 8);
  const third = ((likeness & 0xff) << 8) | protocol;
  const addresses = halves(source) + halves(destination);
  view.setInt32(at, (first << 16) | length);
  view.setInt32(at + 4, DONT_FRAGMENT);
  const checksum = ~fold(first + length + DONT_FRAGMENT + third + addresses) & 0xffff;
  view.setInt32(at + ipv4.TIME_TO_LIVE, (third << 16) | checksum);
  view.setInt32(at + ipv4.SOURCE, source);
  view.setInt32(at + ipv4.DESTINATION, destination);
  return addresses;
}

function writeIpv6Address(view: DataView, at: number, prefixes: Int32Array, prefix: number, low: number): void {
  for (let i = 0; i < 3; i++) view.setInt32(at + i * 4, prefixes[prefix + i]!);
  view.setInt32(at + 12, low);
}

const verdictOf = (direction: Direction): number => (direction === "original" ? Verdict.TO_REAL : Verdict.TO_CLIENT);
