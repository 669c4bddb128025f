/**
 * What the outputs want to know of a control connection beside what was announced on it: its segments, for who asked
 * for an explanation or a page, and when nothing was said, for everybody.
 */
import type { Direction } from "../../core/units.ts";

/** One segment or datagram with payload. */
export interface Said {
  readonly frame: number;
  /** Seconds since 1970-01-01 UTC. */
  readonly time: number;
  readonly direction: Direction;
  readonly sequence: number;
  /** Bytes of payload; `bytes` has the first of them. */
  readonly length: number;
  readonly bytes: Uint8Array;
}

/** Nothing was sent from `since` to `until`, in seconds since 1970-01-01 UTC. */
export interface Silence {
  readonly since: number;
  readonly sinceFrame: number;
  readonly until: number;
  readonly untilFrame: number;
  /** Afterwards both ends were heard, and neither gave it up. */
  survived: boolean;
}

/** Shared by the control connections of a capture: how many bytes of transcript may be kept in all. */
export interface TranscriptBudget {
  bytes: number;
}

export const TRANSCRIPT_BYTES = 64 * 1024 * 1024;

const SEGMENTS = 1000;
const SEGMENT_BYTES = 2048;
/** What an entry costs beside its bytes. */
const OVERHEAD = 100;
/** Shorter silences are nobody's timeout. */
const SILENCE_SECONDS = 30;
const SILENCES = 16;

export class Transcript {
  readonly said: Said[] = [];
  readonly silences: Silence[] = [];
  /** Segments that were not kept. */
  omitted = 0;
  /** When, and in which frame, anything was last sent, payload or not. */
  lastTime = 0;
  lastFrame = 0;
  /** The last frame with payload; 0: none. */
  saidFrame = 0;
  readonly #budget: TranscriptBudget | null;
  /** The latest silence while one end alone was heard behind it, and which one that is. */
  #broken: Silence | null = null;
  #brokenBy: Direction = "original";

  /** `budget` null: keep no segments. */
  constructor(budget: TranscriptBudget | null) {
    this.#budget = budget;
  }

  /** `reset`: whoever sends it gives the connection up. */
  packet(
    direction: Direction,
    frame: number,
    time: number,
    sequence: number,
    payload: Uint8Array,
    reset = false,
  ): void {
    this.#silence(frame, time, direction);
    if (this.#broken !== null) this.#heard(this.#broken, direction, reset);
    if (payload.length > 0) this.saidFrame = frame;
    const budget = this.#budget;
    if (budget === null || payload.length === 0) return;
    const kept = Math.min(payload.length, SEGMENT_BYTES);
    if (this.said.length >= SEGMENTS || budget.bytes < kept + OVERHEAD) {
      this.omitted++;
      return;
    }
    budget.bytes -= kept + OVERHEAD;
    this.said.push({ frame, time, direction, sequence, length: payload.length, bytes: payload.slice(0, kept) });
  }

  #silence(frame: number, time: number, direction: Direction): void {
    const { lastTime: since, lastFrame: sinceFrame } = this;
    this.lastTime = time;
    this.lastFrame = frame;
    if (sinceFrame === 0 || time - since < SILENCE_SECONDS || this.silences.length >= SILENCES) return;
    this.#broken = { since, sinceFrame, until: time, untilFrame: frame, survived: false };
    this.#brokenBy = direction;
    this.silences.push(this.#broken);
  }

  #heard(broken: Silence, direction: Direction, reset: boolean): void {
    if (!reset && direction === this.#brokenBy) return;
    broken.survived = !reset;
    this.#broken = null;
  }
}
