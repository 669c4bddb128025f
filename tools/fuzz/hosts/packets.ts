/**
 * A dialogue through the packet engine: both ends played here, in order of what they are sent, every segment acknowledged
 * at once. The network between may repeat segments and change their order.
 */
import type { Balancer } from "../../../core/balancer.ts";
import { createBatch, createOutput, NEEDS_CSUM, Side, Verdict } from "../../../core/engine/batch.ts";
import { Engine } from "../../../core/engine.ts";
import type { Decision } from "../../../core/inspect/control.ts";
import { type Direction, type Endpoint, type Ms, opposite } from "../../../core/units.ts";
import { putU16, putU32, u16, u32 } from "../../../core/wire/bytes.ts";
import type { Piece } from "../generate/segments.ts";
import { ipLength, putIp } from "./ip.ts";
import { balancerFor, clientOf, type Place, realOf, SEED, virtualOf } from "./service.ts";
import { bytesText } from "./text.ts";

const NOW = 0 as Ms;
const [FIN, SYN, RST, PSH, ACK] = [1, 2, 4, 8, 16];
const TCP_HEADER = 20;
const PROTOCOL = 6;
const WINDOW = 65535;
const NOTHING = new Uint8Array(0);
const MOST_PACKET = 4096;

interface End {
  readonly self: Endpoint;
  readonly peer: Endpoint;
  readonly side: number;
  /** What it says goes this way. */
  readonly speaks: Direction;
  /** Of the next byte that it says, and of the next that it waits for. */
  sequence: number;
  next: number;
  heard: string;
  closed: boolean;
  /** What came before the bytes in front of it. */
  readonly early: Map<number, { readonly payload: Uint8Array; readonly last: boolean }>;
}

export interface PacketOptions {
  /** Initial sequence numbers. */
  readonly client: number;
  readonly server: number;
  /** False: nobody hears of decisions, and they are counted only. */
  readonly told?: boolean;
  /** As of the engine's options. */
  readonly short?: boolean;
}

export class PacketRun {
  readonly engine: Engine;
  readonly balancer: Balancer;
  /** What was sent, in this order. */
  readonly packets: Uint8Array[] = [];
  readonly decisions: Decision[] = [];
  /** What no correct middle would have done. */
  wrong: string | null = null;
  readonly #client: End;
  readonly #server: End;
  readonly #batch = createBatch(1, new Uint8Array(MOST_PACKET));
  readonly #out = createOutput(1, 0x20000);
  readonly #header: number;

  constructor(place: Place, { client, server, told = true, short = true }: PacketOptions) {
    this.balancer = balancerFor(place);
    const explain = (decision: Decision) => this.decisions.push(decision);
    this.engine = new Engine(this.balancer, { capacity: 4, seed: [SEED, 2], short, ...(told && { explain }) });
    const ends = () => ({ next: 0, heard: "", closed: false, early: new Map() });
    const [at, virtual, real] = [clientOf(place), virtualOf(place), realOf(place)];
    this.#client = { ...ends(), self: at, peer: virtual, side: Side.CLIENT, speaks: "original", sequence: client };
    this.#server = { ...ends(), self: real, peer: at, side: Side.REAL, speaks: "reply", sequence: server };
    this.#header = ipLength(at);
    this.#handshake();
  }

  /** Its speaker says `bytes`, in segments of the given pieces of it, which all of it is in. */
  say(direction: Direction, bytes: Uint8Array, segments: readonly Piece[]): void {
    const from = this.#speaker(direction);
    const begun = from.sequence;
    for (const { start, end } of segments) {
      this.#send(from, PSH | ACK, (begun + start) >>> 0, bytes.subarray(start, end));
    }
    from.sequence = (begun + bytes.length) >>> 0;
  }

  /** What the receiver of `direction` has heard. */
  heard(direction: Direction): string {
    return this.#speaker(opposite(direction)).heard;
  }

  end(): void {
    for (const end of [this.#client, this.#server]) {
      this.#send(end, FIN | ACK, end.sequence, NOTHING);
      end.sequence = (end.sequence + 1) >>> 0;
    }
    if (!this.#client.closed || !this.#server.closed) this.#fault("an end never hears that the other has closed");
  }

  #speaker(direction: Direction): End {
    return direction === "original" ? this.#client : this.#server;
  }

  #handshake(): void {
    const [client, server] = [this.#client, this.#server];
    this.#send(client, SYN, client.sequence, NOTHING);
    client.sequence = (client.sequence + 1) >>> 0;
    this.#send(server, SYN | ACK, server.sequence, NOTHING);
    server.sequence = (server.sequence + 1) >>> 0;
    this.#send(client, ACK, client.sequence, NOTHING);
  }

  #send(from: End, flags: number, sequence: number, payload: Uint8Array): void {
    const batch = this.#batch;
    batch.offset[0] = 0;
    batch.length[0] = this.#header + TCP_HEADER + payload.length;
    batch.side[0] = from.side;
    batch.offload[0] = NEEDS_CSUM;
    batch.count = 1;
    this.#write(from, flags, sequence, payload);
    this.engine.process(batch, NOW, this.#out);
    const { sent, verdict } = this.#out;
    const packets: [number, Uint8Array][] = [];
    if (verdict[0] === Verdict.TO_REAL || verdict[0] === Verdict.TO_CLIENT) {
      packets.push([verdict[0], batch.bytes.slice(0, batch.length[0])]);
    }
    for (let i = 0; i < sent.count; i++) {
      packets.push([sent.verdict[i]!, sent.bytes.slice(sent.offset[i]!, sent.offset[i]! + sent.length[i]!)]);
    }
    for (const [, packet] of packets) this.packets.push(packet);
    for (const [to, packet] of packets) this.#arrive(to === Verdict.TO_REAL ? this.#server : this.#client, packet);
  }

  #write({ self, peer, next }: End, flags: number, sequence: number, payload: Uint8Array): void {
    const { bytes } = this.#batch;
    const at = putIp(bytes, self, peer, PROTOCOL, TCP_HEADER + payload.length);
    bytes.fill(0, at, at + TCP_HEADER);
    putU16(bytes, at, self.port);
    putU16(bytes, at + 2, peer.port);
    putU32(bytes, at + 4, sequence);
    putU32(bytes, at + 8, (flags & ACK) === 0 ? 0 : next);
    bytes[at + 12] = (TCP_HEADER / 4) << 4;
    bytes[at + 13] = flags;
    putU16(bytes, at + 14, WINDOW);
    bytes.set(payload, at + TCP_HEADER);
  }

  #arrive(at: End, packet: Uint8Array): void {
    const header = this.#header;
    const flags = packet[header + 13]!;
    const sequence = u32(packet, header + 4);
    const payload = packet.subarray(header + (packet[header + 12]! >> 4) * 4);
    if (u16(packet, header + 2) !== at.self.port) this.#fault("a packet for another port");
    if ((flags & RST) !== 0) this.#fault("the connection was reset");
    if ((flags & SYN) !== 0) {
      at.next = (sequence + 1) >>> 0;
      return;
    }
    if ((flags & ACK) !== 0 && ((u32(packet, header + 8) - at.sequence) | 0) > MOST_PACKET * 8) {
      this.#fault("what was not said is acknowledged");
    }
    this.#hear(at, sequence, payload, (flags & FIN) !== 0);
  }

  /** What is new of it, in order; then it is acknowledged. */
  #hear(at: End, sequence: number, payload: Uint8Array, last: boolean): void {
    if (payload.length === 0 && !last) return;
    if (((at.next - sequence) | 0) < 0) at.early.set(sequence, { payload: payload.slice(), last });
    else this.#take(at, sequence, payload, last);
    this.#send(at, ACK, at.sequence, NOTHING);
  }

  #take(at: End, sequence: number, payload: Uint8Array, last: boolean): void {
    const known = (at.next - sequence) | 0;
    if (known > payload.length) return;
    const fresh = payload.subarray(known);
    at.heard += bytesText(fresh);
    at.next = (at.next + fresh.length) >>> 0;
    if (last && !at.closed) {
      at.closed = true;
      at.next = (at.next + 1) >>> 0;
    }
    for (const [start, piece] of at.early) {
      if (((at.next - start) | 0) < 0) continue;
      at.early.delete(start);
      this.#take(at, start, piece.payload, piece.last);
    }
  }

  #fault(what: string): void {
    this.wrong ??= what;
  }
}
