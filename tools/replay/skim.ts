/**
 * The short way for most packets of a capture: TCP or UDP in IPv4 or IPv6 on Ethernet, nothing in between, of a flow that
 * is known to be none that a helper looks at. It is counted, and nothing else about it is of interest. The long way, by
 * way of core/wire/packet.ts, comes to the same in several times the time.
 */
import { u16 } from "../../core/wire/bytes.ts";
import type { Frame } from "../../core/wire/capture/frame.ts";
import * as ipv4 from "../../core/wire/ipv4.ts";
import * as ipv6 from "../../core/wire/ipv6.ts";
import * as tcp from "../../core/wire/tcp.ts";
import * as udp from "../../core/wire/udp.ts";
import { COUNTED, type Flows } from "./flows.ts";

const EN10MB = 1;
const ETHERNET = 14;
/** EtherType, version, and in IPv4 a header without options. */
const PLAIN_IPV4 = 0x080045;
const PLAIN_IPV6 = 0x86dd60;

/** A number that V8 need not keep on its heap, as an unsigned one beyond 2^31. */
const i32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;

export class Skimmer {
  readonly #flows: Flows;
  readonly #words = new Uint32Array(8);

  constructor(flows: Flows) {
    this.#flows = flows;
  }

  /** Counts the frame among those of its flow. False: it was not counted, and has to be looked at. */
  frame(frame: Frame, number: number): boolean {
    const { bytes, start, end, linkType } = frame;
    if (linkType !== EN10MB || end - start < ETHERNET + ipv4.HEADER + udp.HEADER) return false;
    const at = start + ETHERNET;
    const kind = i32(bytes, at - 2) >>> 8;
    if (kind === PLAIN_IPV4 && !ipv4.isFragment(bytes, at)) {
      const wireEnd = at + ipv4.totalLength(bytes, at);
      return this.#transport(frame, number, at + ipv4.HEADER, wireEnd, ipv4.protocol(bytes, at), 4);
    }
    if ((kind & ~0x0f) !== PLAIN_IPV6 || end - at < ipv6.HEADER + udp.HEADER) return false;
    const wireEnd = at + ipv6.HEADER + ipv6.payloadLength(bytes, at);
    return this.#transport(frame, number, at + ipv6.HEADER, wireEnd, ipv6.nextHeader(bytes, at), 6);
  }

  #transport(frame: Frame, number: number, at: number, wireEnd: number, protocol: number, family: 4 | 6): boolean {
    const { bytes, end } = frame;
    let header: number = udp.HEADER;
    let flags = 0;
    if (protocol === tcp.PROTOCOL) {
      if (end - at < tcp.HEADER) return false;
      header = tcp.headerLength(bytes, at);
      flags = tcp.flags(bytes, at);
      // A SYN may open another connection between the same ends.
      if (header < tcp.HEADER || (flags & tcp.SYN) !== 0) return false;
    } else if (protocol !== udp.PROTOCOL) return false;
    // Headers that are cut short, by the capture or by their own account, are looked at.
    const payload = wireEnd - at - header;
    if (payload < 0 || at + header > end) return false;
    const row = family === 4 ? this.#ipv4(bytes, at, protocol) : this.#ipv6(bytes, at, protocol);
    if (row < 0 || this.#flows.mark[row] !== COUNTED) return false;
    this.#flows.add(row, frame, number, payload, flags);
    return true;
  }

  #ipv4(bytes: Uint8Array, at: number, protocol: number): number {
    const ip = at - ipv4.HEADER;
    const source = i32(bytes, ip + ipv4.SOURCE);
    const destination = i32(bytes, ip + ipv4.DESTINATION);
    return this.#flows.ipv4(source, destination, protocol, u16(bytes, at), u16(bytes, at + 2));
  }

  #ipv6(bytes: Uint8Array, at: number, protocol: number): number {
    const words = this.#words;
    const first = at - ipv6.HEADER + ipv6.SOURCE;
    for (let i = 0; i < 8; i++) words[i] = i32(bytes, first + i * 4);
    return this.#flows.ipv6(words, protocol, u16(bytes, at), u16(bytes, at + 2));
  }
}
