/** Virtual time, and chance that can be repeated. */
import type { World } from "./peer.ts";

/** xorshift32. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}

interface Event {
  readonly time: number;
  readonly order: number;
  readonly then: () => void;
}

/** Events in the order of their time, then of their making. */
export class Clock implements World {
  now = 0;
  events = 0;
  readonly random: () => number;
  readonly #heap: Event[] = [];
  #order = 0;

  constructor(random: () => number) {
    this.random = random;
  }

  at(delay: number, then: () => void): void {
    const heap = this.#heap;
    const event = { time: this.now + delay, order: this.#order++, then };
    let i = heap.push(event) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (!before(event, heap[up]!)) break;
      heap[i] = heap[up]!;
      i = up;
    }
    heap[i] = event;
  }

  step(): boolean {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined) return false;
    const last = heap.pop()!;
    if (heap.length > 0) this.#sink(last);
    this.now = first.time;
    this.events++;
    first.then();
    return true;
  }

  #sink(event: Event): void {
    const heap = this.#heap;
    let i = 0;
    for (let child = 1; child < heap.length; child = 2 * i + 1) {
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, event)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = event;
  }
}

const before = (a: Event, b: Event): boolean => a.time < b.time || (a.time === b.time && a.order < b.order);
