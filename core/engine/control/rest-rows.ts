/**
 * Control connections at rest, in numbers: 512 bytes a row, so that an ordinary segment touches three or four cache lines
 * that lie side by side, and no objects. A row has both ways, then what both have, what their reader knows, and the output
 * that is not acknowledged. Rows come in pages that never move, and go when all of their connections are over; they are
 * numbered from 1. Numbers of streams are sequence numbers: their ends are told apart by differences.
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
/** Of the connection, among all of the balancer's. */
export const SLOT = 45;

/** Output that is not acknowledged, in bytes from the row's beginning. At rest only one way has any. */
export const KEPT = 192;
export const MOST_KEPT = 512 - KEPT;

const PAGE_SHIFT = 8;
const PAGE_MASK = (1 << PAGE_SHIFT) - 1;
const NONE = -1;

/** Views of the same rows. */
export class RestPage {
  readonly words = new Int32Array(1 << (PAGE_SHIFT + ROW_SHIFT));
  readonly doubles = new Float64Array(this.words.buffer);
  readonly bytes = new Uint8Array(this.words.buffer);
  readonly view = new DataView(this.words.buffer);
  /** Rows in use. */
  used = 0;
  /** The row that was freed last: its first word names the one before it. */
  #free = NONE;
  /** Rows from here on were never used. */
  #fresh = 0;

  get full(): boolean {
    return this.#free === NONE && this.#fresh > PAGE_MASK;
  }

  /** No row is in use, and those before `first` never will be. */
  begin(first: number): void {
    this.used = 0;
    this.#free = NONE;
    this.#fresh = first;
  }

  /** A row that is free. */
  take(): number {
    this.used++;
    const row = this.#free;
    if (row === NONE) return this.#fresh++;
    this.#free = this.words[row << ROW_SHIFT]!;
    return row;
  }

  giveBack(row: number): void {
    this.used--;
    this.words[row << ROW_SHIFT] = this.#free;
    this.#free = row;
  }
}

export const likenessIn = ({ words }: RestPage, row: number, direction: Direction): number =>
  words[row + (direction === "original" ? LIKENESS : LIKENESS + 1)]!;

export function putLikeness({ words }: RestPage, row: number, direction: Direction, likeness: number): void {
  words[row + (direction === "original" ? LIKENESS : LIKENESS + 1)] = likeness;
}

export class RestRows {
  /** null: none of its rows is in use. */
  readonly #pages: (RestPage | null)[] = [];
  /** All pages before this are full. */
  #lowest = 0;
  /** A page that went, for the next that is needed. */
  #spare: RestPage | null = null;

  /** Pages that there are. */
  get pages(): number {
    return this.#pages.reduce((sum, page) => sum + (page === null ? 0 : 1), this.#spare === null ? 0 : 1);
  }

  /** In the first page that has room: so the last ones empty. */
  add(): number {
    while (this.#pages[this.#lowest]?.full === true) this.#lowest++;
    const index = this.#lowest;
    const page = this.#pages[index] ?? this.#open(index);
    const row = (index << PAGE_SHIFT) + page.take();
    page.words[this.place(row) + READER] = 0;
    return row;
  }

  remove(row: number): void {
    const index = row >>> PAGE_SHIFT;
    const page = this.page(row);
    page.giveBack(row & PAGE_MASK);
    this.#lowest = Math.min(this.#lowest, index);
    if (page.used > 0) return;
    this.#pages[index] = null;
    this.#spare = page;
  }

  /** Reads each line of `row` that an ordinary segment needs. */
  touch(row: number): number {
    const page = this.#pages[row >>> PAGE_SHIFT];
    if (page == null) return 0;
    const { words } = page;
    const at = this.place(row);
    return words[at]! ^ words[at + 12]! ^ words[at + 28]! ^ words[at + READER]!;
  }

  page(row: number): RestPage {
    return this.#pages[row >>> PAGE_SHIFT]!;
  }

  /** Where in its page's words `row` begins. */
  place(row: number): number {
    return (row & PAGE_MASK) << ROW_SHIFT;
  }

  /** Row 0 is nobody's. */
  #open(index: number): RestPage {
    const page = this.#spare ?? new RestPage();
    this.#spare = null;
    page.begin(index === 0 ? 1 : 0);
    this.#pages[index] = page;
    return page;
  }
}
