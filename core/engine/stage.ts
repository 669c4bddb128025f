/**
 * What is read of up to sixteen packets before the first of them is looked at more closely: their keys, hashes and
 * where their transport headers are. Columns, filled anew for each stage.
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
const { DESTINATION, DESTINATION_PREFIX, IPV6, KEY, KIND, PORTS, SOURCE, SOURCE_PREFIX } = key;
const { DESTINATION: IPV4_DESTINATION, HEADER: IPV4_HEADER, SOURCE: IPV4_SOURCE } = ipv4;
const { HEADER: TCP_HEADER, PROTOCOL: TCP } = tcp;
const { HEADER: UDP_HEADER, PROTOCOL: UDP } = udp;

/** What a packet is to the engine. */
export const Kind = { REFUSED: 0, TRANSPORT: 1, FRAGMENT: 2, ICMP: 3 } as const;

/** Version 4, five words of header. */
const PLAIN_IPV4 = 0x45;
const LEAST_PLAIN = IPV4_HEADER + UDP_HEADER;
/** In the header's second word: more fragments, and the offset of this one. */
const FRAGMENT_MASK = 0x3fff;

export class Stage {
  readonly kind = new Uint8Array(STAGE);
  /** For REFUSED. */
  readonly reason = new Uint8Array(STAGE);
  readonly transport = new Int32Array(STAGE);
  /** Where the packet ends by its own account. */
  readonly end = new Int32Array(STAGE);
  /** Of a fragment. */
  readonly fragmentOffset = new Int32Array(STAGE);
  readonly moreFragments = new Uint8Array(STAGE);
  readonly identification = new Int32Array(STAGE);
  readonly keys = new Int32Array(STAGE * KEY);
  readonly hash = new Int32Array(STAGE);
  /** Ids that the hashes lead to first. */
  readonly candidate = new Int32Array(STAGE);
  readonly #headers = new Headers();

  /** Reads the packet in `[at, end)` into place `k`. */
  read(k: number, bytes: Uint8Array, view: DataView, at: number, end: number): void {
    if (end - at >= LEAST_PLAIN && this.#readPlain(k, view, at, end)) return;
    this.#readAny(k, bytes, at, end);
  }

  family(k: number): 4 | 6 {
    return (this.keys[k * KEY + KIND]! & IPV6) === 0 ? 4 : 6;
  }

  protocol(k: number): number {
    return this.keys[k * KEY + KIND]! & 0xff;
  }

  /** Nearly all packets: IPv4 without options, whole, TCP or UDP. False: not one of these, or not a good one. */
  #readPlain(k: number, view: DataView, at: number, end: number): boolean {
    const first = view.getInt32(at);
    const stop = at + (first & 0xffff);
    const protocol = view.getUint8(at + 9);
    if (first >>> 24 !== PLAIN_IPV4 || stop > end || (view.getInt32(at + 4) & FRAGMENT_MASK) !== 0) return false;
    const transport = at + IPV4_HEADER;
    if (!plausible(view, transport, stop, protocol)) return false;
    const { keys } = this;
    const key = k * KEY;
    this.kind[k] = Kind.TRANSPORT;
    this.transport[k] = transport;
    this.end[k] = stop;
    keys[key + SOURCE] = view.getInt32(at + IPV4_SOURCE);
    keys[key + DESTINATION] = view.getInt32(at + IPV4_DESTINATION);
    keys[key + PORTS] = view.getInt32(transport);
    keys[key + KIND] = protocol;
    return true;
  }

  #readAny(k: number, bytes: Uint8Array, at: number, end: number): void {
    const headers = this.#headers;
    if (!headers.read(bytes, at, end, true)) {
      this.#refuse(k, Reason.MALFORMED);
      return;
    }
    const { protocol, transport } = headers;
    this.transport[k] = transport;
    this.end[k] = headers.end;
    readKey(bytes, at, headers.family, protocol, this.keys, k * KEY);
    if (headers.fragment) this.#readFragment(k, bytes);
    else if (protocol === TCP) this.#readSegment(k, bytes);
    else if (protocol === UDP) this.#readDatagram(k, bytes);
    else if (protocol === (headers.family === 4 ? icmp.PROTOCOL : icmp.PROTOCOL_V6)) this.kind[k] = Kind.ICMP;
    else this.#refuse(k, Reason.PROTOCOL);
  }

  #refuse(k: number, reason: number): void {
    this.kind[k] = Kind.REFUSED;
    this.reason[k] = reason;
  }

  #readSegment(k: number, bytes: Uint8Array): void {
    const at = this.transport[k]!;
    if (!tcp.check(bytes, at, this.end[k]!)) {
      this.#refuse(k, Reason.MALFORMED);
      return;
    }
    this.kind[k] = Kind.TRANSPORT;
    this.keys[k * KEY + PORTS] = u32(bytes, at);
  }

  #readDatagram(k: number, bytes: Uint8Array): void {
    const at = this.transport[k]!;
    if (!wholeDatagram(bytes, at, this.end[k]!)) {
      this.#refuse(k, Reason.MALFORMED);
      return;
    }
    this.kind[k] = Kind.TRANSPORT;
    this.keys[k * KEY + PORTS] = u32(bytes, at);
  }

  #readFragment(k: number, bytes: Uint8Array): void {
    const { fragmentOffset, moreFragments, identification, protocol } = this.#headers;
    this.kind[k] = Kind.FRAGMENT;
    this.fragmentOffset[k] = fragmentOffset;
    this.moreFragments[k] = moreFragments ? 1 : 0;
    this.identification[k] = identification;
    if (fragmentOffset > 0) return;
    const at = this.transport[k]!;
    // A first fragment without the whole transport header hides from who judges by ports and flags (RFC 1858 §3).
    if (protocol === TCP && !tcp.check(bytes, at, this.end[k]!)) this.#refuse(k, Reason.FRAGMENT_TINY);
    else if (protocol === UDP && !udp.check(bytes, at, this.end[k]!)) this.#refuse(k, Reason.FRAGMENT_TINY);
    else if (protocol !== TCP && protocol !== UDP) this.#refuse(k, Reason.PROTOCOL);
    else this.keys[k * KEY + PORTS] = u32(bytes, at);
  }
}

/** As `tcp.check` and `wholeDatagram` have it, by words. */
function plausible(view: DataView, at: number, end: number, protocol: number): boolean {
  const room = end - at;
  if (protocol === TCP) {
    if (room < TCP_HEADER) return false;
    const header = (view.getUint8(at + 12) >>> 4) << 2;
    return header >= TCP_HEADER && header <= room;
  }
  if (protocol !== UDP || room < UDP_HEADER) return false;
  const length = view.getUint16(at + 4);
  return length >= UDP_HEADER && length <= room;
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
