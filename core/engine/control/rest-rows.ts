/**
 * Control connections at rest, in numbers: 512 bytes a row, so that an ordinary segment touches three or four cache lines
 * that lie side by side, and no objects. A row has both ways, then what both have, what their reader knows, and the output
 * that is not acknowledged. Rows come in pages that never move, and are numbered from 1. Numbers of streams are sequence
 * numbers: their ends are told apart by differences.
 */
import type { Direction } from "../../units.ts";

/** Words of a row, and of each way in it: the original's first. A way's line ends with three doubles. */
export const ROW_SHIFT = 7;
export const WAY_SHIFT = 4;

/** What S sends next. */
export const NEXT = 0;
/** What R has acknowledged of S's. S was told so. */
export const ACKNOWLEDGED = 1;
/** What R is sent next, and what R has acknowledged of it. */
export const SENT = 2;
export const HEARD = 3;
/** As in `Way`. */
export const EDGE = 4;
export const TOLD_EDGE = 5;
/** Where R's room ends, and the number in R's own stream at which it said so. */
export const ROOM = 6;
export const ROOM_READ = 7;
export const CLOCK = 8;
/** What is waited for to measure the round trip; nothing, where it is HEARD. */
export const TIMED = 9;

/** Behind both ways: most payload of a segment that goes each way, the scale of its windows << 16, and marks. */
export const LIMITS = 2 << WAY_SHIFT;
export const SCALE_SHIFT = 16;
export const TIMESTAMPS = 1 << 20;
export const SACK_PERMITTED = 1 << 21;

/** Doubles of a way, from its line's beginning. */
export const SMOOTHED = 5;
export const VARIANCE = 6;
export const TIMED_AT = 7;

/** Then what packets to come are like that go each way (envelope.ts): the original's first. */
const LIKENESS = 38;
/** Behind the words of the stream (core/inspect/stream-rows.ts), by whom they are read: 0: by nobody, the stream is awake. */
export const READER = 44;

/** Output that is not acknowledged, in bytes from the row's beginning. At rest only one way has any. */
export const KEPT = 192;
export const MOST_KEPT = 512 - KEPT;

const PAGE_SHIFT = 8;
const PAGE_MASK = (1 << PAGE_SHIFT) - 1;

/** Views of the same rows. */
export class RestPage {
  readonly words = new Int32Array(1 << (PAGE_SHIFT + ROW_SHIFT));
  readonly doubles = new Float64Array(this.words.buffer);
  readonly bytes = new Uint8Array(this.words.buffer);
  readonly view = new DataView(this.words.buffer);
}

export const likenessIn = ({ words }: RestPage, row: number, direction: Direction): number =>
  words[row + (direction === "original" ? LIKENESS : LIKENESS + 1)]!;

export function putLikeness({ words }: RestPage, row: number, direction: Direction, likeness: number): void {
  words[row + (direction === "original" ? LIKENESS : LIKENESS + 1)] = likeness;
}

export class RestRows {
  readonly #pages: RestPage[] = [];
  /** The last freed first. */
  readonly #free: number[] = [];
  /** None is 0. */
  #fresh = 1;

  add(): number {
    const row = this.#free.pop() ?? this.#fresh++;
    if (row >>> PAGE_SHIFT === this.#pages.length) this.#pages.push(new RestPage());
    this.page(row).words[this.place(row) + READER] = 0;
    return row;
  }

  remove(row: number): void {
    this.#free.push(row);
  }

  page(row: number): RestPage {
    return this.#pages[row >>> PAGE_SHIFT]!;
  }

  /** Where in its page's words `row` begins. */
  place(row: number): number {
    return (row & PAGE_MASK) << ROW_SHIFT;
  }
}
