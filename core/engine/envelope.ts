/** The IP header around what a control connection's reader sends: ends of the connection, hops and class of its packets. */
import type { ConnectionEntry } from "../balancer.ts";
import type { Direction, Endpoint } from "../units.ts";
import { putU16, putU32 } from "../wire/bytes.ts";
import { fold, pseudoHeaderSum, sumOf } from "../wire/checksum.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as ipv6 from "../wire/ipv6.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";
import { Verdict } from "./batch.ts";
import { lengthOf, type Segment, sumSegment, writeSegment } from "./control/segment.ts";
import type { Sent } from "./sent.ts";

const HOPS = 64;
const DONT_FRAGMENT = 0x40;

export class Envelope {
  /** Bytes of an IP header. */
  readonly header: number;
  readonly #entry: ConnectionEntry;
  /** By direction, original first. */
  readonly #hops = [HOPS, HOPS];
  readonly #classes = [0, 0];

  constructor(entry: ConnectionEntry) {
    this.#entry = entry;
    this.header = entry.client.address.family === 4 ? ipv4.HEADER : ipv6.HEADER;
  }

  /** A packet that goes `direction` came: those sent in its place are like it. */
  note(direction: Direction, bytes: Uint8Array, at: number): void {
    const i = direction === "original" ? 0 : 1;
    const v4 = this.header === ipv4.HEADER;
    this.#hops[i] = bytes[at + (v4 ? ipv4.TIME_TO_LIVE : ipv6.HOP_LIMIT)]! - 1;
    this.#classes[i] = v4 ? bytes[at + 1]! : ((bytes[at]! & 15) << 4) | (bytes[at + 1]! >>> 4);
  }

  segment(direction: Direction, segment: Segment, sent: Sent): void {
    const length = this.header + lengthOf(segment);
    const at = sent.room(length);
    if (at < 0) return;
    const [from, to] = this.#ends(direction);
    const { bytes } = sent;
    const start = at + this.header;
    this.#write(direction, tcp.PROTOCOL, length, bytes, at, from, to);
    const end = writeSegment(segment, from.port, to.port, bytes, start);
    sumSegment(bytes, this.#addresses(at), start, start, end);
    sent.add(length, verdictOf(direction));
  }

  datagram(direction: Direction, payload: Uint8Array, sent: Sent): void {
    const length = this.header + udp.HEADER + payload.length;
    const at = sent.room(length);
    if (at < 0) return;
    const [from, to] = this.#ends(direction);
    const { bytes } = sent;
    const start = at + this.header;
    this.#write(direction, udp.PROTOCOL, length, bytes, at, from, to);
    putU16(bytes, start, from.port);
    putU16(bytes, start + 2, to.port);
    putU16(bytes, start + 4, udp.HEADER + payload.length);
    putU16(bytes, start + udp.CHECKSUM, 0);
    bytes.set(payload, start + udp.HEADER);
    const end = at + length;
    const pseudo = pseudoHeaderSum(bytes, this.#addresses(at), start, udp.PROTOCOL, end - start);
    const sum = ~fold(sumOf(bytes, start, end, pseudo)) & 0xffff;
    putU16(bytes, start + udp.CHECKSUM, sum === 0 ? 0xffff : sum);
    sent.add(length, verdictOf(direction));
  }

  #addresses(at: number): number {
    return at + (this.header === ipv4.HEADER ? ipv4.SOURCE : ipv6.SOURCE);
  }

  #ends(direction: Direction): readonly [Endpoint, Endpoint] {
    const { client, virtual, real } = this.#entry;
    return direction === "original" ? [client, real] : [virtual, client];
  }

  #write(
    direction: Direction,
    protocol: number,
    length: number,
    bytes: Uint8Array,
    at: number,
    from: Endpoint,
    to: Endpoint,
  ): void {
    const i = direction === "original" ? 0 : 1;
    if (this.header === ipv6.HEADER) {
      putU32(bytes, at, (6 << 28) | (this.#classes[i]! << 20));
      putU16(bytes, at + 4, length - ipv6.HEADER);
      bytes[at + 6] = protocol;
      bytes[at + ipv6.HOP_LIMIT] = this.#hops[i]!;
      for (let k = 0; k < 4; k++) {
        putU32(bytes, at + ipv6.SOURCE + k * 4, from.address.words[k]!);
        putU32(bytes, at + ipv6.DESTINATION + k * 4, to.address.words[k]!);
      }
      return;
    }
    putU32(bytes, at, (0x45 << 24) | (this.#classes[i]! << 16) | length);
    // An atomic datagram needs no identification (RFC 6864 §4.1).
    putU32(bytes, at + 4, DONT_FRAGMENT << 8);
    bytes[at + ipv4.TIME_TO_LIVE] = this.#hops[i]!;
    bytes[at + 9] = protocol;
    putU16(bytes, at + ipv4.CHECKSUM, 0);
    putU32(bytes, at + ipv4.SOURCE, from.address.words[3]);
    putU32(bytes, at + ipv4.DESTINATION, to.address.words[3]);
    putU16(bytes, at + ipv4.CHECKSUM, ~fold(sumOf(bytes, at, at + ipv4.HEADER)) & 0xffff);
  }
}

const verdictOf = (direction: Direction): number => (direction === "original" ? Verdict.TO_REAL : Verdict.TO_CLIENT);
