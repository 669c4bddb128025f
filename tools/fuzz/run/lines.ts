/**
 * The line fuzzer: single-line replies, each newly made or changed, in sessions of a few dozen. Each session is held three
 * times: line by line on the socket path, cut, repeated and out of order on packets, and cut otherwise as replay sees it.
 */
import type { Connection, Helper } from "../../../core/helper/api.ts";
import type { Direction, Ms } from "../../../core/units.ts";
import { copyBytes } from "../../../core/wire/bytes.ts";
import { Random } from "../generate/choices.ts";
import { LineMaker } from "../generate/ftp/lines.ts";
import type { Ends } from "../generate/ftp/model.ts";
import { EngineHost } from "../hosts/engine.ts";
import { ReplayRun } from "../hosts/replay.ts";
import { connectionOf, type Place } from "../hosts/service.ts";
import { StreamHost } from "../hosts/stream.ts";
import { textBytes } from "../hosts/text.ts";
import { type Violation, violation } from "../properties/finding.ts";
import { checkLine, checkWhole, LineHeard, sameAs, sameAsObserved } from "../properties/line.ts";
import { expressionText, Meter } from "../properties/meter.ts";
import { Pace } from "../properties/pace.ts";

const NOW = 0 as Ms;
const BLOCKS = 8;
const LINES = 8;
/** Replies of a session. */
export const SESSION = BLOCKS * LINES;
const MOST_LINE = 2048;
/** The most bytes of a segment. */
const FINE = 8;
const COARSE = 400;
/** How often a slow session is held again before its reads are counted. */
const AGAIN = 3;

export const LINE_ENDS: Ends = { client: "10.0.0.5", virtual: "203.0.113.10", real: "192.168.0.2" };
const GREETING = textBytes("220 ready\r\n");
const HELLO = textBytes("USER a\r\n");
const LOGGED_IN = textBytes("230 ok\r\n");
const QUESTIONS = [textBytes("PASV\r\n"), textBytes("EPSV\r\n")];
const QUESTION = 6;

type Each = (bytes: Uint8Array, length: number) => void;

export type Said = readonly [direction: Direction, bytes: Uint8Array];

/** What the time went into. Milliseconds. */
export interface Spent {
  generation: number;
  inspection: number;
  checking: number;
}

export class LineFuzzer {
  readonly spent: Spent = { generation: 0, inspection: 0, checking: 0 };
  /** What was said in the session: a block's questions, and its replies one behind the other. */
  readonly #said: Said[] = [];
  /** Told of every reply, in the maker's buffer. */
  readonly #each: Each;
  readonly #helper: Helper;
  readonly #place: Place;
  readonly #seed: number;
  readonly #random = new Random(0);
  readonly #maker: LineMaker;
  readonly #whole: StreamHost;
  readonly #packets: EngineHost;
  readonly #pace = new Pace();
  /** Of the block that is held: what must come of each line, and what did. */
  readonly #lines = Array.from({ length: LINES }, () => new LineHeard());
  /** Its replies, one behind the other. */
  readonly #replies = new Uint8Array(LINES * MOST_LINE);
  readonly #connection: Connection;
  #replay: ReplayRun;
  #frames = 0;

  constructor(helper: Helper, seed: number, each: Each = () => {}) {
    this.#helper = helper;
    this.#place = { helper, ends: LINE_ENDS };
    this.#seed = seed;
    this.#each = each;
    this.#maker = new LineMaker(this.#random, LINE_ENDS);
    this.#whole = new StreamHost(this.#place);
    this.#packets = new EngineHost(this.#place);
    this.#connection = connectionOf(this.#place);
    this.#replay = new ReplayRun(this.#place, this.#connection);
  }

  /** What was said in the last session. */
  get turns(): readonly Said[] {
    return this.#said;
  }

  /** Holds session `number` of this seed, bred from the lines that are `known`. What it shows broken, or null. */
  session(number: number, known: readonly Uint8Array[] = []): Violation | null {
    this.#maker.known = known;
    const untrap = this.#pace.watch();
    try {
      return this.#session(number, this.#each) ?? this.#stalled(number);
    } catch (error) {
      return violation("threw", error instanceof Error ? (error.stack ?? error.message) : String(error));
    } finally {
      untrap();
    }
  }

  #session(number: number, each: Each): Violation | null {
    this.#random.seed(this.#seed, number);
    this.#pace.begin();
    this.#open();
    const exact = number % 2 === 0 && this.#maker.known.length === 0;
    let found: Violation | null = null;
    for (let block = 0; block < BLOCKS && found === null; block++) found = this.#block(exact, each);
    found ??= this.#compared();
    const left = this.#whole.close() ?? this.#packets.close();
    return found ?? (left === null ? null : violation("outlived", left));
  }

  #open(): void {
    this.#said.length = 0;
    this.#frames = 0;
    this.#whole.open(this.#helper);
    this.#packets.open(this.#random);
    this.#replay = new ReplayRun(this.#place, this.#connection);
    this.#tell("reply", GREETING);
    this.#tell("original", HELLO);
    this.#tell("reply", LOGGED_IN);
  }

  /** All three hosts hear it. */
  #tell(direction: Direction, bytes: Uint8Array): void {
    this.#whole.stream!.feed(direction, bytes, NOW);
    this.#tellOthers(direction, bytes);
  }

  /** Those to whom it comes in pieces. */
  #tellOthers(direction: Direction, bytes: Uint8Array): void {
    const random = this.#random;
    this.#said.push([direction, bytes]);
    this.#packets.say(direction, bytes, random.below(64) === 0 ? FINE : COARSE, random);
    const cut = random.below(bytes.length);
    if (cut > 0) this.#replay.observer.data(direction, bytes.subarray(0, cut), ++this.#frames);
    this.#replay.observer.data(direction, bytes.subarray(cut), ++this.#frames);
  }

  /** Some questions, and as many replies. */
  #block(exact: boolean, each: Each): Violation | null {
    const { spent } = this;
    const begun = performance.now();
    const questions = this.#ask();
    const replies = this.#reply(exact, each);
    const made = performance.now();
    this.#pace.start();
    this.#tell("original", questions);
    for (const line of this.#lines) this.#hear(line, replies);
    this.#tellOthers("reply", replies);
    this.#pace.stop(replies.length);
    const heard = performance.now();
    let found: Violation | null = null;
    for (let i = 0; i < LINES && found === null; i++) found = checkLine(this.#lines[i]!, replies, this.#whole);
    spent.generation += made - begun;
    spent.inspection += heard - made;
    spent.checking += performance.now() - heard;
    return found;
  }

  #ask(): Uint8Array {
    const questions = new Uint8Array(LINES * QUESTION);
    for (let i = 0; i < LINES; i++) questions.set(QUESTIONS[this.#random.below(2)]!, i * QUESTION);
    return questions;
  }

  #reply(exact: boolean, each: Each): Uint8Array {
    const maker = this.#maker;
    let length = 0;
    for (const line of this.#lines) {
      if (exact) maker.make();
      else maker.bend();
      each(maker.buffer, maker.length);
      line.expect(maker, length);
      length = copyBytes(maker.buffer, 0, maker.length, this.#replies, length);
    }
    return this.#replies.slice(0, length);
  }

  #hear(line: LineHeard, replies: Uint8Array): void {
    const whole = this.#whole;
    line.before = whole.length;
    line.placedBefore = whole.placed.length;
    whole.stream!.feed("reply", replies.subarray(line.at, line.behind), NOW);
    line.after = whole.length;
    line.placedAfter = whole.placed.length;
    line.blind = whole.stream!.detached;
  }

  /** After the last block. */
  #compared(): Violation | null {
    const begun = performance.now();
    const whole = this.#whole;
    const found =
      checkWhole(whole, SESSION) ?? this.#onPackets() ?? sameAsObserved(whole, this.#replay) ?? this.#expression();
    this.spent.checking += performance.now() - begun;
    return found;
  }

  #onPackets(): Violation | null {
    const { wrong } = this.#packets;
    const found =
      wrong === null ? sameAs(this.#whole, this.#packets, "hosts") : violation("hosts", `the packet engine: ${wrong}`);
    return found && (this.#cut() ?? found);
  }

  /** The socket path byte by byte: whether it is how bytes are cut, and not who reads them. */
  #cut(): Violation | null {
    const cut = new StreamHost(this.#place);
    cut.open(this.#helper);
    for (const [direction, bytes] of this.#said) {
      for (let at = 0; at < bytes.length; at++) cut.stream!.feed(direction, bytes.subarray(at, at + 1), NOW);
    }
    return sameAs(this.#whole, cut, "segmentation");
  }

  #expression(): Violation | null {
    const { expression } = this.#pace;
    return expression === null ? null : violation("stalled", expressionText(expression));
  }

  /** A session that is slow whenever it is held is held once more with its reads counted. */
  #stalled(number: number): Violation | null {
    for (let i = 0; i < AGAIN && this.#pace.slow; i++) this.#session(number, () => {});
    if (!this.#pace.slow) return null;
    const meter = new Meter();
    const metered = new StreamHost(this.#place);
    metered.open(meter.on(this.#helper));
    for (const [direction, bytes] of this.#said) metered.stream!.feed(direction, bytes, NOW);
    return meter.finding === null ? null : violation("stalled", meter.finding);
  }
}
