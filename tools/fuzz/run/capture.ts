/** A dialogue as a capture, for `kindred replay`, tshark and whoever else reads captures: the realserver's side of it. */
import type { Helper } from "../../../core/helper/api.ts";
import type { Address } from "../../../core/wire/address.ts";
import { putU16, putU32 } from "../../../core/wire/bytes.ts";
import {
  enhancedPacket,
  interfaceDescription,
  LINK_TYPE_RAW,
  sectionHeader,
} from "../../../core/wire/capture/writer.ts";
import { fold, pseudoHeaderSum, sumOf } from "../../../core/wire/checksum.ts";
import type { Dialogue } from "../generate/ftp/model.ts";
import { addressOf, portOf, transportOf } from "../hosts/service.ts";
import { textBytes } from "../hosts/text.ts";

const TCP = 6;
const UDP = 17;
const HEADER = 20;
const UDP_HEADER = 8;
/** More does not fit into a packet. */
const MOST_SAID = 60_000;
const [SYN, PUSH, ACK] = [2, 8, 16];
const WINDOW = 65535;
const CLIENT_PORT = 40000;

interface End {
  readonly address: Address;
  readonly port: number;
  sequence: number;
}

/** As pcapng. Over TCP each message is a segment of its own (or several, of the longest), over UDP a datagram. */
export function captureOf({ ends, turns }: Dialogue, helper: Helper, comment: string): Uint8Array {
  const port = portOf({ helper, ends });
  const client: End = { address: addressOf(ends.client), port: CLIENT_PORT, sequence: 1000 };
  const server: End = { address: addressOf(ends.real), port, sequence: 5000 };
  const blocks = [sectionHeader(), interfaceDescription(LINK_TYPE_RAW, `${PLACE}${ends.virtual}`)];
  let frames = 0;
  const put = (packet: Uint8Array): void => {
    blocks.push(enhancedPacket(0, 0, frames * 1_000_000, packet, frames === 0 ? comment : ""));
    frames++;
  };
  const send = (from: End, to: End, flags: number, payload: Uint8Array): void => {
    put(segmentOf(from, to, flags, payload));
    from.sequence += payload.length + ((flags & SYN) === 0 ? 0 : 1);
  };
  const tcp = transportOf(helper) === "tcp";
  const nothing = new Uint8Array(0);
  if (tcp) {
    send(client, server, SYN, nothing);
    send(server, client, SYN | ACK, nothing);
    send(client, server, ACK, nothing);
  }
  for (const { speaker, messages } of turns) {
    const [from, to] = speaker === "original" ? [client, server] : [server, client];
    for (const { said } of messages) {
      const bytes = textBytes(said);
      if (!tcp) put(datagramOf(from, to, bytes.subarray(0, MOST_SAID)));
      else
        for (let at = 0; at < bytes.length; at += MOST_SAID)
          send(from, to, PUSH | ACK, bytes.subarray(at, at + MOST_SAID));
    }
  }
  return Buffer.concat(blocks);
}

/** Who captured it, and which address the clients know. */
export const PLACE = "realserver-side of ";

function segmentOf(from: End, to: End, flags: number, payload: Uint8Array): Uint8Array {
  const [packet, at] = packetOf(from, to, TCP, HEADER, payload);
  putU32(packet, at + 4, from.sequence);
  putU32(packet, at + 8, (flags & ACK) === 0 ? 0 : to.sequence);
  packet[at + 12] = (HEADER / 4) << 4;
  packet[at + 13] = flags;
  putU16(packet, at + 14, WINDOW);
  putU16(packet, at + 16, checksumOf(packet, at, TCP));
  return packet;
}

function datagramOf(from: End, to: End, payload: Uint8Array): Uint8Array {
  const [packet, at] = packetOf(from, to, UDP, UDP_HEADER, payload);
  putU16(packet, at + 4, UDP_HEADER + payload.length);
  // 0 would say that there is none (RFC 768).
  putU16(packet, at + 6, checksumOf(packet, at, UDP) || 0xffff);
  return packet;
}

/** Ports are where both protocols have them. */
function packetOf(from: End, to: End, protocol: number, header: number, payload: Uint8Array): [Uint8Array, number] {
  const v4 = from.address.family === 4;
  const at = v4 ? 20 : 40;
  const packet = new Uint8Array(at + header + payload.length);
  if (v4) putIpv4(packet, from.address, to.address, protocol);
  else putIpv6(packet, from.address, to.address, protocol);
  putU16(packet, at, from.port);
  putU16(packet, at + 2, to.port);
  packet.set(payload, at + header);
  return [packet, at];
}

function checksumOf(packet: Uint8Array, at: number, protocol: number): number {
  const [addresses, behind] = at === 20 ? [12, 20] : [8, 40];
  const pseudo = pseudoHeaderSum(packet, addresses, behind, protocol, packet.length - at);
  return ~fold(sumOf(packet, at, packet.length, pseudo)) & 0xffff;
}

function putIpv4(packet: Uint8Array, from: Address, to: Address, protocol: number): void {
  packet[0] = 0x45;
  putU16(packet, 2, packet.length);
  packet[8] = 64;
  packet[9] = protocol;
  putU32(packet, 12, from.words[3]);
  putU32(packet, 16, to.words[3]);
  putU16(packet, 10, ~fold(sumOf(packet, 0, 20)) & 0xffff);
}

function putIpv6(packet: Uint8Array, from: Address, to: Address, protocol: number): void {
  packet[0] = 0x60;
  putU16(packet, 4, packet.length - 40);
  packet[6] = protocol;
  packet[7] = 64;
  for (let i = 0; i < 4; i++) {
    putU32(packet, 8 + i * 4, from.words[i]!);
    putU32(packet, 24 + i * 4, to.words[i]!);
  }
}
