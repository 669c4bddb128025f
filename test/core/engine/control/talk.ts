/**
 * A whole connection in virtual time: two model ends, a network that loses, repeats and reorders, and between them
 * whoever reads and rewrites. What each end hears must be what the same dialogue said in one piece makes of it.
 */
import type { RelatedEntry } from "../../../../core/flow/related.ts";
import type { Helper } from "../../../../core/helper/api.ts";
import type { Decision } from "../../../../core/inspect/control.ts";
import { type Direction, type Endpoint, opposite, port, seconds } from "../../../../core/units.ts";
import { helpers } from "../../../../helpers/index.ts";
import { Conversation, describe, ftpService, makeBalancer, realserver } from "../../../conversation.ts";
import { Clock, randomFrom } from "./clock.ts";
import type { Dialogue, Ends } from "./dialogues.ts";
import { Peer, type PeerOptions } from "./peer.ts";

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

/** Where related entries can be met. */
export type Place = (entry: RelatedEntry) => Endpoint | null;

/** What stands between the ends. */
export interface Middle {
  /** A segment from one end, which goes `direction`. Ports and checksum are not set. */
  arrive(direction: Direction, segment: Uint8Array): void;
  /** When it wants to be woken. */
  readonly deadline: number;
  advance(): void;
  readonly decisions: readonly string[];
}

/** `emit`: a segment for the end that `direction` leads to. */
export type MakeMiddle = (
  dialogue: Dialogue,
  setting: Setting,
  clock: Clock,
  emit: (direction: Direction, segment: Uint8Array) => void,
  /** `deadline` has changed by itself. */
  changed: () => void,
) => Middle;

export interface Outcome {
  readonly client: string;
  readonly server: string;
  readonly decisions: readonly string[];
}

/** More than this is a stall. Milliseconds. */
const LONGEST = 15 * 60_000;
const MOST_EVENTS = 3_000_000;

/** A lossy network may take its time over a line; whose patience ends is another test's subject. */
const found = helpers.find(({ name }) => name === "ftp")!;
export const ftp: Helper = { ...found, limits: { ...found.limits, patience: seconds(3600) } };

export const balancerFor = ({ vip, real }: Ends) =>
  makeBalancer([ftpService({ address: vip, helper: ftp, realservers: [realserver(real.toString())] })]);

export const told = ({ related, ...rest }: Decision): string =>
  JSON.stringify({ ...rest, related: related.map(describe) });

export interface Reference {
  readonly outcome: Outcome;
  /** How much is heard after each turn. */
  readonly lengths: readonly Readonly<Record<Direction, number>>[];
}

/** The dialogue in one piece, turn by turn. */
export function reference({ ends, turns }: Dialogue, placeFor: (talk: Conversation) => Place): Reference {
  const talk: Conversation = new Conversation({
    balancer: balancerFor(ends),
    helper: ftp,
    virtual: { address: ends.vip, port: port(21) },
    seen: (entry) => place(entry),
  });
  const place = placeFor(talk);
  const lengths = turns.map(([direction, said]) => {
    talk.say(direction, said);
    return { original: talk.heard("original").length, reply: talk.heard("reply").length };
  });
  talk.stream.end("original");
  talk.stream.end("reply");
  const decisions = talk.decisions.map(told);
  return { outcome: { client: talk.heard("reply"), server: talk.heard("original"), decisions }, lengths };
}

export class Talk {
  readonly clock: Clock;
  readonly client: Peer;
  readonly server: Peer;
  /** Lines of what passed, when asked for. */
  trace: string[] | null = null;
  readonly #dialogue: Dialogue;
  readonly #setting: Setting;
  readonly #lengths: Reference["lengths"];
  readonly #middle: Middle;
  #turn = 0;
  #wake = Number.POSITIVE_INFINITY;

  constructor(dialogue: Dialogue, setting: Setting, lengths: Reference["lengths"], make: MakeMiddle) {
    this.#dialogue = dialogue;
    this.#setting = setting;
    this.#lengths = lengths;
    this.clock = new Clock(randomFrom(setting.seed));
    const changed = () => this.#goOn();
    const toMachine = (direction: Direction) => (bytes: Uint8Array) =>
      this.#carry(() => this.#arrive(direction, bytes));
    this.client = new Peer("the client", setting.client, this.clock, toMachine("original"), changed);
    this.server = new Peer("the server", setting.server, this.clock, toMachine("reply"), changed);
    this.#middle = make(
      dialogue,
      setting,
      this.clock,
      (direction, segment) => this.#emitted(direction, segment),
      () => this.#sleep(),
    );
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
      decisions: this.#middle.decisions,
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

  #carry(then: () => void): void {
    const { loss, repeat, delay, jitter } = this.#setting.network;
    const { random } = this.clock;
    if (random() < repeat) this.clock.at(delay + random() * jitter, then);
    if (random() >= loss) this.clock.at(delay + random() * jitter, then);
  }

  #arrive(direction: Direction, segment: Uint8Array): void {
    this.trace?.push(`${Math.round(this.clock.now)} ${direction} in  ${line(segment)}`);
    this.#middle.arrive(direction, segment);
    this.#sleep();
  }

  #emitted(direction: Direction, segment: Uint8Array): void {
    this.trace?.push(`${Math.round(this.clock.now)} ${direction} out ${line(segment)}`);
    const to = direction === "original" ? this.server : this.client;
    this.#carry(() => to.receive(segment));
  }

  /** Wakes what is in the middle when it asks to be. */
  #sleep(): void {
    const { deadline } = this.#middle;
    if (deadline === this.#wake || deadline === Number.POSITIVE_INFINITY) return;
    this.#wake = deadline;
    this.clock.at(Math.max(0, deadline - this.clock.now), () => {
      if (this.#wake !== deadline) return;
      this.#wake = Number.POSITIVE_INFINITY;
      this.#middle.advance();
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
