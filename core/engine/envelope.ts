/** The IP header around what a control connection's reader sends: ends of the connection, hops and class of its packets. */
import type { ConnectionEntry } from "../balancer.ts";
import type { Direction, Endpoint } from "../units.ts";
import { copyBytes, putU16, putU32 } from "../wire/bytes.ts";
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
  /** What all headers have in common: those to the realserver, then those to the client. */
  readonly #headers: Uint8Array;
  /** Ports, as in a TCP or UDP header, of either direction. */
  readonly #toReal: number;
  readonly #toClient: number;

  constructor({ client, virtual, real, transport }: ConnectionEntry) {
    const protocol = transport === "tcp" ? tcp.PROTOCOL : udp.PROTOCOL;
    this.header = client.address.family === 4 ? ipv4.HEADER : ipv6.HEADER;
    this.#headers = new Uint8Array(2 * this.header);
    putHeader(client, real, protocol, this.#headers, 0);
    putHeader(virtual, client, protocol, this.#headers, this.header);
    this.#toReal = (client.port << 16) | real.port;
    this.#toClient = (virtual.port << 16) | client.port;
  }

  /** A packet that goes `direction` came: those sent in its place are like it. */
  note(direction: Direction, bytes: Uint8Array, at: number): void {
    const headers = this.#headers;
    const start = this.#startOf(direction);
    if (this.header === ipv4.HEADER) {
      headers[start + 1] = bytes[at + 1]!;
      headers[start + ipv4.TIME_TO_LIVE] = bytes[at + ipv4.TIME_TO_LIVE]! - 1;
    } else {
      headers[start] = (6 << 4) | (bytes[at]! & 15);
      headers[start + 1] = bytes[at + 1]! & 0xf0;
      headers[start + ipv6.HOP_LIMIT] = bytes[at + ipv6.HOP_LIMIT]! - 1;
    }
  }

  segment(direction: Direction, segment: Segment, sent: Sent): void {
    const length = this.header + lengthOf(segment);
    const at = sent.room(length);
    if (at < 0) return;
    const { bytes } = sent;
    const start = at + this.header;
    this.#write(direction, length, bytes, at);
    const end = writeSegment(segment, this.#portsOf(direction), bytes, start);
    sumSegment(bytes, this.#addresses(at), start, start, end);
    sent.add(length, verdictOf(direction));
  }

  datagram(direction: Direction, payload: Uint8Array, sent: Sent): void {
    const length = this.header + udp.HEADER + payload.length;
    const at = sent.room(length);
    if (at < 0) return;
    const { bytes } = sent;
    const start = at + this.header;
    this.#write(direction, length, bytes, at);
    putU32(bytes, start, this.#portsOf(direction));
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

  #startOf(direction: Direction): number {
    return direction === "original" ? 0 : this.header;
  }

  #portsOf(direction: Direction): number {
    return direction === "original" ? this.#toReal : this.#toClient;
  }

  #write(direction: Direction, length: number, bytes: Uint8Array, at: number): void {
    const { header } = this;
    const start = this.#startOf(direction);
    copyBytes(this.#headers, start, start + header, bytes, at);
    if (header === ipv6.HEADER) {
      putU16(bytes, at + 4, length - ipv6.HEADER);
      return;
    }
    putU16(bytes, at + 2, length);
    putU16(bytes, at + ipv4.CHECKSUM, ~sumOf(bytes, at, at + ipv4.HEADER));
  }
}

/** Writes at `at` what all headers from `from` to `to` have in common. */
function putHeader(from: Endpoint, to: Endpoint, protocol: number, header: Uint8Array, at: number): void {
  if (from.address.family === 4) {
    header[at] = 0x45;
    // An atomic datagram needs no identification (RFC 6864 §4.1).
    header[at + 6] = DONT_FRAGMENT;
    header[at + ipv4.TIME_TO_LIVE] = HOPS;
    header[at + 9] = protocol;
    putU32(header, at + ipv4.SOURCE, from.address.words[3]);
    putU32(header, at + ipv4.DESTINATION, to.address.words[3]);
  } else {
    header[at] = 6 << 4;
    header[at + 6] = protocol;
    header[at + ipv6.HOP_LIMIT] = HOPS;
    for (let k = 0; k < 4; k++) {
      putU32(header, at + ipv6.SOURCE + k * 4, from.address.words[k]!);
      putU32(header, at + ipv6.DESTINATION + k * 4, to.address.words[k]!);
    }
  }
}

const verdictOf = (direction: Direction): number => (direction === "original" ? Verdict.TO_REAL : Verdict.TO_CLIENT);
