/**
 * The line fuzzer: single-line replies, each newly made or changed, in sessions of a few dozen. Each session is held three
 * times, line by line and cut anywhere on the socket path, and as replay sees it, and once in so many on packets. Work is
 * counted in dialogues: a helper that is metered is read by V8 as if it were any other from then on, slowly.
 */
import type { Helper } from "../../../core/helper/api.ts";
import type { Direction, Ms } from "../../../core/units.ts";
import { Random } from "../generate/choices.ts";
import { LineMaker } from "../generate/ftp/lines.ts";
import type { Ends } from "../generate/ftp/model.ts";
import { segments } from "../generate/segments.ts";
import { PacketRun } from "../hosts/packets.ts";
import { ReplayRun } from "../hosts/replay.ts";
import type { Place } from "../hosts/service.ts";
import { StreamHost } from "../hosts/stream.ts";
import { textBytes } from "../hosts/text.ts";
import { type Violation, violation } from "../properties/finding.ts";
import { checkLine, checkWhole, sameAs, sameAsObserved } from "../properties/line.ts";

const NOW = 0 as Ms;
const BLOCKS = 4;
const LINES = 8;
/** Replies of a session. */
export const SESSION = BLOCKS * LINES;
/** One session of so many is held on packets. */
const SAMPLED = 16;
const SEGMENT = 1460;

export const LINE_ENDS: Ends = { client: "10.0.0.5", virtual: "203.0.113.10", real: "192.168.0.2" };
const GREETING = textBytes("220 ready\r\n");
const HELLO = textBytes("USER a\r\n");
const LOGGED_IN = textBytes("230 ok\r\n");
const QUESTIONS = [textBytes("PASV\r\n"), textBytes("EPSV\r\n")];

export type Said = readonly [direction: Direction, bytes: Uint8Array];

export class LineFuzzer {
  readonly maker: LineMaker;
  /** What was said in the last session. */
  readonly turns: Said[] = [];
  /** Told of every reply, in the maker's buffer. */
  readonly #each: (bytes: Uint8Array, length: number) => void;
  readonly #helper: Helper;
  readonly #place: Place;
  readonly #seed: number;
  readonly #random = new Random(0);
  readonly #whole: StreamHost;
  readonly #cut: StreamHost;
  /** The replies of a block, one behind the other. */
  readonly #said = new Uint8Array(LINES * 2048);

  constructor(helper: Helper, seed: number, each: (bytes: Uint8Array, length: number) => void = () => {}) {
    this.#helper = helper;
    this.#place = { helper, ends: LINE_ENDS };
    this.#seed = seed;
    this.#each = each;
    this.maker = new LineMaker(this.#random, LINE_ENDS);
    this.#whole = new StreamHost(this.#place);
    this.#cut = new StreamHost(this.#place);
  }

  /** Holds session `number` of this seed. What it shows broken, or null. */
  session(number: number): Violation | null {
    this.#random.seed(this.#seed, number);
    try {
      const found = this.#hold(number % 2 === 0) ?? this.#observed();
      const held = found ?? (number % SAMPLED === 0 ? this.#onPackets() : null);
      const left = this.#closed();
      return held ?? left;
    } catch (error) {
      this.#closed();
      return violation("threw", error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }

  #hold(exact: boolean): Violation | null {
    this.turns.length = 0;
    this.#whole.open(this.#helper);
    this.#cut.open(this.#helper);
    for (const turn of [
      ["reply", GREETING],
      ["original", HELLO],
      ["reply", LOGGED_IN],
    ] as const)
      this.#say(turn);
    for (let block = 0; block < BLOCKS; block++) {
      for (let i = 0; i < LINES; i++) this.#say(["original", QUESTIONS[this.#random.below(2)]!]);
      const found = this.#replies(exact);
      if (found !== null) return found;
    }
    return checkWhole(this.#whole, SESSION) ?? sameAs(this.#whole, this.#cut);
  }

  /** Both hear it in one piece. */
  #say(turn: Said): void {
    this.turns.push(turn);
    this.#whole.stream!.feed(turn[0], turn[1], NOW);
    this.#cut.stream!.feed(turn[0], turn[1], NOW);
  }

  /** A block of replies: one by one, and cut anywhere. */
  #replies(exact: boolean): Violation | null {
    const { maker } = this;
    const whole = this.#whole;
    const said = this.#said;
    let length = 0;
    let found: Violation | null = null;
    for (let i = 0; i < LINES && found === null; i++) {
      if (exact) maker.make();
      else maker.bend();
      this.#each(maker.buffer, maker.length);
      const line = said.subarray(length, length + maker.length);
      line.set(maker.buffer.subarray(0, maker.length));
      length += maker.length;
      const before = whole.length;
      const placed = whole.placed.length;
      whole.stream!.feed("reply", line, NOW);
      found = checkLine(maker, line, whole, before, placed);
    }
    const block = said.slice(0, length);
    this.turns.push(["reply", block]);
    this.#feedCut(block);
    return found;
  }

  #feedCut(block: Uint8Array): void {
    const most = this.#random.below(8) === 0 ? 8 : 150;
    for (let at = 0; at < block.length; ) {
      const end = Math.min(block.length, at + 1 + this.#random.below(most));
      this.#cut.stream!.feed("reply", block.subarray(at, end), NOW);
      at = end;
    }
  }

  #observed(): Violation | null {
    const run = new ReplayRun(this.#place);
    for (const [frame, [direction, bytes]] of this.turns.entries()) run.observer.data(direction, bytes, frame);
    return sameAsObserved(this.#whole, run);
  }

  #onPackets(): Violation | null {
    const random = this.#random;
    const run = new PacketRun(this.#place, { client: random.next(), server: random.next() });
    for (const [direction, bytes] of this.turns) run.say(direction, bytes, segments(random, bytes.length, SEGMENT));
    if (run.wrong !== null) return violation("hosts", `the packet engine: ${run.wrong}`);
    const heard = textBytes(run.heard("reply"));
    return sameAs(this.#whole, { decisions: run.decisions, heard, length: heard.length }, "hosts");
  }

  #closed(): Violation | null {
    const [whole, cut] = [this.#whole.close(), this.#cut.close()];
    const left = whole ?? cut;
    return left === null ? null : violation("outlived", left);
  }
}
