/**
 * From a captured frame to the IP packet in it: link layers, and what may stand between them and IP (VLAN tags, PPPoE,
 * MPLS, provider backbone bridges). A cursor is moved over one header after the other; nothing is copied.
 */
import { u16, u16le, u32, u32le } from "./bytes.ts";

/** Values of https://www.tcpdump.org/linktypes.html, by the names that tcpdump prints. */
export const LINK_TYPES: ReadonlyMap<number, string> = new Map([
  [0, "NULL"],
  [1, "EN10MB"],
  [9, "PPP"],
  [12, "RAW"],
  [14, "RAW"],
  [50, "PPP_SERIAL"],
  [101, "RAW"],
  [104, "C_HDLC"],
  [108, "LOOP"],
  [113, "LINUX_SLL"],
  [204, "PPP_WITH_DIR"],
  [228, "IPV4"],
  [229, "IPV6"],
  [239, "NFLOG"],
  [276, "LINUX_SLL2"],
]);

/** Names of those that are met and not read. */
const OTHERS: ReadonlyMap<number, string> = new Map([
  [-1, "none"],
  [6, "IEEE802_5"],
  [7, "ARCNET"],
  [8, "SLIP"],
  [105, "IEEE802_11"],
  [107, "FRELAY"],
  [127, "IEEE802_11_RADIO"],
  [129, "ARCNET_LINUX"],
  [192, "PPI"],
  [195, "IEEE802_15_4"],
  [220, "USB_LINUX_MMAPPED"],
  [249, "USBPCAP"],
  [258, "PKTAP"],
]);

export const isReadable = (linkType: number): boolean => LINK_TYPES.has(linkType);

/** A name for reports, or the number of one without. */
export const linkTypeName = (linkType: number): string =>
  LINK_TYPES.get(linkType) ?? OTHERS.get(linkType) ?? `LINKTYPE_${linkType}`;

/** IEEE 802 numbers (https://www.iana.org/assignments/ieee-802-numbers/). */
export const EtherType = {
  IPV4: 0x0800,
  IPV6: 0x86dd,
  VLAN: 0x8100,
  PROVIDER_VLAN: 0x88a8,
  OLD_PROVIDER_VLAN: 0x9100,
  MPLS: 0x8847,
  MPLS_MULTICAST: 0x8848,
  PPPOE_SESSION: 0x8864,
  BACKBONE_SERVICE: 0x88e7,
  TRANSPARENT_ETHERNET: 0x6558,
  PPP: 0x880b,
  ERSPAN: 0x88be,
  ERSPAN_III: 0x22eb,
} as const;

/** What starts at `at` is of the EtherType `type`, and ends before `end`. */
export interface Cursor {
  bytes: Uint8Array;
  at: number;
  end: number;
  type: number;
}

/** Moves from the start of a frame to its IP header. False: there is none, or the frame is too short to tell. */
export function toNetworkLayer(cursor: Cursor, linkType: number): boolean {
  return overLink(cursor, linkType) && toIp(cursor);
}

function overLink(cursor: Cursor, linkType: number): boolean {
  switch (linkType) {
    case 1:
      return overEthernet(cursor);
    case 0:
    case 108:
      return overLoopback(cursor);
    case 113:
      // Packet type, ARPHRD_ type, address length, address (8 bytes), protocol.
      return over(cursor, 16, 14);
    case 276:
      // Protocol, reserved, interface index, ARPHRD_ type, packet type, address length, address (8 bytes).
      return over(cursor, 20, 0);
    case 104:
      // Cisco HDLC: address, control, protocol.
      return over(cursor, 4, 2);
    case 204:
      // Who sent it, then PPP.
      return skip(cursor, 1) && overPpp(cursor);
    case 9:
    case 50:
      return overPpp(cursor);
    case 239:
      return overNflog(cursor);
    case 12:
    case 14:
    case 101:
    case 228:
    case 229:
      return byVersion(cursor);
    default:
      return false;
  }
}

/** A header of `length` bytes, the EtherType of what follows at `type` in it. */
function over(cursor: Cursor, length: number, type: number): boolean {
  if (cursor.end - cursor.at < length) return false;
  cursor.type = u16(cursor.bytes, cursor.at + type);
  cursor.at += length;
  return true;
}

function skip(cursor: Cursor, length: number): boolean {
  cursor.at += length;
  return cursor.at <= cursor.end;
}

const LENGTHS_END = 1536;
const SNAP = 0xaaaa03;

/** Destination, source, EtherType; or a length, and then LLC with SNAP (RFC 1042). */
function overEthernet(cursor: Cursor): boolean {
  if (!over(cursor, 14, 12)) return false;
  if (cursor.type >= LENGTHS_END) return true;
  const snap = cursor.end - cursor.at >= 8 && u32(cursor.bytes, cursor.at) >>> 8 === SNAP;
  return snap && over(cursor, 8, 6);
}

/** An address family in the byte order of the host that captured (NULL) or of the network (LOOP): so in either. */
function overLoopback(cursor: Cursor): boolean {
  if (cursor.end - cursor.at < 4) return false;
  const family = Math.min(u32(cursor.bytes, cursor.at), u32le(cursor.bytes, cursor.at));
  cursor.at += 4;
  // AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on macOS.
  if (family === 2) cursor.type = EtherType.IPV4;
  else if (family === 10 || family === 24 || family === 28 || family === 30) cursor.type = EtherType.IPV6;
  else return false;
  return true;
}

const NFULA_PAYLOAD = 9;

/** Family, version, resource; then lengths and types in the byte order of the host that captured, values padded to 32 bits. */
function overNflog(cursor: Cursor): boolean {
  const { bytes } = cursor;
  if (!skip(cursor, 4)) return false;
  while (cursor.end - cursor.at >= 4) {
    const length = u16le(bytes, cursor.at);
    if (length < 4) return false;
    if (u16le(bytes, cursor.at + 2) === NFULA_PAYLOAD) {
      cursor.end = Math.min(cursor.end, cursor.at + length);
      return skip(cursor, 4) && byVersion(cursor);
    }
    cursor.at += (length + 3) & ~3;
  }
  return false;
}

/** An IPv4 or IPv6 header and nothing before it. */
export function byVersion(cursor: Cursor): boolean {
  const version = cursor.at < cursor.end ? cursor.bytes[cursor.at]! >>> 4 : 0;
  cursor.type = version === 4 ? EtherType.IPV4 : EtherType.IPV6;
  return version === 4 || version === 6;
}

/** PPP (RFC 1661 §2, RFC 1662 §3.1): perhaps address and control, then a protocol of one byte (odd) or two. */
export function overPpp(cursor: Cursor): boolean {
  const { bytes, end } = cursor;
  if (end - cursor.at >= 2 && u16(bytes, cursor.at) === 0xff03) cursor.at += 2;
  if (end - cursor.at < 2) return false;
  const short = (bytes[cursor.at]! & 1) === 1;
  const protocol = short ? bytes[cursor.at]! : u16(bytes, cursor.at);
  cursor.at += short ? 1 : 2;
  if (protocol === 0x21) cursor.type = EtherType.IPV4;
  else if (protocol === 0x57) cursor.type = EtherType.IPV6;
  else return false;
  return true;
}

/** More tags than this are an attack on the loop. */
const MOST_TAGS = 8;

/** From where something of the cursor's EtherType begins to the IP header in it. */
export function toIp(cursor: Cursor): boolean {
  for (let tags = 0; tags < MOST_TAGS; tags++) {
    if (cursor.type === EtherType.IPV4 || cursor.type === EtherType.IPV6) return true;
    if (!overTag(cursor)) return false;
  }
  return false;
}

function overTag(cursor: Cursor): boolean {
  switch (cursor.type) {
    case EtherType.VLAN:
    case EtherType.PROVIDER_VLAN:
    case EtherType.OLD_PROVIDER_VLAN:
      // IEEE 802.1Q: priority and VLAN identifier, then the EtherType of what is tagged.
      return over(cursor, 4, 2);
    case EtherType.PPPOE_SESSION:
      // RFC 2516 §4: version and type, code, session, length; then PPP without address and control.
      return skip(cursor, 6) && overPpp(cursor);
    case EtherType.MPLS:
    case EtherType.MPLS_MULTICAST:
      return overMpls(cursor);
    case EtherType.PPP:
      return overPpp(cursor);
    case EtherType.BACKBONE_SERVICE:
      // IEEE 802.1ah: priority and service identifier, then the customer's frame.
      return skip(cursor, 4) && overEthernet(cursor);
    case EtherType.TRANSPARENT_ETHERNET:
      return overEthernet(cursor);
    case EtherType.ERSPAN:
      // draft-foschiano-erspan §4.2: version, VLAN, session, index.
      return skip(cursor, 8) && overEthernet(cursor);
    case EtherType.ERSPAN_III:
      return overErspanIII(cursor) && overEthernet(cursor);
    default:
      return false;
  }
}

/** draft-foschiano-erspan §4.3: twelve bytes, and eight more if the last bit says so. */
function overErspanIII(cursor: Cursor): boolean {
  if (!skip(cursor, 12)) return false;
  return (cursor.bytes[cursor.at - 1]! & 1) === 0 || skip(cursor, 8);
}

/** RFC 3032 §2.1: label entries of four bytes, the last marked; nothing says what follows but its own first bits. */
function overMpls(cursor: Cursor): boolean {
  for (let labels = 0; labels < MOST_TAGS && cursor.end - cursor.at >= 4; labels++) {
    const bottom = (cursor.bytes[cursor.at + 2]! & 1) === 1;
    cursor.at += 4;
    if (bottom) return byVersion(cursor);
  }
  return false;
}

/**
 * Over a GRE header (RFC 2784 §2, RFC 2890 §2; version 1: RFC 2637 §4.1) to the network layer of what it carries.
 *
 *   0 |C|R|K|S|s|Recur|A| Flags | Ver |         Protocol Type         |
 */
export function overGre(cursor: Cursor): boolean {
  const { bytes, at, end } = cursor;
  if (end - at < 4) return false;
  const flags = u16(bytes, at);
  const version = flags & 7;
  // Source routes (R) went with RFC 2784.
  if (version > 1 || flags & 0x4000) return false;
  let length = 4;
  if (flags & 0x8000) length += 4;
  if (flags & 0x2000) length += 4;
  if (flags & 0x1000) length += 4;
  if (version === 1 && flags & 0x0080) length += 4;
  if (!over(cursor, length, 2)) return false;
  // The first ERSPAN has no header of its own, and no sequence number in GRE's.
  if (cursor.type === EtherType.ERSPAN && !(flags & 0x1000)) cursor.type = EtherType.TRANSPARENT_ETHERNET;
  return toIp(cursor);
}
