/**
 * A control connection whose packets go on by themselves: its realserver has the VIP (direct routing, tunnels), so nothing
 * in them is changed, and its replies may take another way. What comes by is read as in a capture, and what it announces
 * can be met before the packet that says so goes on. Nothing is written, refused or held back.
 *
 *   client -> VIP:21     PORT client,1025    always seen: VIP:any -> client:1025, and the client's answers
 *   VIP:21 -> client     227 VIP,5001        seen where replies pass the director: client:any -> VIP:5001
 */
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import type { RelatedEntry } from "../flow/related.ts";
import { type ControlHost, ControlStream, type Decision } from "../inspect/control.ts";
import { ObservedStream, type StreamSink } from "../inspect/stream.ts";
import type { Direction, Transport } from "../units.ts";
import { part } from "../wire/bytes.ts";
import * as tcp from "../wire/tcp.ts";
import { type Common, isHeard, type Reading } from "./read-connection.ts";

/** Segments that came before their turn: what is missing was lost on its way here, and will be sent again. */
const PIECES = 64;
/** The largest window there is (RFC 7323 §2.3): no receiver has allowed what is further ahead. */
const MOST_AHEAD = 0xffff * 2 ** 14;

export class Overheard implements ControlHost {
  /** There is nothing more to be read. */
  over = false;
  readonly transport: Transport;
  readonly #entry: ConnectionEntry;
  readonly #common: Common;
  readonly #stream: ControlStream;
  readonly #original: ObservedStream;
  readonly #reply: ObservedStream;

  constructor(entry: ConnectionEntry, balancer: Balancer, { settings }: Reading, common: Common) {
    this.#entry = entry;
    this.transport = entry.transport;
    this.#common = common;
    const helper = entry.service.spec.helper!;
    // Whatever its reader thinks of it, it has gone on.
    const options = { helper, settings, onRefuse: "forward", onFailure: "open", entry, balancer, host: this } as const;
    this.#stream = new ControlStream(options);
    const limits = { held: settings.hold, pieces: PIECES };
    this.#original = new ObservedStream(this.#sink("original"), limits);
    this.#reply = new ObservedStream(this.#sink("reply"), limits);
  }

  /** A segment, whose header is at `at`, and which ends at `end`. */
  segment(direction: Direction, bytes: Uint8Array, at: number, end: number): void {
    const way = direction === "original" ? this.#original : this.#reply;
    const sequence = tcp.sequence(bytes, at);
    if ((tcp.flags(bytes, at) & tcp.SYN) !== 0) way.open(sequence);
    else if (way.ahead(sequence) > MOST_AHEAD) this.#common.counters.count("control.beyond-window");
    else way.segment(sequence, part(bytes, at + tcp.headerLength(bytes, at), end), 0);
    this.#advance();
  }

  datagram(direction: Direction, payload: Uint8Array): void {
    this.#stream.feed(direction, payload, this.#common.now);
    this.#advance();
  }

  /** Nothing waits for what is read, so that looking at the time now and then will do. */
  #advance(): void {
    this.#stream.advance(this.#common.now);
    this.over ||= this.#stream.detached;
  }

  #sink(direction: Direction): StreamSink {
    return {
      data: (bytes) => this.#stream.feed(direction, bytes, this.#common.now),
      gap: () => {
        this.#common.counters.count("control.gap");
        this.over = true;
      },
      end: () => {},
    };
  }

  // --- as host --------------------------------------------------------------------------------------------------------

  forward(): void {}

  prepare(related: RelatedEntry): void {
    const { placing, now } = this.#common;
    this.#stream.prepared(related, placing.find(this.#entry, related, null), now);
  }

  /** Without the replies much looks wrong that is not. */
  explain(decision: Decision): void {
    if (decision.outcome === "fault" && !this.#reply.started && this.transport === "tcp") return;
    const { counters, told } = this.#common;
    counters.countOf(decision.outcome, decision.reason);
    if (isHeard(this.#common, decision.outcome)) told.explain!(decision, this.#entry);
  }

  abort(): void {
    this.over = true;
  }
}
