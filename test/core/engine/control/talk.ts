/**
 * A whole connection in virtual time: two model ends, a network that loses, repeats and reorders, and the machine
 * between them. What each end hears must be what the same dialogue said in one piece makes of it.
 */
import { ControlFlow } from "../../../../core/engine/control/flow.ts";
import { lengthOf, type Segment, sumSegment, writeSegment } from "../../../../core/engine/control/segment.ts";
import type { RelatedEntry } from "../../../../core/flow/related.ts";
import type { Helper } from "../../../../core/helper/api.ts";
import { type Direction, type Endpoint, type Ms, opposite, port, seconds } from "../../../../core/units.ts";
import { helpers } from "../../../../helpers/index.ts";
import { CLIENT, Conversation, describe, ftpService, makeBalancer, realserver } from "../../../conversation.ts";
import type { Dialogue, Ends } from "./dialogues.ts";
import { Peer, type PeerOptions, type World } from "./peer.ts";
import { sumsUp } from "./wire.ts";

export interface Network {
  /** Probabilities, for each hop. */
  readonly loss: number;
  readonly repeat: number;
  /** Milliseconds. */
  readonly delay: number;
  readonly jitter: number;
}

export interface Setting {
  readonly seed: number;
  readonly client: PeerOptions;
  readonly server: PeerOptions;
  readonly network: Network;
  /** The host answers at once; else after up to this many milliseconds. */
  readonly hostDelay: number;
  /** Each turn is written in pieces of at most this many bytes. */
  readonly write: number;
}

export interface Outcome {
  readonly client: string;
  readonly server: string;
  readonly entries: readonly string[];
  readonly decisions: string;
}

/** More than this is a stall. Milliseconds. */
const LONGEST = 15 * 60_000;
const MOST_EVENTS = 3_000_000;
const ADDRESSES = Uint8Array.of(10, 0, 0, 5, 192, 168, 0, 2);

/** A lossy network may take its time over a line; whose patience ends is another test's subject. */
const found = helpers.find(({ name }) => name === "ftp")!;
const ftp: Helper = { ...found, limits: { ...found.limits, patience: seconds(3600) } };

/** xorshift32. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}

/** What an opener is told to connect to: another port at the VIP, or the director's own end; sometimes nothing. */
function seenBy({ director, vip }: Ends): (entry: RelatedEntry) => Endpoint | null {
  return ({ opener, target }) => {
    if (target.port % 11 === 0) return null;
    const shifted = port(1024 + ((target.port * 7) % 60_000));
    return opener === "original" ? { address: vip, port: shifted } : { address: director, port: shifted };
  };
}

/** The dialogue in one piece, turn by turn: what is heard, and how much of it after each turn. */
export function reference(dialogue: Dialogue) {
  const { vip, real } = dialogue.ends;
  const balancer = makeBalancer([ftpService({ address: vip, realservers: [realserver(real.toString())] })]);
  const talk = new Conversation({
    balancer,
    helper: ftp,
    virtual: { address: vip, port: port(21) },
    seen: seenBy(dialogue.ends),
  });
  const lengths = dialogue.turns.map(([direction, said]) => {
    talk.say(direction, said);
    return { original: talk.heard("original").length, reply: talk.heard("reply").length };
  });
  talk.stream.end("original");
  talk.stream.end("reply");
  const outcome: Outcome = {
    client: talk.heard("reply"),
    server: talk.heard("original"),
    entries: talk.announced.map(describe),
    decisions: told(talk.decisions),
  };
  return { outcome, lengths };
}

const told = (decisions: Conversation["decisions"]): string =>
  JSON.stringify(decisions.map(({ related, ...rest }) => ({ ...rest, related: related.map(describe) })));

interface Event {
  readonly time: number;
  readonly order: number;
  readonly then: () => void;
}

/** Events in the order of their time, then of their making. */
class Clock implements World {
  now = 0;
  events = 0;
  readonly random: () => number;
  readonly #heap: Event[] = [];
  #order = 0;

  constructor(random: () => number) {
    this.random = random;
  }

  at(delay: number, then: () => void): void {
    const heap = this.#heap;
    const event = { time: this.now + delay, order: this.#order++, then };
    let i = heap.push(event) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (!before(event, heap[up]!)) break;
      heap[i] = heap[up]!;
      i = up;
    }
    heap[i] = event;
  }

  step(): boolean {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined) return false;
    const last = heap.pop()!;
    if (heap.length > 0) this.#sink(last);
    this.now = first.time;
    this.events++;
    first.then();
    return true;
  }

  #sink(event: Event): void {
    const heap = this.#heap;
    let i = 0;
    for (let child = 1; child < heap.length; child = 2 * i + 1) {
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, event)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = event;
  }
}

const before = (a: Event, b: Event): boolean => a.time < b.time || (a.time === b.time && a.order < b.order);

export class Talk {
  readonly clock: Clock;
  readonly client: Peer;
  readonly server: Peer;
  readonly flow: ControlFlow;
  readonly rejected = new Map<string, number>();
  /** Lines of what passed, when asked for. */
  trace: string[] | null = null;
  readonly #dialogue: Dialogue;
  readonly #setting: Setting;
  readonly #lengths: ReturnType<typeof reference>["lengths"];
  readonly #decisions: Conversation["decisions"] = [];
  readonly #announced: RelatedEntry[] = [];
  #turn = 0;
  #wake = Number.POSITIVE_INFINITY;

  constructor(dialogue: Dialogue, setting: Setting, lengths: ReturnType<typeof reference>["lengths"]) {
    this.#dialogue = dialogue;
    this.#setting = setting;
    this.#lengths = lengths;
    this.clock = new Clock(randomFrom(setting.seed));
    const changed = () => this.#goOn();
    const toMachine = (direction: Direction) => (bytes: Uint8Array) =>
      this.#carry(() => this.#arrive(direction, bytes));
    this.client = new Peer("the client", setting.client, this.clock, toMachine("original"), changed);
    this.server = new Peer("the server", setting.server, this.clock, toMachine("reply"), changed);
    this.flow = this.#machine();
  }

  /** The dialogue from the handshake to both FINs. Throws when it stalls, or an end finds fault with what it gets. */
  run(): Outcome {
    this.server.listen();
    this.client.connect();
    while (!this.#over) {
      if (!this.clock.step()) throw new Error(`nothing happens any more: ${this.#standing}`);
      if (this.clock.now > LONGEST || this.clock.events > MOST_EVENTS) throw new Error(`stalled: ${this.#standing}`);
    }
    return {
      client: text(this.client.received),
      server: text(this.server.received),
      entries: this.#announced.map(describe),
      decisions: told(this.#decisions),
    };
  }

  get #over(): boolean {
    const { client, server } = this;
    return client.finReceived && server.finReceived && client.delivered && server.delivered;
  }

  get #standing(): string {
    const of = ({ name, state, received, finReceived, una, nxt }: Peer) =>
      `${name} is ${state}, has ${received.length}${finReceived ? " and the end" : ""}, said ${nxt}, of which ${una} arrived`;
    return `turn ${this.#turn} of ${this.#dialogue.turns.length} at ${this.clock.now} ms; ${of(this.client)}; ${of(this.server)}`;
  }

  #machine(): ControlFlow {
    const { ends } = this.#dialogue;
    const balancer = makeBalancer([ftpService({ address: ends.vip, realservers: [realserver(ends.real.toString())] })]);
    const entry = balancer.admit("tcp", CLIENT, { address: ends.vip, port: port(21) }, 0 as Ms);
    if (typeof entry === "string") throw new Error(entry);
    const seen = seenBy(ends);
    const { hostDelay } = this.#setting;
    const prepare = (related: RelatedEntry) => {
      this.#announced.push(related);
      if (hostDelay === 0) this.flow.prepared(related, seen(related), this.clock.now as Ms);
      else this.clock.at(this.clock.random() * hostDelay, () => this.#answer(related, seen(related)));
    };
    const settings = { strict: false, hold: ftp.limits.hold };
    const host = { prepare, explain: (decision: Conversation["decisions"][number]) => this.#decisions.push(decision) };
    return new ControlFlow(
      { helper: ftp, settings, entry, balancer, host, onRefuse: "refuse", onFailure: "open" },
      {
        emit: (direction, segment) => this.#emitted(direction, segment),
        reject: (_direction, reason) => this.rejected.set(reason, (this.rejected.get(reason) ?? 0) + 1),
      },
    );
  }

  #answer(related: RelatedEntry, seen: Endpoint | null): void {
    this.flow.prepared(related, seen, this.clock.now as Ms);
    this.#sleep();
  }

  #carry(then: () => void): void {
    const { loss, repeat, delay, jitter } = this.#setting.network;
    const { random } = this.clock;
    if (random() < repeat) this.clock.at(delay + random() * jitter, then);
    if (random() >= loss) this.clock.at(delay + random() * jitter, then);
  }

  /** At the machine, which reads it from the middle of an arena that is used again. */
  #arrive(direction: Direction, bytes: Uint8Array): void {
    const arena = new Uint8Array(bytes.length + 6);
    arena.set(bytes, 3);
    this.trace?.push(`${Math.round(this.clock.now)} ${direction} in  ${line(bytes)}`);
    this.flow.segment(direction, arena, 3, 3 + bytes.length, this.clock.now as Ms);
    arena.fill(0);
    this.#sleep();
  }

  #emitted(direction: Direction, segment: Segment): void {
    const arena = new Uint8Array(8 + lengthOf(segment));
    arena.set(ADDRESSES);
    const end = writeSegment(segment, 40000, 21, arena, 8);
    if (end !== arena.length) throw new Error("a segment has another length than announced");
    sumSegment(arena, 0, 8, 8, end);
    const bytes = arena.subarray(8);
    if (!sumsUp(ADDRESSES, bytes)) throw new Error("a checksum is wrong");
    this.trace?.push(`${Math.round(this.clock.now)} ${direction} out ${line(bytes)}`);
    const to = direction === "original" ? this.server : this.client;
    this.#carry(() => to.receive(bytes));
  }

  /** Wakes the machine when it asks to be. */
  #sleep(): void {
    const { deadline } = this.flow;
    if (deadline === this.#wake || deadline === Number.POSITIVE_INFINITY) return;
    this.#wake = deadline;
    this.clock.at(Math.max(0, deadline - this.clock.now), () => {
      if (this.#wake !== deadline) return;
      this.#wake = Number.POSITIVE_INFINITY;
      this.flow.advance(this.clock.now as Ms);
      this.#sleep();
    });
  }

  /** Whoever's turn it is says it, once it has heard all that was said before. */
  #goOn(): void {
    const { turns, clientCloses, bothClose } = this.#dialogue;
    while (this.#turn < turns.length && this.#mayBegin(this.#turn)) {
      const [direction, said] = turns[this.#turn++]!;
      for (let at = 0; at < said.length; at += this.#setting.write) {
        this.#end(direction).write(Buffer.from(said.slice(at, at + this.#setting.write), "latin1"));
      }
    }
    const first: Direction = clientCloses ? "original" : "reply";
    if (this.#hasHeardAll(first)) this.#end(first).close();
    const second = opposite(first);
    if (this.#hasHeardAll(second) && (bothClose || this.#end(second).finReceived)) this.#end(second).close();
  }

  #mayBegin(turn: number): boolean {
    const [direction] = this.#dialogue.turns[turn]!;
    const heard = turn === 0 ? 0 : this.#lengths[turn - 1]![opposite(direction)];
    return this.#end(direction).state === "established" && this.#end(direction).received.length >= heard;
  }

  #hasHeardAll(direction: Direction): boolean {
    return this.#end(direction).received.length === this.#lengths.at(-1)![opposite(direction)];
  }

  /** Who speaks in `direction`. */
  #end(direction: Direction): Peer {
    return direction === "original" ? this.client : this.server;
  }
}

const text = (bytes: readonly number[]): string => Buffer.from(bytes).toString("latin1");

const line = (bytes: Uint8Array): string => {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const payload = bytes.subarray((bytes[12]! >> 4) * 4);
  return `${view.getUint32(4)} ack ${view.getUint32(8)} flags ${bytes[13]} win ${view.getUint16(14)} ${JSON.stringify(Buffer.from(payload).toString("latin1"))}`;
};
