/**
 * Packets for tests, built and checked with nothing of what they test: own arithmetic, own offsets.
 *
 *     tcp({ from: "192.0.2.7:40000", to: "203.0.113.10:80", flags: "S" })
 *     wrong(bytes)  ->  null, or what is wrong with its checksums
 */

export interface Spec {
  /** `address:port`, or `[address]:port`. */
  readonly from: string;
  readonly to: string;
  readonly payload?: Uint8Array;
  readonly ttl?: number;
  /** IPv4 options, or IPv6 extension headers (a whole chain; `next` is the number of its first header). */
  readonly options?: Uint8Array;
  readonly next?: number;
  /** As a sender with checksum offload hands it over. */
  readonly partial?: boolean;
  /** UDP over IPv4 without a checksum. */
  readonly unsummed?: boolean;
}

export interface TcpSpec extends Spec {
  /** Letters of `SAFRP`. */
  readonly flags?: string;
  readonly sequence?: number;
  readonly acknowledgment?: number;
  readonly window?: number;
}

export const TCP = 6;
export const UDP = 17;
const FLAGS: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, P: 8, A: 16 };

export function tcp(spec: TcpSpec): Uint8Array {
  const header = new Uint8Array(20);
  const view = new DataView(header.buffer);
  view.setUint32(4, spec.sequence ?? 1000);
  view.setUint32(8, spec.acknowledgment ?? 0);
  header[12] = 5 << 4;
  header[13] = [...(spec.flags ?? "A")].reduce((sum, letter) => sum | FLAGS[letter]!, 0);
  view.setUint16(14, spec.window ?? 65535);
  return transport(spec, TCP, header, 16);
}

export function udp(spec: Spec): Uint8Array {
  const header = new Uint8Array(8);
  new DataView(header.buffer).setUint16(4, 8 + (spec.payload?.length ?? 0));
  return transport(spec, UDP, header, 6);
}

function transport(spec: Spec, protocol: number, header: Uint8Array, checksumAt: number): Uint8Array {
  const from = end(spec.from);
  const to = end(spec.to);
  const segment = joined(header, spec.payload ?? new Uint8Array(0));
  const view = new DataView(segment.buffer);
  view.setUint16(0, from.port);
  view.setUint16(2, to.port);
  const pseudo = pseudoHeader(from.bytes, to.bytes, protocol, segment.length);
  const sum = spec.partial ? ones(pseudo) : 0xffff - ones(joined(pseudo, segment));
  view.setUint16(checksumAt, spec.unsummed ? 0 : sum === 0 && protocol === UDP ? 0xffff : sum);
  return ip(from.bytes, to.bytes, protocol, segment, spec);
}

/** An error (or any other ICMP message) about `about`, or with `about` as its body. */
export function icmp(spec: {
  readonly from: string;
  readonly to: string;
  readonly type: number;
  readonly code?: number;
  readonly rest?: number;
  readonly about: Uint8Array;
  readonly ttl?: number;
}): Uint8Array {
  const from = end(`${spec.from.includes(":") ? `[${spec.from}]` : spec.from}:0`).bytes;
  const to = end(`${spec.to.includes(":") ? `[${spec.to}]` : spec.to}:0`).bytes;
  const v6 = from.length === 16;
  const message = joined(Uint8Array.of(spec.type, spec.code ?? 0, 0, 0, 0, 0, 0, 0), spec.about);
  const view = new DataView(message.buffer);
  view.setUint32(4, spec.rest ?? 0);
  const covered = v6 ? joined(pseudoHeader(from, to, 58, message.length), message) : message;
  view.setUint16(2, 0xffff - ones(covered));
  return ip(from, to, v6 ? 58 : 1, message, spec);
}

function ip(
  from: Uint8Array,
  to: Uint8Array,
  protocol: number,
  body: Uint8Array,
  { ttl = 64, options = new Uint8Array(0), next }: { ttl?: number; options?: Uint8Array; next?: number },
): Uint8Array {
  const header = new Uint8Array(from.length === 4 ? 20 : 40);
  const view = new DataView(header.buffer);
  if (from.length === 16) {
    header[0] = 6 << 4;
    view.setUint16(4, options.length + body.length);
    header[6] = next ?? protocol;
    header[7] = ttl;
    header.set(from, 8);
    header.set(to, 24);
    return joined(header, options, body);
  }
  header[0] = (4 << 4) | ((20 + options.length) / 4);
  view.setUint16(2, 20 + options.length + body.length);
  view.setUint16(4, 0x1234);
  view.setUint16(6, 0x4000);
  header[8] = ttl;
  header[9] = protocol;
  header.set(from, 12);
  header.set(to, 16);
  view.setUint16(10, 0xffff - ones(joined(header, options)));
  return joined(header, options, body);
}

/** What is wrong with the checksums of an IP packet, its embedded packet's included; null when all are right. */
export function wrong(packet: Uint8Array, partial = false): string | null {
  const { v6, at, protocol } = layout(packet);
  if (!v6 && ones(packet.subarray(0, at)) !== 0xffff) return "IPv4 header checksum";
  const body = packet.subarray(at);
  const [source, destination, stop] = v6 ? [8, 24, 40] : [12, 16, 20];
  const pseudo = pseudoHeader(
    packet.subarray(source, destination),
    packet.subarray(destination, stop),
    protocol,
    body.length,
  );
  if (protocol === 1) return wrongIcmp(body, body);
  if (protocol === 58) return wrongIcmp(body, joined(pseudo, body));
  const field = new DataView(body.buffer, body.byteOffset).getUint16(protocol === TCP ? 16 : 6);
  if (partial) return field === ones(pseudo) ? null : "partial checksum";
  if (protocol === UDP && field === 0) return null;
  return ones(joined(pseudo, body)) === 0xffff ? null : "transport checksum";
}

/** Fills in the checksums of a whole TCP or UDP packet, as a network card does for its host. */
export function sum(packet: Uint8Array): void {
  const { v6, at, protocol } = layout(packet);
  const view = new DataView(packet.buffer, packet.byteOffset);
  if (!v6) {
    view.setUint16(10, 0);
    view.setUint16(10, 0xffff - ones(packet.subarray(0, at)));
  }
  const body = packet.subarray(at, v6 ? 40 + view.getUint16(4) : view.getUint16(2));
  const [source, middle, stop] = v6 ? [8, 24, 40] : [12, 16, 20];
  const pseudo = pseudoHeader(packet.subarray(source, middle), packet.subarray(middle, stop), protocol, body.length);
  const field = at + (protocol === TCP ? 16 : 6);
  view.setUint16(field, 0);
  view.setUint16(field, 0xffff - ones(joined(pseudo, body)));
}

const ECHOES = [0, 8, 128, 129];

function wrongIcmp(message: Uint8Array, covered: Uint8Array): string | null {
  if (ones(covered) !== 0xffff) return "ICMP checksum";
  return ECHOES.includes(message[0]!) ? null : wrongEmbedded(message.subarray(8));
}

/** Only as much as is there can be wrong. */
function wrongEmbedded(packet: Uint8Array): string | null {
  const { v6, at } = layout(packet);
  const total = v6 ? 40 + ((packet[4]! << 8) | packet[5]!) : (packet[2]! << 8) | packet[3]!;
  if (packet.length >= total) {
    const inner = wrong(packet.subarray(0, total));
    return inner === null ? null : `embedded ${inner}`;
  }
  return !v6 && ones(packet.subarray(0, at)) !== 0xffff ? "embedded IPv4 header checksum" : null;
}

/** Where the transport header is; knows only what the builders above make. */
function layout(packet: Uint8Array): { v6: boolean; at: number; protocol: number } {
  const passedOver = [0, 43, 44, 60];
  if (packet[0]! >> 4 === 4) return { v6: false, at: (packet[0]! & 15) * 4, protocol: packet[9]! };
  let at = 40;
  let protocol = packet[6]!;
  while (passedOver.includes(protocol)) {
    const next = packet[at]!;
    at += protocol === 44 ? 8 : (packet[at + 1]! + 1) * 8;
    protocol = next;
  }
  return { v6: true, at, protocol };
}

/** `address:port -> address:port` of a packet, as its addresses and ports say. */
export function route(packet: Uint8Array): string {
  const { v6, at } = layout(packet);
  const text = (from: number) =>
    v6
      ? `[${[...Array(8).keys()].map((i) => ((packet[from + i * 2]! << 8) | packet[from + i * 2 + 1]!).toString(16)).join(":")}]`
      : packet.subarray(from, from + 4).join(".");
  const port = (from: number) => (packet[from]! << 8) | packet[from + 1]!;
  return `${text(v6 ? 8 : 12)}:${port(at)} -> ${text(v6 ? 24 : 16)}:${port(at + 2)}`;
}

export const ttlOf = (packet: Uint8Array): number => (packet[0]! >> 4 === 4 ? packet[8]! : packet[7]!);

/** The packet embedded in an ICMP error. */
export const embedded = (packet: Uint8Array): Uint8Array => packet.subarray(layout(packet).at + 8);

/** Cuts an IPv4 packet into fragments whose payloads begin at the multiples of 8 in `cuts`. */
export function fragments(packet: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const header = packet.subarray(0, (packet[0]! & 15) * 4);
  const body = packet.subarray(header.length);
  return [0, ...cuts].map((start, i) => {
    const stop = cuts[i] ?? body.length;
    const piece = joined(header, body.subarray(start, stop));
    const view = new DataView(piece.buffer);
    view.setUint16(2, piece.length);
    view.setUint16(6, (stop < body.length ? 0x2000 : 0) | (start >> 3));
    view.setUint16(10, 0);
    view.setUint16(10, 0xffff - ones(piece.subarray(0, header.length)));
    return piece;
  });
}

/** RFC 1071 §4.1, word by word with an end-around carry at each addition. */
export function ones(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i]! * 256 + (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

/** RFC 793's and RFC 8200's differ in the order of their words only. */
const pseudoHeader = (from: Uint8Array, to: Uint8Array, protocol: number, length: number): Uint8Array =>
  joined(from, to, Uint8Array.of(0, protocol, 0, length >> 16, (length >> 8) & 255, length & 255));

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** `192.0.2.1:80` or `[2001:db8::1]:80`. */
function end(text: string): { bytes: Uint8Array; port: number } {
  const colon = text.lastIndexOf(":");
  const port = Number(text.slice(colon + 1));
  const address = text.slice(0, colon).replace(/^\[|\]$/g, "");
  if (!address.includes(":")) return { bytes: Uint8Array.from(address.split(".").map(Number)), port };
  const [head, tail] = address.split("::").map((half) => (half === "" ? [] : half.split(":")));
  const groups =
    tail === undefined ? head! : [...head!, ...Array<string>(8 - head!.length - tail.length).fill("0"), ...tail];
  return {
    bytes: Uint8Array.from(
      groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]),
    ),
    port,
  };
}
