/**
 * The line fuzzer: single-line replies, each newly made or changed, in sessions of some hundreds. Each session is held three
 * times: line by line on the socket path, cut, repeated and out of order on packets, and cut otherwise as replay sees it.
 * What is held is the same objects and buffers for all sessions; only control connections are new in each.
 */
import type { Helper } from "../../../core/helper/api.ts";
import type { Ms } from "../../../core/units.ts";
import { Random } from "../generate/choices.ts";
import { LineMaker } from "../generate/ftp/lines.ts";
import type { Ends } from "../generate/ftp/model.ts";
import { type Said, Script, SESSION } from "../generate/ftp/script.ts";
import { EngineHost } from "../hosts/engine.ts";
import { ReplayHost } from "../hosts/replay.ts";
import type { Place } from "../hosts/service.ts";
import { StreamHost } from "../hosts/stream.ts";
import { type Violation, violation } from "../properties/finding.ts";
import { checkWhole, LineCheck, sameAs, sameAsObserved } from "../properties/line.ts";
import { expressionText, Meter } from "../properties/meter.ts";
import { Pace } from "../properties/pace.ts";
import type { Many } from "./inputs.ts";

const NOW = 0 as Ms;
/** How often a slow session is held again before its reads are counted. */
const AGAIN = 3;

export const LINE_ENDS: Ends = { client: "10.0.0.5", virtual: "203.0.113.10", real: "192.168.0.2" };

/** What the time went into. Milliseconds. */
export interface Spent {
  generation: number;
  inspection: number;
  checking: number;
}

export class LineFuzzer {
  readonly spent: Spent = { generation: 0, inspection: 0, checking: 0 };
  /** Told of a session's replies before any is said. */
  readonly #made: Many;
  readonly #helper: Helper;
  readonly #place: Place;
  readonly #seed: number;
  readonly #random = new Random(0);
  readonly #maker = new LineMaker(this.#random, LINE_ENDS);
  readonly #script = new Script();
  readonly #whole: StreamHost;
  readonly #packets: EngineHost;
  readonly #replay: ReplayHost;
  readonly #check: LineCheck;
  readonly #pace = new Pace();

  constructor(helper: Helper, seed: number, made: Many = () => {}) {
    this.#helper = helper;
    this.#place = { helper, ends: LINE_ENDS };
    this.#seed = seed;
    this.#made = made;
    this.#whole = new StreamHost(this.#place);
    this.#packets = new EngineHost(this.#place);
    this.#replay = new ReplayHost(this.#place);
    this.#check = new LineCheck(this.#script, this.#whole);
  }

  /** What was said in the last session. */
  get turns(): readonly Said[] {
    return this.#script.said();
  }

  /** Holds session `number` of this seed, bred from the lines that are `known`. What it shows broken, or null. */
  session(number: number, known: readonly Uint8Array[] = []): Violation | null {
    this.#maker.known = known;
    const untrap = this.#pace.watch();
    try {
      return this.#session(number) ?? this.#stalled();
    } catch (error) {
      return violation("threw", error instanceof Error ? (error.stack ?? error.message) : String(error));
    } finally {
      untrap();
    }
  }

  #session(number: number): Violation | null {
    const { spent } = this;
    const exact = number % 2 === 0 && this.#maker.known.length === 0;
    const begun = performance.now();
    this.#random.seed(this.#seed, number);
    this.#script.make(this.#maker, this.#random, exact);
    this.#made(this.#script.replies, this.#script.behind, SESSION);
    const made = performance.now();
    this.#hear();
    const heard = performance.now();
    const found = this.#check.session() ?? this.#compared();
    spent.generation += made - begun;
    spent.inspection += heard - made;
    spent.checking += performance.now() - heard;
    const left = this.#whole.close() ?? this.#packets.close();
    return found ?? (left === null ? null : violation("outlived", left));
  }

  #hear(): void {
    this.#hearWhole(false);
    this.#packets.open(this.#random);
    this.#packets.hear(this.#script, this.#random);
    this.#replay.hear(this.#script, this.#random);
  }

  /** The socket path alone, which is timed. */
  #hearWhole(sure: boolean): void {
    this.#pace.begin(sure);
    this.#whole.open(this.#helper);
    this.#whole.hear(this.#script, this.#pace);
  }

  /** All three hosts have heard it. */
  #compared(): Violation | null {
    const found = checkWhole(this.#whole, this.#script.questionCount) ?? this.#expression();
    if (found !== null) return found;
    const differs = this.#onPackets() ?? sameAsObserved(this.#whole, this.#replay);
    return differs && (this.#cut() ?? differs);
  }

  #onPackets(): Violation | null {
    const { wrong } = this.#packets;
    return wrong === null
      ? sameAs(this.#whole, this.#packets, "hosts")
      : violation("hosts", `the packet engine: ${wrong}`);
  }

  /** The socket path byte by byte: whether it is how bytes are cut, and not who reads them. */
  #cut(): Violation | null {
    const cut = new StreamHost(this.#place);
    cut.open(this.#helper);
    for (const [direction, bytes] of this.turns) {
      for (let at = 0; at < bytes.length; at++) cut.stream!.feed(direction, bytes, NOW, at, at + 1);
    }
    return sameAs(this.#whole, cut, "segmentation");
  }

  #expression(): Violation | null {
    const { expression } = this.#pace;
    return expression === null ? null : violation("stalled", expressionText(expression));
  }

  /** A session that is slow whenever it is held is held once more with its reads counted. */
  #stalled(): Violation | null {
    for (let i = 0; i < AGAIN && this.#pace.slow; i++) {
      this.#hearWhole(true);
      this.#whole.close();
    }
    if (!this.#pace.slow) return null;
    const meter = new Meter();
    const metered = new StreamHost(this.#place);
    metered.open(meter.on(this.#helper));
    for (const [direction, bytes] of this.turns) metered.stream!.feed(direction, bytes, NOW);
    return meter.finding === null ? null : violation("stalled", meter.finding);
  }
}
