/**
 * Who answers for an address on the link: which hardware addresses say so, and to which of them a host sends what
 * is meant for a server. More than one is the ARP problem of direct routing, or an address given twice.
 */
import { Address } from "../../core/wire/address.ts";
import type { Frame } from "../../core/wire/capture/frame.ts";
import { type Cursor, EtherType, toNetworkLayer } from "../../core/wire/link.ts";

/** Each hardware address with the first frame that shows it. */
export type Sightings = ReadonlyMap<string, number>;

/** Whose an address is said to be: in which frame first, and from when to when, in seconds since 1970-01-01 UTC. */
export interface Claim {
  readonly frame: number;
  readonly since: number;
  until: number;
}

const ETHERNET = 1;
const ARP = 0x0806;
const ICMPV6 = 58;
/** Neighbor Advertisement and its option for the sender's hardware address (RFC 4861 §4.4, §4.6.1). */
const ADVERTISEMENT = 136;
const TARGET_HARDWARE = 2;
const ADDRESSES = 4096;
const EACH = 8;

export class Neighbours {
  /** By address: who claimed it (ARP replies and announcements, RFC 826, RFC 5227; advertisements, RFC 4861). */
  readonly claimed = new Map<string, Map<string, Claim>>();
  /** By address, then by who sent: whom it sent to. */
  readonly reached = new Map<string, Map<string, Map<string, number>>>();

  /** Whose frame, and from which hardware address to which, was looked at last: mostly the next one's too. */
  #address = "";
  readonly #hardware = new Uint8Array(12);
  readonly #cursor: Cursor = { bytes: this.#hardware, at: 0, end: 0, type: 0 };

  /** A frame that is no TCP or UDP. */
  other(frame: Frame, number: number): void {
    const cursor = this.#cursor;
    cursor.bytes = frame.bytes;
    cursor.at = frame.start;
    cursor.end = frame.end;
    const isIp = toNetworkLayer(cursor, frame.linkType);
    const claim = isIp ? advertised(cursor) : cursor.type === ARP ? said(cursor) : null;
    if (claim !== null) this.#claim(claim, number, frame.seconds + frame.nanoseconds / 1e9);
  }

  #claim([address, hardware]: readonly [string, string], frame: number, time: number): void {
    const claims = noted(this.claimed, address);
    const known = claims?.get(hardware);
    if (known !== undefined) known.until = time;
    else if (claims !== null && claims.size < EACH) claims.set(hardware, { frame, since: time, until: time });
  }

  /** A frame of a control connection, from its client to the server at `address`. */
  sent({ bytes, start, end, linkType }: Frame, address: string, number: number): void {
    if (linkType !== ETHERNET || end - start < 14 || this.#isLast(address, bytes, start)) return;
    const sender = hardware(bytes, start + 6);
    let bySender = this.reached.get(address);
    if (bySender === undefined) {
      if (this.reached.size >= ADDRESSES) return;
      bySender = new Map();
      this.reached.set(address, bySender);
    }
    const known = noted(bySender, sender);
    const receiver = hardware(bytes, start);
    if (known !== null && known.size < EACH && !known.has(receiver)) known.set(receiver, number);
  }

  #isLast(address: string, bytes: Uint8Array, start: number): boolean {
    const hardware = this.#hardware;
    let same = address === this.#address;
    for (let i = 0; i < 12; i++) {
      if (hardware[i] === bytes[start + i]) continue;
      same = false;
      hardware[i] = bytes[start + i]!;
    }
    this.#address = address;
    return same;
  }
}

/** What is known of `key`; null: there are too many already. */
function noted<T>(all: Map<string, Map<string, T>>, key: string): Map<string, T> | null {
  const known = all.get(key);
  if (known !== undefined) return known;
  if (all.size >= ADDRESSES) return null;
  const none = new Map<string, T>();
  all.set(key, none);
  return none;
}

/** Address and hardware address of an ARP packet that is no question. */
function said({ bytes, at, end }: Cursor): readonly [string, string] | null {
  if (end - at < 28) return null;
  // hardware type, protocol type, lengths, operation, sender's and target's addresses
  const sender = at + 8;
  const operation = bytes[at + 7]!;
  const address = dotted(bytes, sender + 6);
  const announcement = operation === 1 && address === dotted(bytes, sender + 16);
  const claims = (operation === 2 || announcement) && address !== "0.0.0.0";
  return claims ? [address, hardware(bytes, sender)] : null;
}

/** The same of a Neighbor Advertisement. */
function advertised({ bytes, at, end, type }: Cursor): readonly [string, string] | null {
  const message = at + 40;
  const option = message + 24;
  if (type !== EtherType.IPV6 || bytes[at + 6] !== ICMPV6 || end - option < 8) return null;
  if (bytes[message] !== ADVERTISEMENT || bytes[option] !== TARGET_HARDWARE) return null;
  return [String(Address.fromBytes(bytes, message + 8, 6)), hardware(bytes, option + 2)];
}

const dotted = (bytes: Uint8Array, at: number): string => bytes.subarray(at, at + 4).join(".");
const hardware = (bytes: Uint8Array, at: number): string =>
  Array.from(bytes.subarray(at, at + 6), (byte) => byte.toString(16).padStart(2, "0")).join(":");
