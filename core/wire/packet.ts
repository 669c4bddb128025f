/**
 * From a captured frame to its innermost TCP or UDP header: link layer, tags, IP, fragments, tunnels (IP in IP, 6in4,
 * GRE, those in UDP), extension headers. One `Packet` is filled anew for each frame; nothing is allocated but for fragments.
 */
import type { Ms } from "../units.ts";
import { u32 } from "./bytes.ts";
import type { Frame } from "./capture/frame.ts";
import { Fragments } from "./fragments.ts";
import * as ipv4 from "./ipv4.ts";
import * as ipv6 from "./ipv6.ts";
import { type Cursor, EtherType, overGre, toIp, toNetworkLayer } from "./link.ts";
import * as tcp from "./tcp.ts";
import { tunnelIn } from "./tunnel.ts";
import * as udp from "./udp.ts";

const EN10MB = 1;
const ETHERNET = 14;
/** EtherType and version; in IPv4 a header without options. */
const PLAIN_IPV4 = 0x080045;
const PLAIN_IPV6 = 0x86dd60;

const IPIP = 4;
const IPV6_IN_IP = 41;
const GRE = 47;
/** More IP headers in one another than this are an attack on the loop. */
const DEEPEST = 8;
const MAPPED = 0x0000ffff;

/** A number that V8 need not keep on its heap, as an unsigned one beyond 2^31. */
const i32 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;

/** Source and destination of the innermost IP header as eight words, IPv4 mapped; see `Address.words`. */
export type AddressWords = Uint32Array;

export class Packet implements Cursor {
  /** The transport header and its payload are `[at, end)` of `bytes`. */
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  end = 0;
  /** Where the payload ended on the wire; beyond `end` where the capture cut the frame. */
  wireEnd = 0;
  type = 0;
  family: 4 | 6 = 6;
  protocol = 0;
  readonly words: AddressWords = new Uint32Array(8);
  readonly #fragments = new Fragments();
  #frame: Frame | null = null;

  /** Reads `frame`. True: it carries, or completes, a TCP segment or UDP datagram with a whole header. */
  read(frame: Frame): boolean {
    const { bytes, start, end, linkType } = frame;
    this.bytes = bytes;
    if (linkType === EN10MB && this.#plain(bytes, start + ETHERNET, end)) return true;
    this.at = start;
    this.end = end;
    this.#frame = frame;
    return toNetworkLayer(this, linkType) && this.#toTransport(DEEPEST);
  }

  /**
   * The short way of nearly all packets, to where the long way comes in several times the time: TCP or UDP, all of its
   * header, in IPv4 or IPv6 on Ethernet, nothing in between. False: the long way must tell.
   */
  #plain(bytes: Uint8Array, at: number, end: number): boolean {
    if (end - at < ipv4.HEADER + udp.HEADER) return false;
    const { words } = this;
    const kind = i32(bytes, at - 2) >>> 8;
    if (kind === PLAIN_IPV4) {
      if (ipv4.isFragment(bytes, at)) return false;
      if (this.family !== 4) this.#mapped();
      words[3] = i32(bytes, at + ipv4.SOURCE);
      words[7] = i32(bytes, at + ipv4.DESTINATION);
      return this.#plainTransport(at + ipv4.HEADER, end, at + ipv4.totalLength(bytes, at), ipv4.protocol(bytes, at));
    }
    if ((kind & ~0x0f) !== PLAIN_IPV6 || end - at < ipv6.HEADER + udp.HEADER) return false;
    this.family = 6;
    for (let word = 0; word < 8; word++) words[word] = i32(bytes, at + ipv6.SOURCE + word * 4);
    const transport = at + ipv6.HEADER;
    return this.#plainTransport(transport, end, transport + ipv6.payloadLength(bytes, at), ipv6.nextHeader(bytes, at));
  }

  #plainTransport(at: number, captured: number, wireEnd: number, protocol: number): boolean {
    const { bytes } = this;
    const end = wireEnd < captured ? wireEnd : captured;
    if (protocol === tcp.PROTOCOL) {
      if (!tcp.check(bytes, at, end)) return false;
    } else if (protocol !== udp.PROTOCOL || !udp.check(bytes, at, end)) return false;
    else if (tunnelIn(udp.sourcePort(bytes, at), udp.destinationPort(bytes, at)) !== null) return false;
    this.at = at;
    this.end = end;
    this.wireEnd = wireEnd;
    this.protocol = protocol;
    return true;
  }

  /** From an IP header to the innermost TCP or UDP header, past at most `depth` IP headers. */
  #toTransport(depth: number): boolean {
    for (let left = depth; left > 0; left--) {
      const whole = this.type === EtherType.IPV4 ? this.#overIpv4() : this.#overIpv6();
      if (!whole) return false;
      if (this.protocol === tcp.PROTOCOL) return tcp.check(this.bytes, this.at, this.end);
      if (this.protocol === udp.PROTOCOL) return udp.check(this.bytes, this.at, this.end) && this.#datagram(left - 1);
      if (!this.#overTunnel()) return false;
    }
    return false;
  }

  /** Into a tunnel, where there is one with TCP or UDP in it; otherwise the datagram itself is it. */
  #datagram(depth: number): true {
    const { bytes, at, end, wireEnd, family } = this;
    const header = tunnelIn(udp.sourcePort(bytes, at), udp.destinationPort(bytes, at));
    if (header === null || depth === 0) return true;
    const words = this.words.slice();
    this.at += udp.HEADER;
    if (header(this) && toIp(this) && this.#toTransport(depth)) return true;
    this.words.set(words);
    Object.assign(this, { bytes, at, end, wireEnd, family, protocol: udp.PROTOCOL });
    return true;
  }

  #overTunnel(): boolean {
    switch (this.protocol) {
      case IPIP:
        this.type = EtherType.IPV4;
        return true;
      case IPV6_IN_IP:
        this.type = EtherType.IPV6;
        return true;
      case GRE:
        return overGre(this);
      default:
        return false;
    }
  }

  /** The datagram is `length` bytes from here on; 0: as many as there are. */
  #bound(length: number): void {
    this.wireEnd = length === 0 ? this.end : this.at + length;
    this.end = Math.min(this.end, this.wireEnd);
  }

  #overIpv4(): boolean {
    const { bytes, at, words } = this;
    if (!ipv4.check(bytes, at, this.end)) return false;
    this.#bound(ipv4.totalLength(bytes, at));
    if (this.family !== 4) this.#mapped();
    words[3] = u32(bytes, at + ipv4.SOURCE);
    words[7] = u32(bytes, at + ipv4.DESTINATION);
    this.protocol = ipv4.protocol(bytes, at);
    this.at = at + ipv4.headerLength(bytes, at);
    if (!ipv4.isFragment(bytes, at)) return true;
    const last = !ipv4.moreFragments(bytes, at);
    return this.#defragment(ipv4.identification(bytes, at), ipv4.fragmentOffset(bytes, at), last, this.protocol);
  }

  /** The prefixes of IPv4 addresses, which then stay until an IPv6 packet comes. */
  #mapped(): void {
    this.family = 4;
    this.words.fill(0);
    this.words[2] = this.words[6] = MAPPED;
  }

  #overIpv6(): boolean {
    const { bytes, at, words } = this;
    if (!ipv6.check(bytes, at, this.end)) return false;
    const length = ipv6.payloadLength(bytes, at);
    this.#bound(length === 0 ? 0 : ipv6.HEADER + length);
    this.family = 6;
    for (let word = 0; word < 8; word++) words[word] = u32(bytes, at + ipv6.SOURCE + word * 4);
    this.protocol = ipv6.nextHeader(bytes, at);
    this.at = at + ipv6.HEADER;
    return this.#overExtensions();
  }

  #overExtensions(): boolean {
    while (this.protocol === ipv6.FRAGMENT || ipv6.isExtension(this.protocol)) {
      const over = this.protocol === ipv6.FRAGMENT ? this.#overFragmentHeader() : this.#overExtension();
      if (!over) return false;
    }
    return true;
  }

  #overExtension(): boolean {
    const { bytes, at, protocol } = this;
    if (this.end - at < 8) return false;
    this.protocol = bytes[at]!;
    this.at = at + ipv6.extensionLength(bytes, at, protocol);
    return this.at <= this.end;
  }

  #overFragmentHeader(): boolean {
    const { bytes, at } = this;
    if (this.end - at < ipv6.FRAGMENT_HEADER) return false;
    const offset = ipv6.fragmentOffset(bytes, at);
    const last = !ipv6.moreFragments(bytes, at);
    this.protocol = bytes[at]!;
    this.at = at + ipv6.FRAGMENT_HEADER;
    // An atomic fragment is a whole datagram (RFC 6946).
    if (offset === 0 && last) return true;
    return this.#defragment(ipv6.fragmentIdentification(bytes, at), offset, last, -1);
  }

  /** `distinct`: the protocol where it tells datagrams apart (RFC 791 §3.2; not in RFC 8200 §4.5). */
  #defragment(identification: number, offset: number, last: boolean, distinct: number): boolean {
    // A fragment that the capture cut short never makes a whole datagram.
    if (this.wireEnd > this.end) return false;
    const key = `${this.words.join(" ")} ${identification} ${distinct}`;
    const fragment = { key, family: this.family, offset, last, protocol: this.protocol };
    const { seconds, nanoseconds } = this.#frame!;
    const now = (seconds * 1000 + nanoseconds / 1e6) as Ms;
    const datagram = this.#fragments.add(fragment, this.bytes.subarray(this.at, this.end), now);
    if (datagram === null) return false;
    this.bytes = datagram.payload;
    this.at = 0;
    this.end = datagram.payload.length;
    this.wireEnd = this.end;
    this.protocol = datagram.protocol;
    return true;
  }
}
