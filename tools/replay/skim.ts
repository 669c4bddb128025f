/**
 * The short way through a capture, which nearly all packets go: `assembly/skim.ts` counts them where they lie. What is to be
 * looked at is shown to the tracker once it is counted, what is not plain goes `Tracker.frame`, the way of all others.
 */
import type { CaptureReader, Frame } from "../../core/wire/capture/reader.ts";
import type { Packet } from "../../core/wire/packet.ts";
import * as tcp from "../../core/wire/tcp.ts";
import { TUNNEL_PORTS } from "../../core/wire/tunnel.ts";
import * as udp from "../../core/wire/udp.ts";
import type { Flows } from "./flows.ts";
import { AT, BYTES, CAPTURED, END, FOUND, FRAMES, RECORD, STOP, TRANSPORT, WIRE_END } from "./layout.ts";
import type { Memory } from "./memory.ts";

const EN10MB = 1;

/** Whose short way it is. */
interface LongWay {
  readonly flows: Flows;
  frame(frame: Frame, number: number): void;
  look(row: number, frame: Frame, number: number): void;
}

export class Skimmer {
  readonly #longWay: LongWay;
  readonly #packet: Packet;
  readonly #memory: Memory;

  /** `packet` is filled for what is to be looked at. */
  constructor(longWay: LongWay, packet: Packet, memory: Memory) {
    this.#longWay = longWay;
    this.#packet = packet;
    this.#memory = memory;
    for (const port of TUNNEL_PORTS) memory.tunnel[port] = 1;
  }

  /** Counts the frames that come next, as long as their records are of the common kind, if `reader` is one of the memory's. */
  skim(reader: CaptureReader): void {
    const { queue, common } = reader;
    if (common === null || reader.frame.linkType !== EN10MB || !this.#memory.has(queue.bytes)) return;
    const { assembly, words } = this.#memory;
    this.#memory.describe(common);
    const { at } = queue;
    words[AT >> 2] = BYTES + at;
    words[END >> 2] = BYTES + at + queue.length;
    words[FRAMES >> 2] = reader.frames;
    words[CAPTURED >> 2] = 0;
    while (assembly.skim() !== 0) this.#stopped(reader);
    reader.took(words[FRAMES >> 2]! - reader.frames, words[CAPTURED >> 2]!, words[AT >> 2]! - BYTES - at);
  }

  #stopped(reader: CaptureReader): void {
    const { words } = this.#memory;
    const frame = reader.show(words[RECORD >> 2]!);
    const number = words[FRAMES >> 2]!;
    const row = words[FOUND >> 2]!;
    if (row < 0) this.#longWay.frame(frame, number);
    else this.#look(row, frame, number);
  }

  #look(row: number, frame: Frame, number: number): void {
    const { words } = this.#memory;
    const packet = this.#packet;
    packet.bytes = frame.bytes;
    packet.at = words[TRANSPORT >> 2]!;
    packet.end = words[STOP >> 2]!;
    packet.wireEnd = words[WIRE_END >> 2]!;
    packet.protocol = this.#longWay.flows.isTcp(row) ? tcp.PROTOCOL : udp.PROTOCOL;
    this.#longWay.look(row, frame, number);
  }
}
