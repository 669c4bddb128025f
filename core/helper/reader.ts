import type { Direction } from "../units.ts";
import {
  type Connection,
  type Helper,
  type Inspection,
  type Inspector,
  type Settings,
  STATE_WORDS,
  UNFINISHED,
} from "./api.ts";
import type { Recorder } from "./recorder.ts";
import {
  endHelper,
  type Failure,
  failedLike,
  offer,
  offerInFull,
  openHelper,
  type RunOptions,
  readBrief,
  restHelper,
  runHelper,
  THREW,
  wakeHelper,
} from "./run.ts";

/**
 * A helper as the reader of one connection: in brief wherever words will do (brief.ts), in full where they will not. What it
 * knows stays in its words until it has to be woken.
 */
export class HelperReader {
  readonly #helper: Helper;
  #inspector: Inspector;
  /** Where it rests, from `#place` on; null: it never did. */
  #words: Int32Array | null = null;
  #place = 0;
  #resting = false;

  constructor(helper: Helper, connection: Connection, settings: Settings) {
    this.#helper = helper;
    this.#inspector = openHelper(helper, connection, settings);
  }

  /** It can be asked about what cannot be waited for (`Inspector.end`). */
  get ends(): boolean {
    return this.#inspector.end !== undefined;
  }

  /** As `Brief.brief`, wherever it knows what it knows. Where it failed, it fails again when it is asked in full. */
  brief(payload: Uint8Array, at: number, end: number, direction: Direction): number {
    offer.form = null;
    if (this.#helper.brief === undefined || !(this.#resting || this.#rest())) return at;
    const behind = readBrief(this.#helper, payload, at, end, direction, this.#words!, this.#place);
    if (behind >= UNFINISHED) return behind;
    this.#inspector = failedLike(behind);
    this.#resting = false;
    return at;
  }

  /** Looks at `payload` in full, or tells in full what it has just offered in brief. */
  inspect(payload: Uint8Array, direction: Direction, recorder: Recorder, running: RunOptions): Inspection | Failure {
    const inspector = offer.form === null ? this.#awake() : offerInFull;
    return runHelper(inspector, payload, direction, recorder, running);
  }

  /** As `Inspector.end`. */
  end(payload: Uint8Array, direction: Direction, recorder: Recorder, last: boolean): void {
    endHelper(this.#awake(), payload, direction, recorder, last);
  }

  /** As `Inspector.gap`. */
  gap(direction: Direction): void {
    this.#awake().gap?.(direction);
  }

  /** Puts what it knows into `words` from `place` on, where it stays; false: words cannot say it. */
  rest(words: Int32Array, place: number): boolean {
    if (!this.#resting) {
      this.#resting = restHelper(this.#inspector, words, place);
    } else if (this.#words !== words || this.#place !== place) {
      for (let i = 0; i < STATE_WORDS; i++) words[place + i] = this.#words![this.#place + i]!;
    }
    this.#words = words;
    this.#place = place;
    return this.#resting;
  }

  #rest(): boolean {
    return this.rest(this.#words ?? new Int32Array(STATE_WORDS), this.#place);
  }

  #awake(): Inspector {
    if (this.#resting && !wakeHelper(this.#inspector, this.#words!, this.#place)) this.#inspector = failedLike(THREW);
    this.#resting = false;
    return this.#inspector;
  }
}
