/**
 * From an IP header to the transport header behind it, past options and extension headers. One `Headers` is filled anew
 * for each packet: nothing is allocated. Unlike `Packet`, which reads what a capture holds, this judges: a packet whose
 * lengths do not agree is not forwarded.
 */
import { u16, u32 } from "./bytes.ts";
import * as ipv4 from "./ipv4.ts";
import * as ipv6 from "./ipv6.ts";

/** More extension headers than this no sender needs (RFC 8504 §5.3 lets a node set such a limit). */
const MOST_EXTENSIONS = 8;

export class Headers {
  family: 4 | 6 = 4;
  protocol = 0;
  /** Where the transport header begins; in a fragment that is not the first, its payload. */
  transport = 0;
  /** Where the packet ends by its own account; behind that is the link's padding. */
  end = 0;
  fragment = false;
  /** In bytes, of what follows the fragment's header. */
  fragmentOffset = 0;
  moreFragments = false;
  identification = 0;

  /** Reads the packet in `[at, end)`. `whole`: all of it must be there, which is not so of one embedded in an error. */
  read(bytes: Uint8Array, at: number, end: number, whole: boolean): boolean {
    if (end - at < ipv4.HEADER) return false;
    const version = bytes[at]! >>> 4;
    if (version === 4) return this.#readIpv4(bytes, at, end, whole);
    return version === 6 && this.#readIpv6(bytes, at, end, whole);
  }

  #readIpv4(bytes: Uint8Array, at: number, end: number, whole: boolean): boolean {
    const header = (bytes[at]! & 15) << 2;
    const total = u16(bytes, at + 2);
    if (header < ipv4.HEADER || total < header || at + header > end || (whole && at + total > end)) return false;
    this.family = 4;
    this.protocol = bytes[at + 9]!;
    this.transport = at + header;
    this.end = Math.min(at + total, end);
    this.fragment = ipv4.isFragment(bytes, at);
    if (this.fragment) {
      this.fragmentOffset = ipv4.fragmentOffset(bytes, at);
      this.moreFragments = ipv4.moreFragments(bytes, at);
      this.identification = ipv4.identification(bytes, at);
    }
    return true;
  }

  #readIpv6(bytes: Uint8Array, at: number, end: number, whole: boolean): boolean {
    if (end - at < ipv6.HEADER) return false;
    const total = ipv6.HEADER + ipv6.payloadLength(bytes, at);
    if (whole && at + total > end) return false;
    this.family = 6;
    this.protocol = ipv6.nextHeader(bytes, at);
    this.transport = at + ipv6.HEADER;
    this.end = Math.min(at + total, end);
    this.fragment = false;
    for (let count = 0; count <= MOST_EXTENSIONS; count++) {
      const next = this.protocol;
      if (next !== ipv6.FRAGMENT && !ipv6.isExtension(next)) return true;
      if (!(next === ipv6.FRAGMENT ? this.#overFragmentHeader(bytes) : this.#overExtension(bytes))) return false;
      // What follows the header of a later fragment is payload, whatever it looks like.
      if (this.fragment && this.fragmentOffset > 0) return true;
    }
    return false;
  }

  #overExtension(bytes: Uint8Array): boolean {
    if (this.end - this.transport < 8) return false;
    const length = ipv6.extensionLength(bytes, this.transport, this.protocol);
    this.protocol = bytes[this.transport]!;
    this.transport += length;
    return this.transport <= this.end;
  }

  #overFragmentHeader(bytes: Uint8Array): boolean {
    const at = this.transport;
    if (this.end - at < ipv6.FRAGMENT_HEADER || this.fragment) return false;
    this.fragmentOffset = ipv6.fragmentOffset(bytes, at);
    this.moreFragments = ipv6.moreFragments(bytes, at);
    this.identification = u32(bytes, at + 4);
    // An atomic fragment is a whole datagram (RFC 6946).
    this.fragment = this.fragmentOffset > 0 || this.moreFragments;
    this.protocol = bytes[at]!;
    this.transport = at + ipv6.FRAGMENT_HEADER;
    return true;
  }
}
