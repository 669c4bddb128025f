/**
 * Tunnels in UDP, known by their ports: VXLAN, Geneve, GTP-U, L2TP, Teredo. What does not begin like a tunnel on its port
 * is a datagram like any other.
 */
import { u16, u32 } from "./bytes.ts";
import { byVersion, type Cursor, EtherType } from "./link.ts";

const VXLAN = 4789;
/** What Linux uses unless it is told otherwise. */
const VXLAN_LINUX = 8472;
const VXLAN_GPE = 4790;
const GENEVE = 6081;
const GTP_USER = 2152;
const L2TP = 1701;
const TEREDO = 3544;

/** A datagram with none of these is no tunnel. */
export const TUNNEL_PORTS: readonly number[] = [VXLAN, VXLAN_LINUX, VXLAN_GPE, GENEVE, GTP_USER, L2TP, TEREDO];

/** Moves from behind a UDP header over that of the tunnel, and says so if it is one; the cursor's type is then set. */
type Header = (cursor: Cursor) => boolean;

/** What datagrams between these ports may begin with, if they carry packets. */
export function tunnelIn(source: number, destination: number): Header | null {
  // The source port of the first ones is a hash of what is inside (RFC 7348 §5).
  if (destination === VXLAN || destination === VXLAN_LINUX) return overVxlan;
  if (destination === VXLAN_GPE) return overVxlanGpe;
  if (destination === GENEVE || source === GENEVE) return overGeneve;
  if (destination === GTP_USER || source === GTP_USER) return overGtp;
  if (destination === L2TP || source === L2TP) return overL2tp;
  if (destination === TEREDO || source === TEREDO) return overTeredo;
  return null;
}

/**
 * RFC 7348 §5.
 *
 *   0 |R|R|R|R|I|R|R|R|            Reserved                           |
 *   4 |                VXLAN Network Identifier (VNI) |   Reserved    |
 */
function overVxlan(cursor: Cursor): boolean {
  const { bytes, at, end } = cursor;
  if (end - at < 8 || u32(bytes, at) !== 0x08000000 || bytes[at + 7] !== 0) return false;
  cursor.at += 8;
  cursor.type = EtherType.TRANSPARENT_ETHERNET;
  return true;
}

/** draft-ietf-nvo3-vxlan-gpe §3.2: the same, with a flag P that says that a byte names the protocol inside. */
function overVxlanGpe(cursor: Cursor): boolean {
  const { bytes, at, end } = cursor;
  if (end - at < 8 || (bytes[at]! & 0x0c) !== 0x0c) return false;
  cursor.at += 8;
  if (bytes[at + 3] === 3) cursor.type = EtherType.TRANSPARENT_ETHERNET;
  else if (bytes[at + 3] === 1) cursor.type = EtherType.IPV4;
  else if (bytes[at + 3] === 2) cursor.type = EtherType.IPV6;
  else return false;
  return true;
}

/**
 * RFC 8926 §3.4.
 *
 *   0 |Ver|  Opt Len  |O|C|    Rsvd.  |          Protocol Type        |
 *   4 |        Virtual Network Identifier (VNI)       |    Reserved   |
 *   8 |                    Variable-Length Options                    |
 */
function overGeneve(cursor: Cursor): boolean {
  const { bytes, at, end } = cursor;
  if (end - at < 8 || bytes[at]! >>> 6 !== 0 || (bytes[at + 1]! & 0x3f) !== 0) return false;
  cursor.type = u16(bytes, at + 2);
  cursor.at += 8 + ((bytes[at]! & 0x3f) << 2);
  return cursor.at <= end;
}

const G_PDU = 255;

/**
 * 3GPP TS 29.281 §5.1. Sequence number, N-PDU number and the type of the first extension header are there together, if any
 * of them is flagged.
 *
 *   0 | Ver |P|*|E|S|N|  Message Type |             Length            |
 *   4 |                 Tunnel Endpoint Identifier                    |
 *   8 |       Sequence Number         | N-PDU Number  |Next Extension |
 */
function overGtp(cursor: Cursor): boolean {
  const { bytes, at, end } = cursor;
  if (end - at < 8 || bytes[at]! >>> 4 !== 3 || bytes[at + 1] !== G_PDU) return false;
  cursor.at += 8;
  if ((bytes[at]! & 7) !== 0) cursor.at += 4;
  let more = (bytes[at]! & 4) !== 0;
  // Extension headers (§5.2.1): length in units of four bytes, content, the type of the next.
  while (more && cursor.at <= end) {
    if (bytes[cursor.at - 1] === 0) more = false;
    else if (bytes[cursor.at] === 0) return false;
    else cursor.at += bytes[cursor.at]! << 2;
  }
  return byVersion(cursor);
}

/**
 * RFC 2661 §3.1; what is not flagged is not there.
 *
 *   |T|L|x|x|S|x|O|P|x|x|x|x|  Ver  | Length | Tunnel ID | Session ID | Ns | Nr | Offset Size, padding |
 */
function overL2tp(cursor: Cursor): boolean {
  const { bytes, at, end } = cursor;
  if (end - at < 6) return false;
  const flags = u16(bytes, at);
  // Control messages carry no packets.
  if ((flags & 0x800f) !== 2) return false;
  cursor.at += 6;
  if (flags & 0x4000) cursor.at += 2;
  if (flags & 0x0800) cursor.at += 4;
  if (flags & 0x0200) {
    if (end - cursor.at < 2) return false;
    cursor.at += 2 + u16(bytes, cursor.at);
  }
  cursor.type = EtherType.PPP;
  return cursor.at <= end;
}

/** RFC 4380 §5.1.1: perhaps authentication and origin, then IPv6. */
function overTeredo(cursor: Cursor): boolean {
  const { bytes, end } = cursor;
  if (end - cursor.at >= 13 && u16(bytes, cursor.at) === 1)
    cursor.at += 13 + bytes[cursor.at + 2]! + bytes[cursor.at + 3]!;
  if (end - cursor.at >= 8 && u16(bytes, cursor.at) === 0) cursor.at += 8;
  return byVersion(cursor) && cursor.type === EtherType.IPV6;
}
