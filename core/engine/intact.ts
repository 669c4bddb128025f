import { pseudoHeaderSum, sumIn, sumOf } from "../wire/checksum.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as ipv6 from "../wire/ipv6.ts";
import * as udp from "../wire/udp.ts";

/** Whether the checksum of what is in `[transport, end)` is right; the IP header before it is at `at`. */
export function isIntact(view: DataView, at: number, transport: number, end: number, protocol: number): boolean {
  const v6 = view.getUint8(at) >>> 4 === 6;
  if (protocol === udp.PROTOCOL && view.getUint16(transport + udp.CHECKSUM) === 0) return !v6;
  const addresses = at + (v6 ? ipv6.SOURCE : ipv4.SOURCE);
  const pseudo = sumIn(view, addresses, addresses + (v6 ? 32 : 8), protocol + end - transport);
  return sumIn(view, transport, end, pseudo) === 0xffff;
}

/** The same of an ICMP message; ICMPv6 counts a pseudo-header in (RFC 4443 §2.3). */
export function isIntactIcmp(bytes: Uint8Array, at: number, header: number, end: number): boolean {
  const v6 = bytes[at]! >>> 4 === 6;
  const addresses = at + ipv6.SOURCE;
  const pseudo = v6 ? pseudoHeaderSum(bytes, addresses, addresses + 32, icmp.PROTOCOL_V6, end - header) : 0;
  return sumOf(bytes, header, end, pseudo) === 0xffff;
}
