/**
 * Who answers for an address on the link: which hardware addresses say so by ARP, and to which of them a host sends what
 * is meant for a server. More than one is the ARP problem of direct routing, or an address given twice.
 */
import type { Frame } from "../../core/wire/capture/frame.ts";

/** Each hardware address with the first frame that shows it. */
export type Sightings = ReadonlyMap<string, number>;

const ETHERNET = 1;
const ARP = 0x0806;
const VLAN = 0x8100;
const ADDRESSES = 4096;
const EACH = 8;

export class Neighbours {
  /** By address: who claimed it (ARP replies and announcements, RFC 826, RFC 5227). */
  readonly claimed = new Map<string, Map<string, number>>();
  /** By address, then by who sent: whom it sent to. */
  readonly reached = new Map<string, Map<string, Map<string, number>>>();

  /** Whose frame, and from which hardware address to which, was looked at last: mostly the next one's too. */
  #address = "";
  readonly #hardware = new Uint8Array(12);

  /** A frame that is no TCP or UDP. */
  other({ bytes, start, end, linkType }: Frame, number: number): void {
    if (linkType !== ETHERNET || end - start < 42) return;
    let at = start + 12;
    if (type(bytes, at) === VLAN) at += 4;
    if (type(bytes, at) !== ARP || end - at < 30) return;
    // hardware type, protocol type, lengths, operation, sender's and target's addresses
    const sender = at + 10;
    const operation = bytes[at + 9]!;
    const address = dotted(bytes, sender + 6);
    const announcement = operation === 1 && address === dotted(bytes, sender + 16);
    if ((operation === 2 || announcement) && address !== "0.0.0.0")
      note(this.claimed, address, hardware(bytes, sender), number);
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
    note(bySender, sender, hardware(bytes, start), number);
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

function note(sightings: Map<string, Map<string, number>>, key: string, seen: string, number: number): void {
  let known = sightings.get(key);
  if (known === undefined) {
    if (sightings.size >= ADDRESSES) return;
    known = new Map();
    sightings.set(key, known);
  }
  if (known.size < EACH && !known.has(seen)) known.set(seen, number);
}

const type = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;
const dotted = (bytes: Uint8Array, at: number): string => bytes.subarray(at, at + 4).join(".");
const hardware = (bytes: Uint8Array, at: number): string =>
  Array.from(bytes.subarray(at, at + 6), (byte) => byte.toString(16).padStart(2, "0")).join(":");
