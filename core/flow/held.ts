/**
 * Fragments that wait: for the first of their datagram, which says whose it is, or, where it must be seen whole, for all
 * others. Copies, bounded in bytes, datagrams' fragments and time; the datagram that waits longest gives way.
 */
import type { Ms } from "../units.ts";

/** What fragments cost in all (with core/flow/tracks.ts, less than 4 MiB). */
const MOST_BYTES = 3 * 1024 * 1024;
/** Of one datagram: more than 64 KiB have over the smallest MTU of IPv4's hosts (576). */
const MOST_FRAGMENTS = 128;
/** What a fragment costs besides its bytes. */
const OVERHEAD = 256;
/** As in Tracks. */
const PATIENCE = 30_000;

export interface HeldFragment {
  /** The packet, from its IP header on. */
  readonly packet: Uint8Array;
  readonly side: number;
  /** Of the datagram's bytes: where these begin there, and in the packet. */
  readonly start: number;
  readonly body: number;
}

interface Waiting {
  readonly fragments: HeldFragment[];
  readonly until: Ms;
  bytes: number;
}

export class HeldFragments {
  readonly #givenUp: (fragments: number) => void;
  /** By datagram, the oldest first. */
  readonly #waiting = new Map<string, Waiting>();
  #bytes = 0;

  /** `givenUp`: told of fragments that are waited with no longer. */
  constructor(givenUp: (fragments: number) => void) {
    this.#givenUp = givenUp;
  }

  /** Bytes that are held, with what holding them costs. */
  get bytes(): number {
    return this.#bytes;
  }

  add(datagram: string, fragment: HeldFragment, now: Ms): void {
    this.advance(now);
    const cost = fragment.packet.length + OVERHEAD;
    let waiting = this.#waiting.get(datagram);
    if (waiting === undefined) {
      waiting = { fragments: [], until: (now + PATIENCE) as Ms, bytes: 0 };
      this.#waiting.set(datagram, waiting);
    }
    waiting.fragments.push(fragment);
    waiting.bytes += cost;
    this.#bytes += cost;
    if (waiting.fragments.length > MOST_FRAGMENTS) this.drop(datagram);
    while (this.#bytes > MOST_BYTES) this.drop(this.#waiting.keys().next().value!);
  }

  /** Those of `datagram`, in the order in which they came. They are not held any more. */
  take(datagram: string): readonly HeldFragment[] {
    const waiting = this.#waiting.get(datagram);
    if (waiting === undefined) return [];
    this.#waiting.delete(datagram);
    this.#bytes -= waiting.bytes;
    return waiting.fragments;
  }

  drop(datagram: string): void {
    const { length } = this.take(datagram);
    if (length > 0) this.#givenUp(length);
  }

  /** Gives up what waited too long. */
  advance(now: Ms): void {
    for (const [datagram, { until }] of this.#waiting) {
      if (now < until) return;
      this.drop(datagram);
    }
  }
}
