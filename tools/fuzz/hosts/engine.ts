/**
 * Control connections through the packet engine one after the other, on one engine and with buffers that are used again:
 * the packet path for the line fuzzer, as stream.ts is the socket path. IPv4. The network between loses nothing; it
 * repeats segments and changes their order.
 */
import type { Balancer } from "../../../core/balancer.ts";
import { type Batch, createBatch, createOutput, NEEDS_CSUM, Side, Verdict } from "../../../core/engine/batch.ts";
import { Engine } from "../../../core/engine.ts";
import type { Decision } from "../../../core/inspect/control.ts";
import type { Direction, Endpoint, Ms } from "../../../core/units.ts";
import { copyWords, putU16, putU32, u16, u32, viewOf } from "../../../core/wire/bytes.ts";
import type { Choices } from "../generate/choices.ts";
import { BLOCKS, OPENING, type Script } from "../generate/ftp/script.ts";
import { balancerFor, clientOf, type Place, realOf, SEED, virtualOf } from "./service.ts";
import { Views } from "./views.ts";

const [SYN, RST, PSH, ACK] = [2, 4, 8, 16];
const TCP = 20;
const HEADERS = 40;
const PROTOCOL = 6;
const WINDOW = 65535;
const SEGMENTS = 16;
const SEGMENT = 1460;
const MOST_HEARD = 0x40000;
/** Between two connections; more than any flow lives on that was reset. Milliseconds. */
const PAUSE = 120_000;
/** Out of so many a segment is sent twice, and one changes places with the next. */
const CALM = 16;
/** Out of so many blocks one comes in segments of a few bytes, and some in those of less than a few lines. */
const MANNERS = 64;
const COARSELY = 16;
const FINE = 8;
const COARSE = 400;
/** As a SYN tells it (RFC 9293 §3.7.1). */
const LARGEST = viewOf(new Uint8Array([2, 4, SEGMENT >> 8, SEGMENT & 255]));

const views = new Views();

/** One end of the connection that is open. */
class End {
  readonly heard = new Uint8Array(MOST_HEARD);
  readonly #heard = viewOf(this.heard);
  /** Bytes it has heard. */
  length = 0;
  /** Of the next byte that it says, and of the next that it waits for. */
  sequence = 0;
  next = 0;
  readonly side: number;
  readonly self: Endpoint;
  readonly #headers: DataView;

  constructor(side: number, self: Endpoint, peer: Endpoint) {
    this.side = side;
    this.self = self;
    const headers = new Uint8Array(HEADERS);
    this.#headers = viewOf(headers);
    headers[0] = 0x45;
    headers[8] = 64;
    headers[9] = PROTOCOL;
    putU32(headers, 12, self.address.words[3]);
    putU32(headers, 16, peer.address.words[3]);
    putU16(headers, TCP, self.port);
    putU16(headers, TCP + 2, peer.port);
    headers[TCP + 12] = (TCP / 4) << 4;
    putU16(headers, TCP + 14, WINDOW);
  }

  open(sequence: number): void {
    this.sequence = sequence >>> 0;
    this.next = 0;
    this.length = 0;
  }

  /** A packet of it into `batch`, with bytes `[start, end)` of what it says from `sequence` on. */
  write(batch: Batch, flags: number, sequence: number, said: DataView, start: number, end: number): void {
    const { bytes } = batch;
    const view = views.of(bytes);
    const i = batch.count++;
    const at = i * (HEADERS + SEGMENT);
    batch.offset[i] = at;
    batch.length[i] = HEADERS + end - start;
    batch.side[i] = this.side;
    batch.offload[i] = NEEDS_CSUM;
    copyWords(this.#headers, 0, HEADERS, view, at);
    putU16(bytes, at + 2, HEADERS + end - start);
    putU32(bytes, at + TCP + 4, sequence + start);
    putU32(bytes, at + TCP + 8, (flags & ACK) === 0 ? 0 : this.next);
    bytes[at + TCP + 13] = flags;
    copyWords(said, start, end, view, at + HEADERS);
  }

  /** Those bytes `[from, to)`, which are said as `sequence`, that are new. False: some before them are missing. */
  hear(sequence: number, bytes: Uint8Array, from: number, to: number): boolean {
    const known = (this.next - sequence) | 0;
    if (known < 0) return false;
    if (known >= to - from) return true;
    this.length = copyWords(views.of(bytes), from + known, to, this.#heard, this.length);
    this.next = (sequence + to - from) >>> 0;
    return true;
  }
}

const NOTHING = viewOf(new Uint8Array(0));

/** Where a segment ends that begins at `at`. The largest are not cut at all. */
const cut = (at: number, end: number, most: number, choices: Choices): number =>
  Math.min(end, at + (most === SEGMENT ? SEGMENT : 1 + choices.below(most)));

export class EngineHost {
  readonly balancer: Balancer;
  /** Those of the connection that is open. */
  readonly decisions: Decision[] = [];
  /** What no correct middle would have done. */
  wrong: string | null = null;
  readonly #engine: Engine;
  readonly #client: End;
  readonly #server: End;
  readonly #batch = createBatch(SEGMENTS, new Uint8Array(SEGMENTS * (HEADERS + SEGMENT)));
  readonly #out = createOutput(SEGMENTS);
  #now = 0 as Ms;

  constructor(place: Place) {
    this.balancer = balancerFor(place);
    this.#engine = new Engine(this.balancer, {
      capacity: 64,
      seed: [SEED, 2],
      explain: (decision) => this.decisions.push(decision),
    });
    this.#client = new End(Side.CLIENT, clientOf(place), virtualOf(place));
    this.#server = new End(Side.REAL, realOf(place), clientOf(place));
  }

  /** What the client has heard. */
  get heard(): Uint8Array {
    return this.#client.heard;
  }

  get length(): number {
    return this.#client.length;
  }

  /** How much the realserver has. */
  get commands(): number {
    return this.#server.length;
  }

  /** A new connection; `choices` draws its first sequence numbers. */
  open(choices: Choices): void {
    this.decisions.length = 0;
    this.wrong = null;
    const [client, server] = [this.#client, this.#server];
    client.open(choices.below(0x1_0000_0000));
    server.open(choices.below(0x1_0000_0000));
    this.#send(client, SYN, LARGEST);
    client.sequence = (client.sequence + 1) >>> 0;
    this.#send(server, SYN | ACK, LARGEST);
    server.sequence = (server.sequence + 1) >>> 0;
    this.#send(client, ACK);
  }

  /** What there is of the connection that should not be, once it is reset; null: nothing. */
  close(): string | null {
    this.#send(this.#client, RST | ACK);
    this.#now = (this.#now + PAUSE) as Ms;
    while (this.#engine.advance(this.#now, this.#out));
    if (this.#engine.table.size > 0) return "a flow of a control connection that was reset";
    return this.balancer.related.size > 0 ? "an entry of a control connection that was reset" : null;
  }

  /** All that is said in it, cut, repeated and out of order as `choices` has it. */
  hear(script: Script, choices: Choices): void {
    for (const [direction, bytes] of OPENING) this.#say(direction, bytes, 0, bytes.length, choices);
    for (let block = 0; block < BLOCKS; block++) {
      this.#say("original", script.questions, script.questionsAt(block), script.questionsAt(block + 1), choices);
      this.#say("reply", script.replies, script.repliesAt(block), script.repliesAt(block + 1), choices);
    }
  }

  /** The speaker of `direction` says bytes `[start, end)` of `said`. */
  #say(direction: Direction, said: Uint8Array, start: number, end: number, choices: Choices): void {
    const from = direction === "original" ? this.#client : this.#server;
    const manner = choices.below(MANNERS);
    const most = manner === 0 ? FINE : manner <= COARSELY ? COARSE : SEGMENT;
    // Of the byte at 0, were it said, too.
    const begun = (from.sequence - start) >>> 0;
    from.sequence = (begun + end) >>> 0;
    const view = views.of(said);
    for (let at = start; at < end; ) at = this.#sayMany(from, begun, view, at, end, most, choices);
  }

  /** As many segments as a batch has room for. Returns where they end. */
  #sayMany(
    from: End,
    begun: number,
    said: DataView,
    start: number,
    end: number,
    most: number,
    choices: Choices,
  ): number {
    const batch = this.#batch;
    let at = start;
    batch.count = 0;
    while (at < end && batch.count + 2 < SEGMENTS) {
      const behind = cut(at, end, most, choices);
      const whim = choices.below(CALM);
      if (whim === 0) from.write(batch, PSH | ACK, begun, said, at, behind);
      const next = whim === 1 && behind < end ? cut(behind, end, most, choices) : behind;
      // The next one first.
      if (next > behind) from.write(batch, PSH | ACK, begun, said, behind, next);
      from.write(batch, PSH | ACK, begun, said, at, behind);
      at = next;
    }
    this.#process();
    return at;
  }

  /** No payload; a SYN's options stand in its place. */
  #send(from: End, flags: number, options = NOTHING): void {
    const batch = this.#batch;
    batch.count = 0;
    from.write(batch, flags, from.sequence, options, 0, options.byteLength);
    batch.bytes[batch.offset[0]! + TCP + 12] = ((TCP + options.byteLength) / 4) << 4;
    this.#process();
  }

  #process(): void {
    const batch = this.#batch;
    const { sent, verdict } = this.#out;
    this.#engine.process(batch, this.#now, this.#out);
    for (let i = 0; i < batch.count; i++) {
      if (verdict[i] === Verdict.TO_REAL || verdict[i] === Verdict.TO_CLIENT) {
        this.#arrive(verdict[i]!, batch.bytes, batch.offset[i]!, batch.length[i]!);
      }
    }
    for (let i = 0; i < sent.count; i++) this.#arrive(sent.verdict[i]!, sent.bytes, sent.offset[i]!, sent.length[i]!);
  }

  #arrive(to: number, bytes: Uint8Array, at: number, length: number): void {
    const end = to === Verdict.TO_REAL ? this.#server : this.#client;
    const flags = bytes[at + TCP + 13]!;
    const sequence = u32(bytes, at + TCP + 4);
    if (u16(bytes, at + TCP + 2) !== end.self.port) this.wrong ??= "a packet for another port";
    if ((flags & RST) !== 0) {
      // The client's own, at the end.
      if (end === this.#client) this.wrong ??= "the connection was reset";
      return;
    }
    if ((flags & SYN) !== 0) {
      end.next = (sequence + 1) >>> 0;
      return;
    }
    if ((flags & ACK) !== 0 && ((u32(bytes, at + TCP + 8) - end.sequence) | 0) > 0) {
      this.wrong ??= "what was not said is acknowledged";
    }
    const from = at + TCP + (bytes[at + TCP + 12]! >> 4) * 4;
    if (!end.hear(sequence, bytes, from, at + length)) this.wrong ??= "bytes go on before those in front of them";
  }
}
