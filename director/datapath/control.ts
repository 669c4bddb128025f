/** One control connection on the socket path: two streams, and the core's control stream between them. */
import type { ConnectionEntry } from "../../core/balancer.ts";
import type { RelatedEntry } from "../../core/flow/related.ts";
import type { PortPair } from "../../core/helper/api.ts";
import { type ControlHost, type ControlOptions, ControlStream, type Decision } from "../../core/inspect/control.ts";
import type { Direction, Endpoint, Ms } from "../../core/units.ts";
import { ms, opposite } from "../../core/units.ts";
import { now } from "../clock.ts";
import type { Fields, Level } from "../log.ts";
import { DecisionLog } from "./decisions.ts";
import type { ReadEvents, Stream } from "./transport.ts";

/** How long the ends have to close after the director closed both. */
const GRACE = 1000;

type Answer = (seen: Endpoint | null) => void;

export interface ControlOwner {
  /** Find a listener for `entry` on the side of its opener, and answer. `answered`: the flow that it completes. */
  prepare(session: ControlSession, entry: RelatedEntry, answered: RelatedEntry | null, answer: Answer): void;
  /** What was announced as `entries` is over, used or not. */
  withdrawn(entries: readonly RelatedEntry[]): void;
  /** An announcement was answered too late, or refused after all: its listener is free. */
  release(entry: RelatedEntry, seen: Endpoint): void;
  /** How the receiver of `direction` knows the connection that its sender knows as `pair`. */
  translate(session: ControlSession, direction: Direction, pair: PortPair): PortPair | null;
  explained(session: ControlSession, decision: Decision): void;
  /** So long it took to decide on what was read. */
  decided(took: Ms): void;
  log(level: Level, event: string, fields: Fields): void;
  closed(session: ControlSession): void;
}

export class ControlSession implements ControlHost {
  readonly id: number;
  readonly entry: ConnectionEntry;
  readonly client: Stream;
  readonly real: Stream;
  /** When the last bytes came, or its last data connection was seen. */
  lastActive: Ms = now();
  /** When the first of the two sides ended; null: neither has. */
  endedAt: Ms | null = null;
  /** The realserver has a reply to give: to a command, or to a transfer that has ended. */
  owesReply = false;
  readonly #owner: ControlOwner;
  readonly #stream: ControlStream;
  readonly #ending: Record<Direction, boolean> = { original: false, reply: false };
  readonly #decisions: DecisionLog;
  #open = 2;
  #error: string | null = null;
  #finishing: Ms | null = null;

  constructor(
    id: number,
    entry: ConnectionEntry,
    streams: { readonly client: Stream; readonly real: Stream },
    owner: ControlOwner,
    options: Omit<ControlOptions, "host" | "entry">,
  ) {
    this.id = id;
    this.entry = entry;
    this.client = streams.client;
    this.real = streams.real;
    this.#owner = owner;
    this.#decisions = new DecisionLog(id, "stream", (level, event, fields = {}) => owner.log(level, event, fields));
    // Not `{ ...options, entry }`: V8 makes a hidden class for each such object, which only a full collection clears away.
    const { helper, settings, onRefuse, onFailure, balancer } = options;
    this.#stream = new ControlStream({ helper, settings, onRefuse, onFailure, balancer, entry, host: this });
    this.client.read(this.#events("original"));
    this.real.read(this.#events("reply"));
  }

  /** Bytes of both ways that wait for the rest of their message, or for a listener. */
  get held(): number {
    return this.#stream.waiting("original") + this.#stream.waiting("reply");
  }

  /** When `advance` has something to do. */
  get deadline(): Ms {
    return this.#stream.deadline;
  }

  advance(at: Ms): void {
    this.#stream.advance(at);
    this.#flow("original");
    this.#flow("reply");
  }

  destroy(reason: string): void {
    this.#error ??= reason;
    this.client.reset();
    this.real.reset();
  }

  /** Closes both sides in order, what they were sent included; resets what has not closed when called again later. */
  finish(reason: string, at: Ms): void {
    if (this.#finishing !== null) {
      if (at - this.#finishing >= GRACE) this.destroy(reason);
      return;
    }
    this.#error ??= reason;
    this.#finishing = at;
    for (const stream of [this.client, this.real]) stream.end();
  }

  /** Why it ended, when not by both sides closing. */
  get error(): string | null {
    return this.#error;
  }

  // --- ControlHost ------------------------------------------------------------------------------------------------

  forward(direction: Direction, bytes: Uint8Array): void {
    const to = this.#to(direction);
    // After `finish` there is nobody to tell.
    if (!to.ending && !to.write(bytes)) this.#from(direction).pause();
  }

  prepare(entry: RelatedEntry, answered: RelatedEntry | null): void {
    this.#owner.prepare(this, entry, answered, (seen) => {
      this.#stream.prepared(entry, seen, now());
      if (seen !== null && entry.state === "gone" && entry.seen === null) this.#owner.release(entry, seen);
      this.#flow("original");
      this.#flow("reply");
    });
  }

  withdrawn(entries: readonly RelatedEntry[]): void {
    this.#owner.withdrawn(entries);
  }

  translate(direction: Direction, pair: PortPair): PortPair | null {
    return this.#owner.translate(this, direction, pair);
  }

  explain(decision: Decision): void {
    this.#owner.explained(this, decision);
    this.#decisions.tell(decision);
  }

  abort(reason: string): void {
    this.destroy(reason);
  }

  // --- streams ----------------------------------------------------------------------------------------------------

  /** Of the stream that `direction` comes from. */
  #events(direction: Direction): ReadEvents {
    const from = this.#from(direction);
    const to = this.#to(direction);
    return {
      data: (bytes) => {
        this.lastActive = now();
        this.owesReply = direction === "original";
        this.#stream.feed(direction, bytes, this.lastActive);
        this.#owner.decided(ms(now() - this.lastActive));
        if (this.#stream.blocked(direction)) from.pause();
      },
      drained: () => this.#flow(opposite(direction)),
      ended: () => {
        this.endedAt ??= now();
        this.#ending[direction] = true;
        this.#stream.end(direction);
        this.#flow(direction);
      },
      failed: (reason) => {
        this.#error ??= reason;
        to.reset();
      },
      closed: () => {
        if (--this.#open === 0) this.#owner.closed(this);
      },
    };
  }

  /** Lets `direction` move again where nothing holds it, and closes it when it has ended. */
  #flow(direction: Direction): void {
    if (this.#stream.blocked(direction)) return;
    const to = this.#to(direction);
    if (this.#ending[direction] && !to.ending) to.end();
    else if (!to.congested) this.#from(direction).resume();
  }

  #from(direction: Direction): Stream {
    return direction === "original" ? this.client : this.real;
  }

  #to(direction: Direction): Stream {
    return this.#from(opposite(direction));
  }
}
