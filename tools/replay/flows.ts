import * as key from "../../core/flow/key.ts";
import { Address } from "../../core/wire/address.ts";
import type { Packet } from "../../core/wire/packet.ts";
import * as tcp from "../../core/wire/tcp.ts";
import * as layout from "./layout.ts";
import { A, B } from "./layout.ts";
import { Memory } from "./memory.ts";

export { A, B, CONTROL, COUNTED, SILENT, UNKNOWN } from "./layout.ts";

export type End = typeof A | typeof B;

const MAPPED = 0x0000ffff;
/** Words. */
const ENDS_AT = layout.ENDS >> 2;
const SEED_AT = layout.SEED >> 2;

/** Of a packet; `words` has the source's address and the destination's. */
type Ends = Pick<Packet, "family" | "words" | "protocol">;

/** Of a segment. */
interface Watched {
  readonly sequence: number;
  readonly window: number;
  readonly time: number;
  readonly frame: number;
  readonly bytes: number;
  readonly flags: number;
}

/**
 * Every connection and flow of a capture, a row each, in the memory of `assembly/`, which finds and counts: about 150 bytes a
 * flow, and nothing that grows with its packets. A port pair used again for a new connection has a new row.
 */
export class Flows {
  readonly #memory: Memory;

  constructor(memory = new Memory()) {
    this.#memory = memory;
    // So that nobody can make a capture whose flows all collide. V8 seeds its numbers from the system's randomness, and
    // shows none of these; node:crypto takes milliseconds to load.
    for (let i = 0; i < 2; i++) memory.words[SEED_AT + i] = Math.random() * 2 ** 32;
  }

  /** Rows: 0 to `count` - 1. */
  get count(): number {
    return this.#memory.words[layout.COUNT >> 2]!;
  }

  /** Is there memory for one more? */
  get hasRoom(): boolean {
    return this.#memory.assembly.hasRoom(1) !== 0;
  }

  /** Which end sent the packet whose flow was found last. */
  get sender(): End {
    return this.#memory.words[layout.SENDER >> 2] as End;
  }

  /** The row of the packet's flow, made if it is new; `sender` then tells which end sent it. */
  find({ family, words, protocol }: Ends, sourcePort: number, destinationPort: number): number {
    const ports = (sourcePort << 16) | destinationPort;
    const memory = this.#memory;
    if (family === 4) return memory.assembly.findIpv4(words[3]!, words[7]!, ports, protocol);
    for (let i = 0; i < 8; i++) memory.words[ENDS_AT + i] = words[i]!;
    return memory.assembly.findIpv6(ports, protocol);
  }

  /**
   * A SYN of `row` from `sender`: who listens, and whether these ends were used before by another connection. The row that it
   * belongs to.
   */
  opened(row: number, flags: number, sequence: number, acknowledgment: number): number {
    return this.#memory.assembly.opened(row, flags, sequence, acknowledgment);
  }

  /** A packet from `sender` belongs to `row`: when it came, its frame's number, bytes of payload, TCP flags. */
  add(row: number, time: number, frame: number, bytes: number, flags: number): void {
    this.#memory.assembly.add(row, time, frame, bytes, flags);
  }

  /** A segment of TCP, from `sender`, that was added to `row`: is it odd? */
  watch(row: number, segment: Readonly<Watched>): void {
    const { sequence, window, time, frame, bytes, flags } = segment;
    this.#memory.assembly.watch(row, this.sender - A, sequence, window, time, frame, bytes, flags);
  }

  /** Sequence number of the payload that was sent last, by either end. */
  lastSequence(row: number): number {
    return this.#word(row, layout.SEQUENCE);
  }

  /** Sequence number of the first large payload of `end`; null: it has sent none. */
  firstLarge(row: number, end: End): number | null {
    if ((this.#word(row, layout.FLAGS) & (layout.LARGE << (end - A))) === 0) return null;
    return this.#word(row, end === A ? layout.LARGE_OF_A : layout.LARGE_OF_B);
  }

  /** Sequence number of the SYN of `end`, which has sent no large payload; null: that has taken its place, or there is none. */
  beginning(row: number, end: End): number | null {
    const large = (this.#word(row, layout.FLAGS) & (layout.LARGE << (end - A))) !== 0;
    if (large || (this.flagsOf(row, end) & tcp.SYN) === 0) return null;
    return this.#word(row, end === A ? layout.LARGE_OF_A : layout.LARGE_OF_B);
  }

  /** What is known of it: `UNSEEN`, `COUNTED`, ... */
  mark(row: number): number {
    return this.#word(row, layout.MARK);
  }

  setMark(row: number, mark: number): void {
    const at = this.#at(row, layout.MARK) >>> 2;
    const memory = this.#memory;
    if (at >= memory.all.length) memory.widen();
    memory.all[at] = mark;
  }

  /** Who listened: `A`, `B`, or `UNKNOWN` where no SYN tells. */
  listener(row: number): End | typeof layout.UNKNOWN {
    return (this.#word(row, layout.LISTENER) & layout.LISTENER_MASK) as End | typeof layout.UNKNOWN;
  }

  /** Initial sequence number of whoever opened; null: no SYN tells. */
  initial(row: number): number | null {
    return (this.#word(row, layout.LISTENER) & layout.OPENED) === 0 ? null : this.#word(row, layout.INITIAL) >>> 0;
  }

  frames(row: number): number {
    return this.#word(row, layout.FRAMES_OF_A) + this.#word(row, layout.FRAMES_OF_B);
  }

  framesOf(row: number, end: End): number {
    return this.#word(row, end === A ? layout.FRAMES_OF_A : layout.FRAMES_OF_B);
  }

  firstFrame(row: number): number {
    return this.#word(row, layout.FIRST_FRAME);
  }

  lastFrame(row: number): number {
    return this.#word(row, layout.LAST_FRAME);
  }

  /** Seconds since 1970-01-01 UTC. */
  firstTime(row: number): number {
    return this.#float(row, layout.FIRST_TIME);
  }

  lastTime(row: number): number {
    return Math.max(this.lastTimeOf(row, A), this.lastTimeOf(row, B));
  }

  /** When the last packet of all was sent; 0: there is none. */
  end(): number {
    return this.#memory.assembly.lastTime();
  }

  /** When `end` sent its last packet; 0: it sent none. */
  lastTimeOf(row: number, end: End): number {
    return this.#float(row, end === A ? layout.LAST_TIME_OF_A : layout.LAST_TIME_OF_B);
  }

  /** TCP flags that `end` sent in any of its packets. */
  flagsOf(row: number, end: End): number {
    const flags = this.#word(row, layout.FLAGS);
    return (end === A ? flags : flags >>> 8) & 0xff;
  }

  /** Of payload, both ways, as often as they were sent. */
  bytes(row: number): number {
    return this.#float(row, layout.OCTETS);
  }

  isTcp(row: number): boolean {
    return (this.#key(row, key.KIND) & 0xff) === 6;
  }

  port(row: number, end: End): number {
    const ports = this.#key(row, key.PORTS);
    return end === A ? ports >>> 16 : ports & 0xffff;
  }

  /** Whether an end has a port that is not 0 in `ports`, which has all of them. */
  hasPort(row: number, ports: Uint8Array): boolean {
    const both = this.#key(row, key.PORTS);
    return (ports[both >>> 16]! | ports[both & 0xffff]!) !== 0;
  }

  /** The rows of which an end has one of these ports, in the order of their first frames. */
  having(ports: Iterable<number>): number[] {
    return this.#lookFor(ports, this.#memory.assembly.nextOfPort);
  }

  /** The rows for which `between` may give one of these numbers. */
  amongPairs(numbers: Iterable<number>): number[] {
    return this.#lookFor(numbers, this.#memory.assembly.nextBetween);
  }

  #lookFor(numbers: Iterable<number>, next: (row: number) => number): number[] {
    const { count } = this;
    const { lookedFor } = this.#memory;
    lookedFor.fill(0);
    for (const number of numbers) lookedFor[number & 0xffff] = 1;
    const found: number[] = [];
    for (let row = next(0); row < count; row = next(row + 1)) found.push(row);
    return found;
  }

  /** A number that flows between the same two addresses share, whatever the order. */
  between(row: number): number {
    return this.#memory.assembly.between(row);
  }

  address(row: number, end: End): Address {
    const word = (i: number) => this.#addressWord(row, end, i);
    return Address.ipv6(word(0), word(1), word(2), word(3));
  }

  hasAddress(row: number, end: End, { words }: Address): boolean {
    return this.#memory.assembly.hasAddress(row, end, words[0]!, words[1]!, words[2]!, words[3]!) !== 0;
  }

  /** Word `i` of the four of an address. */
  #addressWord(row: number, end: End, i: number): number {
    if (i === 3) return this.#key(row, end === A ? key.SOURCE : key.DESTINATION) >>> 0;
    if (this.#key(row, key.KIND) < key.IPV6) return i === 2 ? MAPPED : 0;
    return this.#key(row, (end === A ? key.SOURCE_PREFIX : key.DESTINATION_PREFIX) + i) >>> 0;
  }

  /** Word `i` of its key. */
  #key(row: number, i: number): number {
    return this.#word(row, layout.KEY + 4 * i);
  }

  #word(row: number, what: number): number {
    const memory = this.#memory;
    const at = ((memory.words[layout.ROWS >> 2]! >>> 0) + row * layout.ROW + what) >>> 2;
    return memory.all[at] ?? memory.widen().all[at]!;
  }

  #float(row: number, what: number): number {
    const memory = this.#memory;
    const at = this.#at(row, what) >>> 3;
    return memory.floats[at] ?? memory.widen().floats[at]!;
  }

  #at(row: number, what: number): number {
    return (this.#memory.words[layout.ROWS >> 2]! >>> 0) + row * layout.ROW + what;
  }
}
