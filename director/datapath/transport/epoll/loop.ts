/**
 * The event loop: which file descriptors are watched, and whom their events concern. It lives beside Node's: libuv
 * watches the epoll descriptor, and whatever it holds is dealt with in one turn, in a `setImmediate` (the callback of
 * koffi's poll itself runs without ticks and promises).
 *
 * An event carries the place of its registration and the generation of that place, never only a file descriptor: those are reused, within one
 * batch of events even.
 */
import { arch } from "node:os";
import type { Calls, Memory } from "./calls.ts";
import { EPOLL_CLOEXEC, EPOLL_CTL_ADD } from "./constants.ts";

export interface Watcher {
  /** `events`: as epoll_wait(2) reports them. */
  ready(events: number): void;
}

/** For the moment before it is known who. */
export const NOBODY: Watcher = { ready: () => {} };

/** What is to be done at the end of the turn. */
export interface Job {
  run(): void;
}

/** Whoever got one is the only one to hold it, until `forget`. */
export type Registration = number & { readonly registration: unique symbol };

const MOST_EVENTS = 512;
/** struct epoll_event is packed on x64 (sys/epoll.h): words of one, and where its data lies. */
const EVENT = arch() === "x64" ? { words: 3, data: 1 } : { words: 4, data: 2 };
/** Behind them lies the one that is added. */
const ADDED = MOST_EVENTS * EVENT.words;
/** Batches in one turn at most: timers and datagrams want theirs. */
const MOST_BATCHES = 8;
const GENERATIONS = 2 ** 30;

/** Left to itself, a poll handle would outlive its environment. */
const open = new Set<Loop>();
process.on("exit", () => {
  for (const loop of open) loop.close();
});

export class Loop {
  readonly #calls: Calls;
  readonly #events: Memory;
  readonly #words: Int32Array;
  /** By place. */
  readonly #watchers: (Watcher | null)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  #watched = 0;
  #jobs: Job[] = [];
  #scheduled = false;
  #epoll = -1;
  #unpoll: (() => void) | null = null;

  constructor(calls: Calls) {
    this.#calls = calls;
    this.#events = calls.memory((MOST_EVENTS + 1) * EVENT.words * 4);
    this.#words = new Int32Array(this.#events.bytes.buffer);
  }

  /** Watches `fd` for `events` until `forget`; closing it before that is well. Null: see `errno`. */
  watch(fd: number, events: number, watcher: Watcher): Registration | null {
    if (this.#epoll < 0 && !this.#open()) return null;
    const place = this.#free.pop() ?? this.#watchers.length;
    const generation = ((this.#generations[place] ?? 0) + 1) % GENERATIONS;
    this.#words[ADDED] = events;
    this.#words[ADDED + EVENT.data] = place;
    this.#words[ADDED + EVENT.data + 1] = generation;
    if (this.#calls.epoll_ctl(this.#epoll, EPOLL_CTL_ADD, fd, this.#events.at + 4 * ADDED) < 0) {
      this.#free.push(place);
      return null;
    }
    this.#watchers[place] = watcher;
    this.#generations[place] = generation;
    this.#watched++;
    return place as Registration;
  }

  /** From now on `watcher` hears of it. */
  hand(registration: Registration, watcher: Watcher): void {
    this.#watchers[registration] = watcher;
  }

  /** What has been reported of it, and not been dealt with, is forgotten as well. */
  forget(registration: Registration): void {
    this.#watchers[registration] = null;
    this.#free.push(registration);
    if (--this.#watched === 0) this.#schedule();
  }

  /** At the end of this turn, or soon. */
  soon(job: Job): void {
    this.#jobs.push(job);
    this.#schedule();
  }

  close(): void {
    this.#unpoll?.();
    this.#unpoll = null;
    if (this.#epoll >= 0) this.#calls.close(this.#epoll);
    this.#epoll = -1;
    open.delete(this);
  }

  #open(): boolean {
    this.#epoll = this.#calls.epoll_create1(EPOLL_CLOEXEC);
    if (this.#epoll < 0) return false;
    this.#unpoll = this.#calls.poll(this.#epoll, () => this.#schedule());
    open.add(this);
    return true;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    for (let batch = 0; batch < MOST_BATCHES; batch++) {
      const ready = this.#dispatchAll();
      if (!this.#runJobs() && ready <= 0) break;
    }
    this.#scheduled = false;
    if (this.#jobs.length > 0) this.#schedule();
    else if (this.#watched === 0) this.close();
  };

  #dispatchAll(): number {
    if (this.#epoll < 0) return 0;
    const ready = this.#calls.epoll_wait(this.#epoll, this.#events.at, MOST_EVENTS, 0);
    for (let i = 0; i < ready; i++) this.#dispatch(i * EVENT.words);
    return ready;
  }

  #dispatch(at: number): void {
    const place = this.#words[at + EVENT.data]!;
    if (this.#generations[place] === this.#words[at + EVENT.data + 1]) {
      this.#watchers[place]?.ready(this.#words[at]!);
    }
  }

  #runJobs(): boolean {
    const jobs = this.#jobs;
    if (jobs.length === 0) return false;
    this.#jobs = [];
    for (const job of jobs) job.run();
    return true;
  }
}
