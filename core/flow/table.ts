/**
 * The connection table: typed arrays, one row an entry (rows.ts), found from either direction by one seeded hash
 * (buckets.ts), with timers (wheel.ts). Nothing is allocated after start-up but the index when it grows.
 *
 * The arrays are made for `capacity` at once. That costs addresses, not memory: the system gives zeroed pages when they
 * are first touched, ids are given out in order, and so growth never copies a row.
 */
import type { Ms } from "../units.ts";
import { Buckets } from "./buckets.ts";
import {
  DESTINATION,
  DESTINATION_PREFIX,
  type HashSeed,
  hashKey,
  IPV6,
  KEY,
  KIND as KEY_KIND,
  KIND_MASK,
  PORTS,
  SOURCE,
  SOURCE_PREFIX,
} from "./key.ts";
import {
  BYTES,
  CLIENT,
  CLIENT_PREFIX,
  DEADLINE,
  GENERATION,
  INNER_PORT,
  KIND,
  keyOf,
  NEXT,
  OUTER_PORTS,
  PACKETS,
  PREFIXES,
  REAL,
  REAL_PREFIX,
  REPLY,
  ROW_SHIFT,
  STATE_MASK,
  STATE_SHIFT,
  VIRTUAL,
  VIRTUAL_PREFIX,
} from "./rows.ts";
import { defaultTimeouts, QUEUES, queueOf, STATES, State, type StateName } from "./tcp-state.ts";
import { ROUND, TICK, Wheel } from "./wheel.ts";

declare const flowId: unique symbol;
/** An entry's id with its generation: what anyone but the engine's inner loop keeps. Stale, it finds nothing. */
export type FlowId = number & { readonly [flowId]: "FlowId" };

const ID_BITS = 24;
export const MOST_FLOWS = 2 ** ID_BITS - 1;
/** With the id's, all the bits that a number holds exactly. */
const GENERATIONS = 2 ** 29;

/** From `add`. Ids are positive. */
export const FULL = 0;
export const CLASH = -1;

/**
 * Where the rows begin in their memory, in bytes. What is so large the system gives in pages of its own, and glibc's malloc
 * takes the first 16 bytes of those: from here on each row is a cache line, where it would lie across two.
 */
const FIRST_LINE = 48;

const inLines = (words: number): Int32Array => {
  const bytes = words * Int32Array.BYTES_PER_ELEMENT;
  return new Int32Array(new ArrayBuffer(FIRST_LINE + bytes), FIRST_LINE, words);
};

export interface TableOptions {
  /** Entries at most. */
  readonly capacity: number;
  readonly seed: HashSeed;
  readonly timeouts?: Partial<Readonly<Record<StateName, Ms>>>;
}

export class FlowTable {
  declare readonly capacity: number;
  /** For the engine's inner loop, which reads and counts in place. */
  declare readonly rows: Int32Array;
  declare readonly prefixes: Int32Array;
  /** In ticks, by state. */
  declare readonly timeouts: Int32Array;
  /** By `id << 1 | direction`: to make one again takes longer than to read it. */
  declare private readonly hashes: Int32Array;
  declare private readonly buckets: Buckets;
  declare private readonly wheel: Wheel;
  declare private readonly k0: number;
  declare private readonly k1: number;
  readonly #scratch = new Int32Array(KEY);
  #size = 0;
  /** Rows that were used and are free, the last freed first; strung through NEXT. */
  #free = 0;
  /** Ids from here on have never been used. */
  #fresh = 1;
  #origin = Number.NaN;
  #tick = 0;

  constructor({ capacity, seed, timeouts }: TableOptions) {
    if (!(capacity >= 1 && capacity <= MOST_FLOWS)) throw new RangeError(`not a capacity: ${capacity}`);
    this.capacity = capacity;
    // Id 0 is nobody's.
    this.rows = inLines((capacity + 1) << ROW_SHIFT);
    this.prefixes = new Int32Array((capacity + 1) * PREFIXES);
    this.timeouts = new Int32Array(STATES);
    for (const [name, state] of Object.entries(State)) {
      this.timeouts[state] = Math.ceil((timeouts?.[name as StateName] ?? defaultTimeouts[name as StateName]) / TICK);
    }
    this.hashes = new Int32Array((capacity + 1) * 2);
    this.buckets = new Buckets(this.rows, this.prefixes, this.hashes);
    this.wheel = new Wheel(this.rows, QUEUES);
    [this.k0, this.k1] = seed;
  }

  get size(): number {
    return this.#size;
  }

  /** No entry has this id or one above. */
  get bound(): number {
    return this.#fresh;
  }

  /** Whether `id`, which is below `bound`, is that of an entry. */
  has(id: number): boolean {
    return this.rows[(id << ROW_SHIFT) + KIND] !== 0;
  }

  get indexBytes(): number {
    return this.buckets.byteLength;
  }

  get growing(): boolean {
    return this.buckets.growing;
  }

  /** The clock goes on to `now`, never back. Entries that are due are not removed by this: see `due`. */
  moveTo(now: Ms): void {
    if (Number.isNaN(this.#origin)) this.#origin = now;
    this.#tick = Math.max(this.#tick, Math.floor((now - this.#origin) / TICK));
  }

  get tick(): number {
    return this.#tick;
  }

  hash(keys: Int32Array, at: number): number {
    return hashKey(this.k0, this.k1, keys, at);
  }

  /** `id << 1 | direction` of the entry that a packet with this key belongs to; 0: none. */
  find(keys: Int32Array, at: number, hash: number): number {
    return this.buckets.find(keys, at, hash);
  }

  /** Reads the slot where `find` begins: to have it, and the next, in the cache. */
  touch(hash: number): number {
    return this.buckets.touch(hash);
  }

  /** What `find` will look at first: `id << 1 | direction`, or 0. */
  peek(hash: number): number {
    return this.buckets.peek(hash);
  }

  /**
   * A new entry for a packet with the key at `at` that goes to `real` (four words, as in `Address.words`) and `port`.
   * Returns its id; FULL; or CLASH when the realserver's answers could not be told from those of another entry.
   */
  readonly add = (
    keys: Int32Array,
    at: number,
    hash: number,
    real: Int32Array,
    port: number,
    note: number,
    state: number,
  ): number => {
    const id = this.#free !== 0 ? this.#free : this.#fresh;
    if (id > this.capacity) return FULL;
    const row = id << ROW_SHIFT;
    const next = this.rows[row + NEXT]!;
    this.#write(id, keys, at, real, port, note);
    const scratch = this.#scratch;
    keyOf(this.rows, this.prefixes, id, REPLY, scratch, 0);
    const replyHash = this.hash(scratch, 0);
    if (this.find(scratch, 0, replyHash) !== 0) {
      this.rows[row + KIND] = 0;
      return CLASH;
    }
    if (id === this.#free) this.#free = next;
    else this.#fresh++;
    if (this.rows[row + GENERATION] === 0) this.rows[row + GENERATION] = 1;
    this.rows[row + KIND] = this.rows[row + KIND]! | (state << STATE_SHIFT);
    this.rows[row + DEADLINE] = this.#tick + this.timeouts[state]!;
    this.#clear(row);
    this.wheel.add(id, queueOf[state]!);
    this.#insert(hash, id << 1);
    this.#insert(replyHash, (id << 1) | REPLY);
    this.#size++;
    return id;
  };

  #insert(hash: number, found: number): void {
    this.hashes[found] = hash;
    this.buckets.insert(found);
  }

  /** The counters. */
  #clear(row: number): void {
    const { rows } = this;
    rows[row + PACKETS] = 0;
    rows[row + PACKETS + 1] = 0;
    rows[row + BYTES] = 0;
    rows[row + BYTES + 1] = 0;
    rows[row + BYTES + 2] = 0;
    rows[row + BYTES + 3] = 0;
  }

  #write(id: number, keys: Int32Array, at: number, real: Int32Array, port: number, note: number): void {
    const row = id << ROW_SHIFT;
    this.rows[row + CLIENT] = keys[at + SOURCE]!;
    this.rows[row + VIRTUAL] = keys[at + DESTINATION]!;
    this.rows[row + REAL] = real[3]!;
    this.rows[row + OUTER_PORTS] = keys[at + PORTS]!;
    this.rows[row + INNER_PORT] = (port << 16) | note;
    this.rows[row + KIND] = keys[at + KEY_KIND]! & KIND_MASK;
    if ((keys[at + KEY_KIND]! & IPV6) === 0) return;
    const base = id * PREFIXES;
    for (let i = 0; i < 3; i++) {
      this.prefixes[base + CLIENT_PREFIX + i] = keys[at + SOURCE_PREFIX + i]!;
      this.prefixes[base + VIRTUAL_PREFIX + i] = keys[at + DESTINATION_PREFIX + i]!;
      this.prefixes[base + REAL_PREFIX + i] = real[i]!;
    }
  }

  /** `id` is that of an entry. */
  readonly remove = (id: number): void => {
    const row = id << ROW_SHIFT;
    this.buckets.remove(id << 1);
    this.buckets.remove((id << 1) | REPLY);
    this.wheel.remove(id);
    this.#size--;
    const generation = this.rows[row + GENERATION]! + 1;
    this.rows[row + GENERATION] = generation;
    this.rows[row + KIND] = 0;
    // A row whose generations are used up is never used again, so that no handle can ever resolve a second time.
    if (generation === GENERATIONS) return;
    this.rows[row + NEXT] = this.#free;
    this.#free = id;
  };

  handle(id: number): FlowId {
    return (this.rows[(id << ROW_SHIFT) + GENERATION]! * 2 ** ID_BITS + id) as FlowId;
  }

  /** The id of the entry that `handle` was made for; 0 when it is gone, whoever has its row now. */
  resolve(handle: FlowId): number {
    const id = handle % 2 ** ID_BITS;
    if (!(id >= 1 && id <= this.capacity)) return 0;
    return this.rows[(id << ROW_SHIFT) + GENERATION] === (handle - id) / 2 ** ID_BITS ? id : 0;
  }

  state(id: number): number {
    return (this.rows[(id << ROW_SHIFT) + KIND]! & STATE_MASK) >>> STATE_SHIFT;
  }

  /** Something was heard of entry `id`, and it stays in its `state`. */
  refresh(id: number, state: number): void {
    if (this.rows[(id << ROW_SHIFT) + DEADLINE] !== this.#tick + this.timeouts[state]!) this.enter(id, state);
  }

  /** Something was heard of entry `id`, and put it into `state`, perhaps the one it was in. */
  enter(id: number, state: number): void {
    const row = id << ROW_SHIFT;
    const before = this.state(id);
    const deadline = this.#tick + this.timeouts[state]!;
    const earlier = deadline < this.rows[row + DEADLINE]!;
    this.rows[row + DEADLINE] = deadline;
    this.rows[row + KIND] = (this.rows[row + KIND]! & ~STATE_MASK) | (state << STATE_SHIFT);
    // Settled, and not to end before the wheel comes by: it will see then.
    if (queueOf[before]! < 0 && queueOf[state]! < 0 && (!earlier || this.timeouts[state]! >= ROUND)) return;
    this.wheel.remove(id);
    this.wheel.add(id, queueOf[state]!);
  }

  /** The half-open entry heard from longest ago, which gives way when the table is full; 0: there is none. */
  victim(): number {
    let oldest = 0;
    let heard = 0;
    for (let state = 0; state < STATES; state++) {
      const queue = queueOf[state]!;
      const id = queue < 0 ? 0 : this.wheel.oldest(queue);
      if (id === 0) continue;
      const when = this.rows[(id << ROW_SHIFT) + DEADLINE]! - this.timeouts[state]!;
      if (oldest !== 0 && when >= heard) continue;
      oldest = id;
      heard = when;
    }
    return oldest;
  }

  /** An entry whose time is up; 0: no more; LATER (wheel.ts): call again. The caller removes it. */
  due(): number {
    return this.wheel.due(this.#tick);
  }
}
