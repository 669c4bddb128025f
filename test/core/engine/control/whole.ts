/** The whole packet engine between the ends: packets with all their headers, batches of one. */
import { createBatch, createOutput, Side, Verdict } from "../../../../core/engine/batch.ts";
import { Engine } from "../../../../core/engine.ts";
import type { Direction, Ms } from "../../../../core/units.ts";
import { CLIENT } from "../../../conversation.ts";
import { ones, route, wrong } from "../../../packets.ts";
import type { Clock } from "./clock.ts";
import type { Dialogue, Ends } from "./dialogues.ts";
import { balancerFor, type MakeMiddle, type Middle, told } from "./talk.ts";

export const SEED = 7;
/** Milliseconds. */
const TICK = 25;
const HEADER = 20;

interface Hearing {
  /** False: nobody hears of decisions. */
  readonly told?: boolean;
  /** As of the engine's options. */
  readonly short?: boolean;
}

class WholeEngine implements Middle {
  readonly decisions: string[] = [];
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #ends: Ends;
  readonly #emit: (direction: Direction, segment: Uint8Array) => void;
  readonly #batch = createBatch(1, new Uint8Array(70_000));
  readonly #out = createOutput(1);

  constructor(
    { ends }: Dialogue,
    clock: Clock,
    emit: (direction: Direction, segment: Uint8Array) => void,
    { told: hears = true, short = true }: Hearing = {},
  ) {
    this.#ends = ends;
    this.#clock = clock;
    this.#emit = emit;
    const explain = (decision: Parameters<typeof told>[0]) => this.decisions.push(told(decision));
    this.#engine = new Engine(balancerFor(ends), { capacity: 10, seed: [SEED, 2], short, ...(hears && { explain }) });
  }

  get deadline(): number {
    return (Math.floor(this.#clock.now / TICK) + 1) * TICK;
  }

  arrive(direction: Direction, segment: Uint8Array): void {
    const { vip, real } = this.#ends;
    const fromClient = direction === "original";
    const packet = fromClient
      ? wrap(segment, CLIENT.address.words[3], vip.words[3], 40000, 21)
      : wrap(segment, real.words[3], CLIENT.address.words[3], 21, 40000);
    const batch = this.#batch;
    batch.bytes.fill(0xee);
    batch.bytes.set(packet, 5);
    batch.offset[0] = 5;
    batch.length[0] = packet.length;
    batch.side[0] = fromClient ? Side.CLIENT : Side.REAL;
    batch.count = 1;
    this.#engine.process(batch, this.#clock.now as Ms, this.#out);
    const verdict = this.#out.verdict[0]!;
    if (verdict === Verdict.TO_REAL || verdict === Verdict.TO_CLIENT) {
      this.#pass(verdict, batch.bytes.slice(5, 5 + packet.length));
    }
    this.#passSent();
  }

  advance(): void {
    while (this.#engine.advance(this.#clock.now as Ms, this.#out)) this.#passSent();
    this.#passSent();
  }

  #passSent(): void {
    const { bytes, offset, length, verdict, count } = this.#out.sent;
    for (let i = 0; i < count; i++) this.#pass(verdict[i]!, bytes.slice(offset[i]!, offset[i]! + length[i]!));
  }

  #pass(verdict: number, packet: Uint8Array): void {
    const bad = wrong(packet);
    if (bad !== null) throw new Error(bad);
    const { vip, real } = this.#ends;
    const toReal = verdict === Verdict.TO_REAL;
    const expected = toReal ? `${CLIENT.address}:40000 -> ${real}:21` : `${vip}:21 -> ${CLIENT.address}:40000`;
    if (route(packet) !== expected) throw new Error(`${route(packet)} instead of ${expected}`);
    this.#emit(toReal ? "original" : "reply", packet.subarray(HEADER));
  }
}

/** The segment in an IPv4 packet, with ports and checksums. */
function wrap(segment: Uint8Array, from: number, to: number, fromPort: number, toPort: number): Uint8Array {
  const packet = new Uint8Array(HEADER + segment.length);
  const view = new DataView(packet.buffer);
  packet[0] = 0x45;
  view.setUint16(2, packet.length);
  packet[8] = 64;
  packet[9] = 6;
  view.setUint32(12, from);
  view.setUint32(16, to);
  view.setUint16(10, 0xffff - ones(packet.subarray(0, HEADER)));
  packet.set(segment, HEADER);
  view.setUint16(HEADER, fromPort);
  view.setUint16(HEADER + 2, toPort);
  const pseudo = Uint8Array.of(...packet.subarray(12, 20), 0, 6, segment.length >> 8, segment.length & 255);
  const both = new Uint8Array(pseudo.length + segment.length);
  both.set(pseudo);
  both.set(packet.subarray(HEADER), pseudo.length);
  view.setUint16(HEADER + 16, 0xffff - ones(both));
  return packet;
}

export const whole: MakeMiddle = (dialogue, _setting, clock, emit) => new WholeEngine(dialogue, clock, emit);

/** What the engine sends is noted in `trace`, as text; of decisions nobody hears. */
export const tracedWhole =
  (short: boolean, trace: string[]): MakeMiddle =>
  (dialogue, _setting, clock, emit) => {
    const note = (direction: Direction, segment: Uint8Array): void => {
      trace.push(`${clock.now} ${direction} ${segment.join(" ")}`);
      emit(direction, segment);
    };
    return new WholeEngine(dialogue, clock, note, { told: false, short });
  };
