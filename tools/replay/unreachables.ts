/** ICMP errors: who says that a packet was not delivered, and why, by the packet's ends (RFC 792, RFC 4443 §3.1). */
import { Address } from "../../core/wire/address.ts";
import { u16, u32 } from "../../core/wire/bytes.ts";
import type { Frame } from "../../core/wire/capture/frame.ts";
import * as icmp from "../../core/wire/icmp.ts";
import * as ipv4 from "../../core/wire/ipv4.ts";
import * as ipv6 from "../../core/wire/ipv6.ts";
import { type Cursor, EtherType, toNetworkLayer } from "../../core/wire/link.ts";

export interface Unreachable {
  readonly by: Address;
  readonly reason: string;
  readonly frame: number;
}

const REASONS: Readonly<Record<4 | 6, readonly (string | undefined)[]>> = {
  // 4 is about the MTU, and refuses nobody: see `tooBig`.
  4: [
    "network unreachable",
    "host unreachable",
    "protocol unreachable",
    "port unreachable",
    undefined,
    "source route failed",
    "network unknown",
    "host unknown",
    undefined,
    "administratively prohibited",
    "administratively prohibited",
    undefined,
    undefined,
    "administratively prohibited",
  ],
  6: [
    "no route",
    "administratively prohibited",
    "beyond scope",
    "address unreachable",
    "port unreachable",
    "source address failed policy",
    "route rejected",
  ],
};
/** Remembered of one capture. */
const MOST = 4096;

export class Unreachables {
  readonly #byEnds = new Map<string, Unreachable>();
  /** The same of packets that were larger than a link on their way lets pass (RFC 1191 §4, RFC 4443 §3.2). */
  readonly #tooBig = new Map<string, Unreachable>();
  readonly #cursor: Cursor = { bytes: new Uint8Array(0), at: 0, end: 0, type: 0 };

  /** A frame that is no TCP or UDP. */
  other(frame: Frame, number: number): void {
    const cursor = this.#cursor;
    cursor.bytes = frame.bytes;
    cursor.at = frame.start;
    cursor.end = frame.end;
    if (this.#byEnds.size + this.#tooBig.size >= MOST || !toNetworkLayer(cursor, frame.linkType)) return;
    if (cursor.type === EtherType.IPV4) this.#ipv4(cursor, number);
    else this.#ipv6(cursor, number);
  }

  /** Of a packet with these ends the first. */
  of(source: Address, sourcePort: number, destination: Address, destinationPort: number): Unreachable | undefined {
    return this.#byEnds.size === 0
      ? undefined
      : this.#byEnds.get(ends(source, sourcePort, destination, destinationPort));
  }

  /** Of those with these ends that were too big the first. */
  tooBig(source: Address, sourcePort: number, destination: Address, destinationPort: number): Unreachable | undefined {
    return this.#tooBig.get(ends(source, sourcePort, destination, destinationPort));
  }

  #ipv4({ bytes, at, end }: Cursor, frame: number): void {
    if (!ipv4.check(bytes, at, end) || ipv4.protocol(bytes, at) !== icmp.PROTOCOL) return;
    const message = at + ipv4.headerLength(bytes, at);
    if (!icmp.check(bytes, message, end) || icmp.type(bytes, message) !== icmp.Type.DESTINATION_UNREACHABLE) return;
    const about = message + icmp.EMBEDDED;
    if (!ipv4.check(bytes, about, end)) return;
    const ports = about + ipv4.headerLength(bytes, about);
    const code = icmp.code(bytes, message);
    const mtu = code === icmp.FRAGMENTATION_NEEDED ? u16(bytes, message + 6) : null;
    this.#note({ bytes, at, about, ports, end, family: 4, code, mtu }, frame);
  }

  #ipv6({ bytes, at, end }: Cursor, frame: number): void {
    const message = at + ipv6.HEADER;
    if (end - message < icmp.HEADER || ipv6.nextHeader(bytes, at) !== icmp.PROTOCOL_V6) return;
    const isTooBig = icmp.type(bytes, message) === icmp.TypeV6.PACKET_TOO_BIG;
    if (!isTooBig && icmp.type(bytes, message) !== icmp.TypeV6.DESTINATION_UNREACHABLE) return;
    const about = message + icmp.EMBEDDED;
    const ports = about + ipv6.HEADER;
    const mtu = isTooBig ? u32(bytes, message + 4) : null;
    this.#note({ bytes, at, about, ports, end, family: 6, code: icmp.code(bytes, message), mtu }, frame);
  }

  #note({ bytes, at, about, ports, end, family, code, mtu }: Quoting, frame: number): void {
    if (end - ports < 4) return;
    const known = mtu === null ? this.#byEnds : this.#tooBig;
    const reason =
      mtu === null ? (REASONS[family][code] ?? `code ${code}`) : `no packet passes that is larger than ${mtu}`;
    const source = family === 4 ? ipv4.SOURCE : ipv6.SOURCE;
    const destination = family === 4 ? ipv4.DESTINATION : ipv6.DESTINATION;
    const address = (from: number) => Address.fromBytes(bytes, from, family);
    const key = ends(address(about + source), u16(bytes, ports), address(about + destination), u16(bytes, ports + 2));
    if (known.has(key)) return;
    known.set(key, { by: address(at + source), reason, frame });
  }
}

/** Where in `bytes` the error's own header, and that of the packet that it is about, begin. */
interface Quoting {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly about: number;
  readonly ports: number;
  readonly end: number;
  readonly family: 4 | 6;
  readonly code: number;
  /** What the error says of it; null: it is about something else. */
  readonly mtu: number | null;
}

const ends = (source: Address, sourcePort: number, destination: Address, destinationPort: number): string =>
  `${source} ${sourcePort} ${destination} ${destinationPort}`;
