/** A dialogue as a capture, for `kindred replay`, tshark and whoever else reads captures: the realserver's side of it. */

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
import { addressOf } from "../hosts/service.ts";
import { textBytes } from "../hosts/text.ts";

const TCP = 6;
const HEADER = 20;
const [SYN, PUSH, ACK] = [2, 8, 16];
const WINDOW = 65535;
const CLIENT_PORT = 40000;

interface End {
  readonly address: Address;
  readonly port: number;
  sequence: number;
}

/** As pcapng; `port`: the server's. Each message is a segment of its own. */
export function captureOf({ ends, turns }: Dialogue, port: number, comment: string): Uint8Array {
  const client: End = { address: addressOf(ends.client), port: CLIENT_PORT, sequence: 1000 };
  const server: End = { address: addressOf(ends.real), port, sequence: 5000 };
  const blocks = [sectionHeader(), interfaceDescription(LINK_TYPE_RAW, "realserver-side")];
  let frames = 0;
  const send = (from: End, to: End, flags: number, payload: Uint8Array): void => {
    const packet = packetOf(from, to, flags, payload);
    blocks.push(enhancedPacket(0, 0, frames * 1_000_000, packet, frames === 0 ? comment : ""));
    frames++;
    from.sequence += payload.length + ((flags & SYN) === 0 ? 0 : 1);
  };
  const nothing = new Uint8Array(0);
  send(client, server, SYN, nothing);
  send(server, client, SYN | ACK, nothing);
  send(client, server, ACK, nothing);
  for (const { speaker, messages } of turns) {
    const [from, to] = speaker === "original" ? [client, server] : [server, client];
    for (const { said } of messages) if (said !== "") send(from, to, PUSH | ACK, textBytes(said));
  }
  return Buffer.concat(blocks);
}

function packetOf(from: End, to: End, flags: number, payload: Uint8Array): Uint8Array {
  const v4 = from.address.family === 4;
  const at = v4 ? 20 : 40;
  const packet = new Uint8Array(at + HEADER + payload.length);
  if (v4) putIpv4(packet, from.address, to.address);
  else putIpv6(packet, from.address, to.address);
  putU16(packet, at, from.port);
  putU16(packet, at + 2, to.port);
  putU32(packet, at + 4, from.sequence);
  putU32(packet, at + 8, (flags & ACK) === 0 ? 0 : to.sequence);
  packet[at + 12] = (HEADER / 4) << 4;
  packet[at + 13] = flags;
  putU16(packet, at + 14, WINDOW);
  packet.set(payload, at + HEADER);
  const [addresses, behind] = v4 ? [12, 20] : [8, 40];
  const sum = sumOf(packet, at, packet.length, pseudoHeaderSum(packet, addresses, behind, TCP, packet.length - at));
  putU16(packet, at + 16, ~fold(sum) & 0xffff);
  return packet;
}

function putIpv4(packet: Uint8Array, from: Address, to: Address): void {
  packet[0] = 0x45;
  putU16(packet, 2, packet.length);
  packet[8] = 64;
  packet[9] = TCP;
  putU32(packet, 12, from.words[3]);
  putU32(packet, 16, to.words[3]);
  putU16(packet, 10, ~fold(sumOf(packet, 0, 20)) & 0xffff);
}

function putIpv6(packet: Uint8Array, from: Address, to: Address): void {
  packet[0] = 0x60;
  putU16(packet, 4, packet.length - 40);
  packet[6] = TCP;
  packet[7] = 64;
  for (let i = 0; i < 4; i++) {
    putU32(packet, 8 + i * 4, from.words[i]!);
    putU32(packet, 24 + i * 4, to.words[i]!);
  }
}
