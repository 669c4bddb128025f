/**
 * Control streams of the socket path one after the other, on one balancer and with buffers that are used again: for the
 * many short sessions of the line fuzzer.
 */
import type { Balancer, ConnectionEntry } from "../../../core/balancer.ts";
import { Placing } from "../../../core/engine/placing.ts";
import type { RelatedEntry } from "../../../core/flow/related.ts";
import type { Helper } from "../../../core/helper/api.ts";
import { type ControlHost, ControlStream, type Decision } from "../../../core/inspect/control.ts";
import type { Direction, Endpoint, Ms } from "../../../core/units.ts";
import { copyWords, viewOf } from "../../../core/wire/bytes.ts";
import { BLOCKS, LINES, OPENING, type Script, SESSION } from "../generate/ftp/script.ts";
import type { Pace } from "../properties/pace.ts";
import { balancerFor, clientOf, type Place, SEED, virtualOf } from "./service.ts";
import { Views } from "./views.ts";

const NOW = 0 as Ms;
const MOST_HEARD = 0x40000;

export class StreamHost implements ControlHost {
  readonly balancer: Balancer;
  /** What the client has heard of this session. */
  readonly heard = new Uint8Array(MOST_HEARD);
  length = 0;
  /** How much the realserver has. */
  commands = 0;
  /** Those of this session. */
  readonly decisions: Decision[] = [];
  readonly placed: RelatedEntry[] = [];
  /** What the client had heard before the first reply of the script. */
  opened = 0;
  /** After each reply of the script: bytes that the client had heard, and entries that were placed. */
  readonly heardTo = new Int32Array(SESSION);
  readonly placedTo = new Int32Array(SESSION);
  /** From this reply on nothing was read any more. */
  blindFrom = SESSION;
  control: ConnectionEntry | null = null;
  stream: ControlStream | null = null;
  /** The control connection of the session before. */
  #before: ConnectionEntry | null = null;
  readonly #heard = viewOf(this.heard);
  readonly #views = new Views();
  readonly #client: Endpoint;
  readonly #virtual: Endpoint;
  #placing: Placing;

  constructor(place: Place) {
    this.#client = clientOf(place);
    this.#virtual = virtualOf(place);
    this.balancer = balancerFor(place);
    this.#placing = new Placing(this.balancer, SEED);
  }

  /** A new session, read by `helper`. */
  open(helper: Helper): void {
    this.length = 0;
    this.commands = 0;
    this.decisions.length = 0;
    this.placed.length = 0;
    this.blindFrom = SESSION;
    this.#placing = new Placing(this.balancer, SEED);
    const entry = this.balancer.admit("tcp", this.#client, this.#virtual, NOW);
    if (typeof entry === "string") throw new Error(entry);
    this.control = entry;
    this.stream = new ControlStream({
      helper,
      settings: { strict: false, hold: helper.limits.hold },
      entry,
      balancer: this.balancer,
      host: this,
      onRefuse: "refuse",
      onFailure: "open",
    });
  }

  /** All that is said in it, each reply by itself; `pace` looks at the time that each block takes. */
  hear(script: Script, pace: Pace): void {
    const stream = this.stream!;
    for (const [direction, bytes] of OPENING) stream.feed(direction, bytes, NOW);
    this.opened = this.length;
    for (let block = 0; block < BLOCKS; block++) {
      pace.start();
      stream.feed("original", script.questions, NOW, script.questionsAt(block), script.questionsAt(block + 1));
      for (let line = block * LINES; line < (block + 1) * LINES; line++) this.#reply(script, line);
      pace.stop(script.repliesAt(block + 1) - script.repliesAt(block));
    }
  }

  #reply(script: Script, line: number): void {
    const stream = this.stream!;
    stream.feed("reply", script.replies, NOW, script.at(line), script.behind[line]!);
    this.heardTo[line] = this.length;
    this.placedTo[line] = this.placed.length;
    if (stream.detached) this.blindFrom = Math.min(this.blindFrom, line);
  }

  /** What is there of the last session that should not be; null: nothing. */
  close(): string | null {
    const { balancer } = this;
    const stale = this.#before !== null && balancer.connections.get(this.#before.handle) !== null;
    this.#before = this.control;
    balancer.close(this.control!, NOW);
    if (balancer.related.size > 0) return "an entry of a control connection that is closed";
    return stale ? "the handle of a closed connection leads to another" : null;
  }

  forward(direction: Direction, bytes: Uint8Array): void {
    this.append(direction, bytes, 0, bytes.length);
  }

  append(direction: Direction, bytes: Uint8Array, start: number, end: number): void {
    if (direction === "original") this.commands += end - start;
    else this.length = copyWords(this.#views.of(bytes), start, end, this.#heard, this.length);
  }

  prepare(entry: RelatedEntry): void {
    this.placed.push(entry);
    this.stream!.prepared(entry, this.#placing.find(this.control!, entry, null), NOW);
  }

  explain(decision: Decision): void {
    this.decisions.push(decision);
  }

  abort(): void {}
}
