/**
 * What is read of up to sixteen packets before the first of them is looked at more closely: their keys, hashes and
 * where their headers are. Filled anew for each stage.
 */
import * as key from "../flow/key.ts";
import { u32 } from "../wire/bytes.ts";
import { Headers } from "../wire/headers.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as ipv6 from "../wire/ipv6.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";
import { STAGE } from "./batch.ts";
import { Reason } from "./reason.ts";

/** Own names: V8 folds constants of a module's own into its optimised code, and reads imported ones each time. */
const { DESTINATION, DESTINATION_PREFIX, IPV6, KIND, PORTS, SOURCE, SOURCE_PREFIX } = key;
const { DESTINATION: IPV4_DESTINATION, HEADER: IPV4_HEADER, SOURCE: IPV4_SOURCE } = ipv4;
const { HEADER: TCP_HEADER, PROTOCOL: TCP } = tcp;
const { HEADER: UDP_HEADER, PROTOCOL: UDP } = udp;

/** What a packet is to the engine. */
export const Kind = { REFUSED: 0, TRANSPORT: 1, FRAGMENT: 2, ICMP: 3 } as const;

/**
 * What is known of packet `k` stands from word `k << PLACE_SHIFT` on: a place is a cache line, like a row of the table.
 * First its key (flow/key.ts), then:
 */
export const PLACE_SHIFT = 4;
export const HASH = 10;
/** Where its IP header begins, its transport header, and where it ends by its own account. */
export const AT = 11;
export const TRANSPORT = 12;
export const END = 13;
/** Its kind; of a refused one, with the reason << 8. */
export const WHAT = 14;
/** TCP's flags, 0 for UDP; with the hops that are left << 8. */
export const FLAGS = 15;

/** Version 4, five words of header. */
const PLAIN_IPV4 = 0x45;
const LEAST_PLAIN = IPV4_HEADER + UDP_HEADER;
/** In the header's second word: more fragments, and the offset of this one. */
const FRAGMENT_MASK = 0x3fff;

export class Stage {
  readonly places = new Int32Array(STAGE << PLACE_SHIFT);
  /** What the hashes lead to first. */
  readonly candidate = new Int32Array(STAGE);
  /** Of a fragment, by packet. */
  readonly fragmentOffset = new Int32Array(STAGE);
  readonly moreFragments = new Uint8Array(STAGE);
  readonly identification = new Int32Array(STAGE);
  readonly #headers = new Headers();

  /** Reads the packet in `[at, end)` into `place`. */
  read(place: number, bytes: Uint8Array, view: DataView, at: number, end: number): void {
    this.places[place + AT] = at;
    if (end - at >= LEAST_PLAIN && this.#readPlain(place, view, at, end)) return;
    this.#readAny(place, bytes, at, end);
  }

  family(place: number): 4 | 6 {
    return (this.places[place + KIND]! & IPV6) === 0 ? 4 : 6;
  }

  protocol(place: number): number {
    return this.places[place + KIND]! & 0xff;
  }

  /** May it be forwarded another hop? (RFC 1812 §5.3.1, RFC 8200 §3.) */
  mayTravel(place: number): boolean {
    return this.places[place + FLAGS]! >= 2 << 8;
  }

  /** Nearly all packets: IPv4 without options, whole, TCP or UDP. False: not one of these, or not a good one. */
  #readPlain(place: number, view: DataView, at: number, end: number): boolean {
    const first = view.getInt32(at);
    const stop = at + (first & 0xffff);
    if (first >>> 24 !== PLAIN_IPV4 || stop > end || (view.getInt32(at + 4) & FRAGMENT_MASK) !== 0) return false;
    const third = view.getInt32(at + 8);
    const protocol = (third >>> 16) & 0xff;
    const transport = at + IPV4_HEADER;
    const flags = flagsOf(view, transport, stop, protocol);
    if (flags < 0) return false;
    const { places } = this;
    places[place + SOURCE] = view.getInt32(at + IPV4_SOURCE);
    places[place + DESTINATION] = view.getInt32(at + IPV4_DESTINATION);
    places[place + PORTS] = view.getInt32(transport);
    places[place + KIND] = protocol;
    places[place + TRANSPORT] = transport;
    places[place + END] = stop;
    places[place + WHAT] = Kind.TRANSPORT;
    places[place + FLAGS] = ((third >>> 24) << 8) | flags;
    return true;
  }

  #readAny(place: number, bytes: Uint8Array, at: number, end: number): void {
    const headers = this.#headers;
    if (!headers.read(bytes, at, end, true)) {
      this.#refuse(place, Reason.MALFORMED);
      return;
    }
    const { family, protocol, transport } = headers;
    this.places[place + TRANSPORT] = transport;
    this.places[place + END] = headers.end;
    this.places[place + FLAGS] = bytes[at + (family === 4 ? ipv4.TIME_TO_LIVE : ipv6.HOP_LIMIT)]! << 8;
    readKey(bytes, at, family, protocol, this.places, place);
    if (headers.fragment) this.#readFragment(place, bytes);
    else if (protocol === TCP) this.#readSegment(place, bytes, Reason.MALFORMED);
    else if (protocol === UDP) this.#readDatagram(place, bytes);
    else if (protocol === (family === 4 ? icmp.PROTOCOL : icmp.PROTOCOL_V6)) this.places[place + WHAT] = Kind.ICMP;
    else this.#refuse(place, Reason.PROTOCOL);
  }

  #refuse(place: number, reason: number): void {
    this.places[place + WHAT] = Kind.REFUSED | (reason << 8);
  }

  #readSegment(place: number, bytes: Uint8Array, otherwise: number): void {
    const { places } = this;
    const at = places[place + TRANSPORT]!;
    if (!tcp.check(bytes, at, places[place + END]!)) {
      this.#refuse(place, otherwise);
      return;
    }
    places[place + WHAT] = Kind.TRANSPORT;
    places[place + PORTS] = u32(bytes, at);
    places[place + FLAGS] = places[place + FLAGS]! | tcp.flags(bytes, at);
  }

  #readDatagram(place: number, bytes: Uint8Array): void {
    const { places } = this;
    const at = places[place + TRANSPORT]!;
    if (!wholeDatagram(bytes, at, places[place + END]!)) {
      this.#refuse(place, Reason.MALFORMED);
      return;
    }
    places[place + WHAT] = Kind.TRANSPORT;
    places[place + PORTS] = u32(bytes, at);
  }

  #readFragment(place: number, bytes: Uint8Array): void {
    const { fragmentOffset, moreFragments, identification, protocol } = this.#headers;
    const { places } = this;
    const k = place >>> PLACE_SHIFT;
    this.fragmentOffset[k] = fragmentOffset;
    this.moreFragments[k] = moreFragments ? 1 : 0;
    this.identification[k] = identification;
    places[place + WHAT] = Kind.FRAGMENT;
    if (fragmentOffset > 0) return;
    const at = places[place + TRANSPORT]!;
    // A first fragment without the whole transport header hides from who judges by ports and flags (RFC 1858 §3).
    if (protocol === TCP) this.#readSegment(place, bytes, Reason.FRAGMENT_TINY);
    else if (protocol !== UDP) this.#refuse(place, Reason.PROTOCOL);
    else if (!udp.check(bytes, at, places[place + END]!)) this.#refuse(place, Reason.FRAGMENT_TINY);
    else places[place + PORTS] = u32(bytes, at);
    if (places[place + WHAT] === Kind.TRANSPORT) places[place + WHAT] = Kind.FRAGMENT;
  }
}

/** Its flags as in FLAGS; -1 when what `tcp.check` or `wholeDatagram` asks for is not so. By words. */
function flagsOf(view: DataView, at: number, end: number, protocol: number): number {
  const room = end - at;
  if (protocol === TCP) {
    if (room < TCP_HEADER) return -1;
    const word = view.getUint16(at + 12);
    const header = (word >>> 12) << 2;
    return header >= TCP_HEADER && header <= room ? word & 0xff : -1;
  }
  if (protocol !== UDP || room < UDP_HEADER) return -1;
  const length = view.getUint16(at + 4);
  return length >= UDP_HEADER && length <= room ? 0 : -1;
}

/** A UDP header whose length agrees with what is there. */
function wholeDatagram(bytes: Uint8Array, at: number, end: number): boolean {
  const room = end - at;
  if (room < UDP_HEADER) return false;
  const length = udp.length(bytes, at);
  return length >= UDP_HEADER && length <= room;
}

/** All of the key but the ports. */
export function readKey(
  bytes: Uint8Array,
  at: number,
  family: number,
  protocol: number,
  keys: Int32Array,
  key: number,
): void {
  if (family === 4) {
    keys[key + SOURCE] = u32(bytes, at + IPV4_SOURCE);
    keys[key + DESTINATION] = u32(bytes, at + IPV4_DESTINATION);
    keys[key + KIND] = protocol;
    return;
  }
  for (let i = 0; i < 3; i++) {
    keys[key + SOURCE_PREFIX + i] = u32(bytes, at + ipv6.SOURCE + i * 4);
    keys[key + DESTINATION_PREFIX + i] = u32(bytes, at + ipv6.DESTINATION + i * 4);
  }
  keys[key + SOURCE] = u32(bytes, at + ipv6.SOURCE + 12);
  keys[key + DESTINATION] = u32(bytes, at + ipv6.DESTINATION + 12);
  keys[key + KIND] = protocol | IPV6;
}
