import { fold, halves, pseudoHeaderSum, sumIn, sumOf } from "../wire/checksum.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as ipv6 from "../wire/ipv6.ts";
import * as tcp from "../wire/tcp.ts";
import * as udp from "../wire/udp.ts";

/** Whether the checksum of what is in `[transport, end)` is right; the IP header before it is at `at`. */
export function isIntact(view: DataView, at: number, transport: number, end: number, protocol: number): boolean {
  const v6 = view.getUint8(at) >>> 4 === 6;
  if (protocol === udp.PROTOCOL && view.getUint16(transport + udp.CHECKSUM) === 0) return !v6;
  const addresses = at + (v6 ? ipv6.SOURCE : ipv4.SOURCE);
  const pseudo = sumIn(view, addresses, addresses + (v6 ? 32 : 8), protocol + end - transport);
  return sumIn(view, transport, end, pseudo) === 0xffff;
}

/** The same of a TCP segment, whose payload begins at `from` and adds `payload` to the sum. */
export function isIntactSegment(
  view: DataView,
  at: number,
  transport: number,
  from: number,
  end: number,
  payload: number,
): boolean {
  const pseudo = tcp.PROTOCOL + end - transport + payload;
  if (transport === at + ipv4.HEADER && from === transport + tcp.HEADER) {
    return fold(pseudo + sumOfSeven(view, at + ipv4.SOURCE)) === 0xffff;
  }
  const v6 = view.getUint8(at) >>> 4 === 6;
  const addresses = at + (v6 ? ipv6.SOURCE : ipv4.SOURCE);
  return sumIn(view, transport, from, sumIn(view, addresses, addresses + (v6 ? 32 : 8), pseudo)) === 0xffff;
}

/** Both addresses and the header behind them, of nearly all segments. */
const sumOfSeven = (view: DataView, at: number): number =>
  halves(view.getInt32(at)) +
  halves(view.getInt32(at + 4)) +
  halves(view.getInt32(at + 8)) +
  halves(view.getInt32(at + 12)) +
  halves(view.getInt32(at + 16)) +
  halves(view.getInt32(at + 20)) +
  halves(view.getInt32(at + 24));

/** The same of an ICMP message; ICMPv6 counts a pseudo-header in (RFC 4443 §2.3). */
export function isIntactIcmp(bytes: Uint8Array, at: number, header: number, end: number): boolean {
  const v6 = bytes[at]! >>> 4 === 6;
  const addresses = at + ipv6.SOURCE;
  const pseudo = v6 ? pseudoHeaderSum(bytes, addresses, addresses + 32, icmp.PROTOCOL_V6, end - header) : 0;
  return sumOf(bytes, header, end, pseudo) === 0xffff;
}
