/**
 * Timers of the connection table: a hashed wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987,
 * scheme 6), its lists strung through the rows themselves.
 *
 * A packet of a settled entry only writes a new deadline; the entry stays in the list where it was, and is put into the
 * right one when the wheel comes by. So steady traffic touches no other row. Nor does a state that is left sooner than
 * the one before, since the wheel comes by within a minute in any case.
 *
 * Half-open entries wait in queues instead, one for each state, the one heard from last at the end: as all of a queue
 * have one timeout, the first is the next to expire, and the oldest to be found when the table is full.
 */
import { DEADLINE, NEXT, PREVIOUS, ROW_SHIFT } from "./rows.ts";

/** A quarter of a second. */
export const TICK = 250;
/** A minute: each settled entry is looked at as often, whatever its deadline. */
export const ROUND = 240;
/** More than a round; a power of two. Few enough for their heads to stay in the cache. */
const SLOTS = 256;
/** Entries put back in one call of `due`: what it costs is bounded, however many had their deadline moved. */
export const MOST_PUT_BACK = 64;

const NOBODY = 0;
/** From `due`: there may be more at this tick, but enough was done for one call. */
export const LATER = -1;

export class Wheel {
  declare private readonly rows: Int32Array;
  declare private readonly queues: number;
  /** Lists 0 to SLOTS - 1 are the wheel's, the others the queues. */
  declare private readonly first: Int32Array;
  declare private readonly last: Int32Array;
  /** Everything due before this tick has been given out. */
  #tick = 0;

  constructor(rows: Int32Array, queues: number) {
    this.rows = rows;
    this.queues = queues;
    this.first = new Int32Array(SLOTS + queues);
    this.last = new Int32Array(SLOTS + queues);
  }

  /** Entry `id` waits for its DEADLINE, or for the end of the round. `queue`: the one of its half-open state, or -1. */
  add(id: number, queue: number): void {
    if (queue >= 0) {
      this.#append(SLOTS + queue, id);
      return;
    }
    const deadline = this.rows[(id << ROW_SHIFT) + DEADLINE]!;
    const furthest = this.#tick + ROUND;
    this.#append(Math.min(Math.max(deadline, this.#tick), furthest) & (SLOTS - 1), id);
  }

  remove(id: number): void {
    const rows = this.rows;
    const row = id << ROW_SHIFT;
    const previous = rows[row + PREVIOUS]!;
    const next = rows[row + NEXT]!;
    // A negative link is the list's own end: ~list.
    if (previous < 0) this.first[~previous] = next < 0 ? NOBODY : next;
    else rows[(previous << ROW_SHIFT) + NEXT] = next;
    if (next < 0) this.last[~next] = previous < 0 ? NOBODY : previous;
    else rows[(next << ROW_SHIFT) + PREVIOUS] = previous;
  }

  #append(list: number, id: number): void {
    const rows = this.rows;
    const row = id << ROW_SHIFT;
    const last = this.last[list]!;
    rows[row + NEXT] = ~list;
    rows[row + PREVIOUS] = last === NOBODY ? ~list : last;
    if (last === NOBODY) this.first[list] = id;
    else rows[(last << ROW_SHIFT) + NEXT] = id;
    this.last[list] = id;
  }

  /** The one in `queue` that was heard from longest ago; 0: none. */
  oldest(queue: number): number {
    return this.first[SLOTS + queue]!;
  }

  /** An entry whose deadline is at `tick` or before; 0: none is left; LATER: call again. The caller removes it. */
  due(tick: number): number {
    const halfOpen = this.#dueHalfOpen(tick);
    if (halfOpen !== NOBODY) return halfOpen;
    // After a long pause one turn of the wheel passes every list.
    if (tick - this.#tick >= SLOTS) this.#tick = tick - SLOTS + 1;
    let putBack = 0;
    while (this.#tick <= tick) {
      const id = this.first[this.#tick & (SLOTS - 1)]!;
      if (id === NOBODY) {
        if (this.#tick === tick) break;
        this.#tick++;
      } else if (this.rows[(id << ROW_SHIFT) + DEADLINE]! <= tick) return id;
      else if (putBack++ === MOST_PUT_BACK) return LATER;
      else {
        this.remove(id);
        this.add(id, -1);
      }
    }
    return NOBODY;
  }

  #dueHalfOpen(tick: number): number {
    for (let queue = 0; queue < this.queues; queue++) {
      const id = this.oldest(queue);
      if (id !== NOBODY && this.rows[(id << ROW_SHIFT) + DEADLINE]! <= tick) return id;
    }
    return NOBODY;
  }
}
