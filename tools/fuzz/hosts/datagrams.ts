/** A conversation of datagrams through the packet engine: both ends played here. */
import { createBatch, createOutput, NEEDS_CSUM, Side, Verdict } from "../../../core/engine/batch.ts";
import { Engine } from "../../../core/engine.ts";
import type { Decision } from "../../../core/inspect/control.ts";
import type { Direction, Endpoint, Ms } from "../../../core/units.ts";
import { putU16, u16 } from "../../../core/wire/bytes.ts";
import { ipLength, putIp } from "./ip.ts";
import { balancerFor, clientOf, type Place, realOf, SEED, virtualOf } from "./service.ts";
import { bytesText } from "./text.ts";

const NOW = 0 as Ms;
const UDP = 17;
const HEADER = 8;
const MOST_PACKET = 0x10000;
/** More does not fit into a packet. */
export const MOST_DATAGRAM = MOST_PACKET - 100;

interface Hearing {
  readonly end: Endpoint;
  heard: string;
}

export class DatagramRun {
  readonly engine: Engine;
  readonly decisions: Decision[] = [];
  /** What no correct middle would have done. */
  wrong: string | null = null;
  readonly #client: Hearing;
  readonly #server: Hearing;
  readonly #virtual: Endpoint;
  readonly #batch = createBatch(1, new Uint8Array(MOST_PACKET));
  readonly #out = createOutput(1, 2 * MOST_PACKET);

  constructor(place: Place) {
    this.engine = new Engine(balancerFor(place), {
      capacity: 4,
      seed: [SEED, 2],
      explain: (decision) => this.decisions.push(decision),
    });
    this.#client = { end: clientOf(place), heard: "" };
    this.#server = { end: realOf(place), heard: "" };
    this.#virtual = virtualOf(place);
  }

  /** Its speaker says `bytes`, in one datagram. */
  say(direction: Direction, bytes: Uint8Array): void {
    const batch = this.#batch;
    const original = direction === "original";
    const from = original ? this.#client.end : this.#server.end;
    const to = original ? this.#virtual : this.#client.end;
    const at = putIp(batch.bytes, from, to, UDP, HEADER + bytes.length);
    putU16(batch.bytes, at, from.port);
    putU16(batch.bytes, at + 2, to.port);
    putU16(batch.bytes, at + 4, HEADER + bytes.length);
    putU16(batch.bytes, at + 6, 0);
    batch.bytes.set(bytes, at + HEADER);
    batch.offset[0] = 0;
    batch.length[0] = at + HEADER + bytes.length;
    batch.side[0] = original ? Side.CLIENT : Side.REAL;
    batch.offload[0] = NEEDS_CSUM;
    batch.count = 1;
    this.engine.process(batch, NOW, this.#out);
    this.#deliver();
  }

  /** What the receiver of `direction` has heard. */
  heard(direction: Direction): string {
    return (direction === "original" ? this.#server : this.#client).heard;
  }

  end(): void {}

  #deliver(): void {
    const { sent, verdict } = this.#out;
    const { bytes, length } = this.#batch;
    if (verdict[0] === Verdict.TO_REAL || verdict[0] === Verdict.TO_CLIENT)
      this.#arrive(verdict[0]!, bytes.subarray(0, length[0]!));
    for (let i = 0; i < sent.count; i++) {
      const at = sent.offset[i]!;
      this.#arrive(sent.verdict[i]!, sent.bytes.subarray(at, at + sent.length[i]!));
    }
  }

  #arrive(verdict: number, packet: Uint8Array): void {
    const to = verdict === Verdict.TO_REAL ? this.#server : this.#client;
    const at = ipLength(to.end);
    if (u16(packet, at + 2) !== to.end.port) this.wrong ??= "a datagram for another port";
    if (u16(packet, at + 4) !== packet.length - at) this.wrong ??= "a datagram of another length";
    to.heard += bytesText(packet.subarray(at + HEADER));
  }
}
