/** A dialogue through a control stream as the socket path runs it; the host's part is played here. */
import type { Balancer, ConnectionEntry } from "../../../core/balancer.ts";
import { adjoins, Placing } from "../../../core/engine/placing.ts";
import type { RelatedEntry } from "../../../core/flow/related.ts";
import { type ControlHost, ControlStream, type Decision } from "../../../core/inspect/control.ts";
import type { Direction, Endpoint, Ms } from "../../../core/units.ts";
import { balancerFor, clientOf, type Place, SEED, transportOf, virtualOf } from "./service.ts";
import { bytesText, textBytes } from "./text.ts";

const NOW = 0 as Ms;
/** From here on nobody reads the connection, or its bytes are none that a reader of lines would understand. */
const BLIND: ReadonlySet<string> = new Set([
  "encrypted",
  "encryption-unknown",
  "not-ftp",
  "message-too-long",
  "helper-threw",
  "helper-broke-contract",
]);

export class SocketRun implements ControlHost {
  readonly balancer: Balancer;
  readonly control: ConnectionEntry;
  readonly stream: ControlStream;
  readonly decisions: Decision[] = [];
  /** Entries that were put in place, in order. */
  readonly placed: RelatedEntry[] = [];
  /** Nothing is understood any more. */
  blind = false;
  aborted: string | null = null;
  /** Bytes that may be held. */
  readonly hold: number;
  readonly #place: Place;
  readonly #said: Record<Direction, string> = { original: "", reply: "" };
  readonly #heard: Record<Direction, string> = { original: "", reply: "" };
  readonly #readable: Record<Direction, string> = { original: "", reply: "" };
  readonly #waiting: (readonly [entry: RelatedEntry, before: RelatedEntry | null])[] = [];
  readonly #placing: Placing;
  /** Where the entry that was put in place last is met. */
  #given: Endpoint | null = null;
  readonly #late: boolean;

  /** `late`: the host answers when it is told to (`answer`); else at once. */
  constructor(place: Place, late = false) {
    const { helper } = place;
    this.#place = place;
    this.hold = helper.limits.hold;
    this.balancer = balancerFor(place);
    this.#placing = new Placing(this.balancer, SEED);
    this.#late = late;
    const control = this.balancer.admit(transportOf(place), clientOf(place), virtualOf(place), NOW);
    if (typeof control === "string") throw new Error(control);
    this.control = control;
    const settings = { strict: false, hold: helper.limits.hold };
    this.stream = new ControlStream({
      helper,
      settings,
      entry: control,
      balancer: this.balancer,
      host: this,
      onRefuse: "refuse",
      onFailure: "open",
    });
  }

  say(direction: Direction, said: string): void {
    this.#said[direction] += said;
    this.stream.feed(direction, textBytes(said), NOW);
  }

  /** What the receiver of `direction` has heard. */
  heard(direction: Direction): string {
    return this.#heard[direction];
  }

  said(direction: Direction): string {
    return this.#said[direction];
  }

  /** The same up to where it became blind. */
  readable(direction: Direction): string {
    return this.#readable[direction];
  }

  /** Answers for the entry that waits longest. False: none waits. */
  answer(): boolean {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return false;
    this.#put(...waiting);
    return true;
  }

  end(): void {
    while (this.answer());
    this.stream.end("original");
    this.stream.end("reply");
  }

  close(): void {
    this.balancer.close(this.control, NOW);
  }

  /** Another connection of the same client. */
  admitAgain(): void {
    this.balancer.admit(this.control.transport, clientOf(this.#place), virtualOf(this.#place), NOW);
  }

  // --- ControlHost ------------------------------------------------------------------------------------------------

  forward(direction: Direction, bytes: Uint8Array): void {
    const text = bytesText(bytes);
    this.#heard[direction] += text;
    if (!this.blind) this.#readable[direction] += text;
  }

  prepare(entry: RelatedEntry, _answered: RelatedEntry | null, before: RelatedEntry | null): void {
    if (this.#late) this.#waiting.push([entry, before]);
    else this.#put(entry, before);
  }

  explain(decision: Decision): void {
    this.decisions.push(decision);
    if (BLIND.has(decision.reason)) this.blind = true;
  }

  abort(reason: string): void {
    this.aborted = reason;
  }

  #put(entry: RelatedEntry, before: RelatedEntry | null): void {
    this.placed.push(entry);
    const below = before !== null && adjoins(before, entry) ? this.#given : null;
    this.#given = this.#placing.find(this.control, entry, below);
    this.stream.prepared(entry, this.#given, NOW);
  }
}
