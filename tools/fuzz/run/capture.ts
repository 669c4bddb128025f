/** A dialogue as a capture, for `kindred replay`, tshark and whoever else reads captures: the realserver's side of it. */
import type { Helper } from "../../../core/helper/api.ts";
import type { Direction, Endpoint } from "../../../core/units.ts";
import { putU16, putU32 } from "../../../core/wire/bytes.ts";
import {
  enhancedPacket,
  interfaceDescription,
  LINK_TYPE_RAW,
  sectionHeader,
} from "../../../core/wire/capture/writer.ts";
import { fold, pseudoHeaderSum, sumOf } from "../../../core/wire/checksum.ts";
import type { Dialogue } from "../generate/ftp/model.ts";
import { ipLength, putIp } from "../hosts/ip.ts";
import { clientOf, type Place, realOf, transportOf } from "../hosts/service.ts";
import { textBytes } from "../hosts/text.ts";

const TCP = 6;
const UDP = 17;
const HEADER = 20;
const UDP_HEADER = 8;
/** More does not fit into a packet. */
const MOST_SAID = 60_000;
const [SYN, PUSH, ACK] = [2, 8, 16];
const WINDOW = 65535;

interface End extends Endpoint {
  sequence: number;
}

const NOTHING = new Uint8Array(0);

/** Packets one after the other, a millisecond apart, as pcapng. `place`: where they are seen. */
export class Recording {
  frames = 0;
  readonly #blocks: Uint8Array[];

  constructor(place: string) {
    this.#blocks = [sectionHeader(), interfaceDescription(LINK_TYPE_RAW, place)];
  }

  put(packet: Uint8Array, comment = ""): void {
    const milliseconds = this.frames++;
    const [seconds, rest] = [Math.floor(milliseconds / 1000), milliseconds % 1000];
    this.#blocks.push(enhancedPacket(0, seconds, rest * 1_000_000, packet, comment));
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#blocks);
  }
}

/** A TCP connection in a recording, from its handshake on. */
export class Stream {
  readonly #recording: Recording;
  readonly #client: End;
  readonly #server: End;

  constructor(recording: Recording, client: Endpoint, server: Endpoint, comment = "") {
    this.#recording = recording;
    this.#client = { ...client, sequence: 1000 };
    this.#server = { ...server, sequence: 5000 };
    this.#send("original", SYN, NOTHING, comment);
    this.#send("reply", SYN | ACK, NOTHING);
    this.#send("original", ACK, NOTHING);
  }

  /** In one segment, or in several where there is more than fits into one. */
  say(speaker: Direction, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += MOST_SAID) {
      this.#send(speaker, PUSH | ACK, bytes.subarray(at, at + MOST_SAID));
    }
  }

  #send(speaker: Direction, flags: number, payload: Uint8Array, comment = ""): void {
    const [from, to] = speaker === "original" ? [this.#client, this.#server] : [this.#server, this.#client];
    this.#recording.put(segmentOf(from, to, flags, payload), comment);
    from.sequence += payload.length + ((flags & SYN) === 0 ? 0 : 1);
  }
}

/** As pcapng. Over TCP each message is a segment of its own, over UDP a datagram. */
export function captureOf({ ends, turns }: Dialogue, helper: Helper, comment: string): Uint8Array {
  const place: Place = { helper, ends };
  const recording = new Recording(`${PLACE}${ends.virtual}`);
  const say = transportOf(place) === "tcp" ? segments(recording, place, comment) : datagrams(recording, place, comment);
  for (const { speaker, messages } of turns) for (const { said } of messages) say(speaker, textBytes(said));
  return recording.bytes();
}

type Say = (speaker: Direction, bytes: Uint8Array) => void;

function segments(recording: Recording, place: Place, comment: string): Say {
  const stream = new Stream(recording, clientOf(place), realOf(place), comment);
  return (speaker, bytes) => stream.say(speaker, bytes);
}

function datagrams(recording: Recording, place: Place, comment: string): Say {
  const [client, real] = [clientOf(place), realOf(place)];
  return (speaker, bytes) => {
    const [from, to] = speaker === "original" ? [client, real] : [real, client];
    const packet = datagramOf(from, to, bytes.subarray(0, MOST_SAID));
    recording.put(packet, recording.frames === 0 ? comment : "");
  };
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

function datagramOf(from: Endpoint, to: Endpoint, payload: Uint8Array): Uint8Array {
  const [packet, at] = packetOf(from, to, UDP, UDP_HEADER, payload);
  putU16(packet, at + 4, UDP_HEADER + payload.length);
  // 0 would say that there is none (RFC 768).
  putU16(packet, at + 6, checksumOf(packet, at, UDP) || 0xffff);
  return packet;
}

/** Ports are where both protocols have them. */
function packetOf(
  from: Endpoint,
  to: Endpoint,
  protocol: number,
  header: number,
  payload: Uint8Array,
): [Uint8Array, number] {
  const packet = new Uint8Array(ipLength(from) + header + payload.length);
  const at = putIp(packet, from, to, protocol, header + payload.length);
  if (from.address.family === 4) putU16(packet, 10, ~fold(sumOf(packet, 0, at)) & 0xffff);
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
