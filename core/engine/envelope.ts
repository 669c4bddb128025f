/** The IP header around what a control connection's reader sends: ends of the connection, hops and class of its packets. */
import type { ConnectionEntry } from "../balancer.ts";
import type { Direction, Endpoint, Port } from "../units.ts";
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

/** What all headers of one direction have in common. */
interface Template {
  readonly header: Uint8Array;
  readonly from: Port;
  readonly to: Port;
}

export class Envelope {
  /** Bytes of an IP header. */
  readonly header: number;
  readonly #original: Template;
  readonly #reply: Template;

  constructor({ client, virtual, real, transport }: ConnectionEntry) {
    const protocol = transport === "tcp" ? tcp.PROTOCOL : udp.PROTOCOL;
    this.header = client.address.family === 4 ? ipv4.HEADER : ipv6.HEADER;
    this.#original = templateOf(client, real, protocol);
    this.#reply = templateOf(virtual, client, protocol);
  }

  /** A packet that goes `direction` came: those sent in its place are like it. */
  note(direction: Direction, bytes: Uint8Array, at: number): void {
    const { header } = this.#template(direction);
    if (this.header === ipv4.HEADER) {
      header[1] = bytes[at + 1]!;
      header[ipv4.TIME_TO_LIVE] = bytes[at + ipv4.TIME_TO_LIVE]! - 1;
    } else {
      header[0] = (6 << 4) | (bytes[at]! & 15);
      header[1] = bytes[at + 1]! & 0xf0;
      header[ipv6.HOP_LIMIT] = bytes[at + ipv6.HOP_LIMIT]! - 1;
    }
  }

  segment(direction: Direction, segment: Segment, sent: Sent): void {
    const length = this.header + lengthOf(segment);
    const at = sent.room(length);
    if (at < 0) return;
    const template = this.#template(direction);
    const { bytes } = sent;
    const start = at + this.header;
    this.#write(template, length, bytes, at);
    const end = writeSegment(segment, template.from, template.to, bytes, start);
    sumSegment(bytes, this.#addresses(at), start, start, end);
    sent.add(length, verdictOf(direction));
  }

  datagram(direction: Direction, payload: Uint8Array, sent: Sent): void {
    const length = this.header + udp.HEADER + payload.length;
    const at = sent.room(length);
    if (at < 0) return;
    const template = this.#template(direction);
    const { bytes } = sent;
    const start = at + this.header;
    this.#write(template, length, bytes, at);
    putU16(bytes, start, template.from);
    putU16(bytes, start + 2, template.to);
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

  #template(direction: Direction): Template {
    return direction === "original" ? this.#original : this.#reply;
  }

  #write({ header }: Template, length: number, bytes: Uint8Array, at: number): void {
    copyBytes(header, 0, header.length, bytes, at);
    if (header.length === ipv6.HEADER) {
      putU16(bytes, at + 4, length - ipv6.HEADER);
      return;
    }
    putU16(bytes, at + 2, length);
    putU16(bytes, at + ipv4.CHECKSUM, ~sumOf(bytes, at, at + ipv4.HEADER));
  }
}

function templateOf(from: Endpoint, to: Endpoint, protocol: number): Template {
  const v4 = from.address.family === 4;
  const header = new Uint8Array(v4 ? ipv4.HEADER : ipv6.HEADER);
  if (v4) {
    header[0] = 0x45;
    // An atomic datagram needs no identification (RFC 6864 §4.1).
    header[6] = DONT_FRAGMENT;
    header[ipv4.TIME_TO_LIVE] = HOPS;
    header[9] = protocol;
    putU32(header, ipv4.SOURCE, from.address.words[3]);
    putU32(header, ipv4.DESTINATION, to.address.words[3]);
  } else {
    header[0] = 6 << 4;
    header[6] = protocol;
    header[ipv6.HOP_LIMIT] = HOPS;
    for (let k = 0; k < 4; k++) {
      putU32(header, ipv6.SOURCE + k * 4, from.address.words[k]!);
      putU32(header, ipv6.DESTINATION + k * 4, to.address.words[k]!);
    }
  }
  return { header, from: from.port, to: to.port };
}

const verdictOf = (direction: Direction): number => (direction === "original" ? Verdict.TO_REAL : Verdict.TO_CLIENT);
