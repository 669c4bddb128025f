import type { RelatedEntry } from "../flow/related.ts";
import type { Offer, OfferForm } from "../helper/api.ts";
import type { Expected, Rewrite } from "../helper/recorder.ts";
import type { Edit } from "../nat/splice.ts";
import type { Direction, Endpoint, Ms } from "../units.ts";
import { later } from "../units.ts";
import { joined, kept, NOTHING } from "./held.ts";
import type { Message } from "./message.ts";

export const NEVER = Number.POSITIVE_INFINITY as Ms;

/** What was announced in full. */
export interface Announcing {
  readonly form: null;
  readonly announced: Expected;
  readonly rewrites: readonly Rewrite[];
  readonly replaced: readonly Edit[];
  /** Nothing will be said of it any more. */
  readonly final: boolean;
}

/** What was offered in brief: a copy. */
export interface Offering extends Offer {
  readonly form: OfferForm;
}

/** An announcement that waits for its entries to be put in place. */
export interface Barrier {
  /** A copy of its own once it is raised. */
  message: Message;
  readonly what: Announcing | Offering;
  readonly entries: readonly RelatedEntry[];
  /** The host's, for each entry: undefined until it comes, null when there is no end to be had. */
  readonly answers: (Endpoint | null | undefined)[];
  /** Answers that have not come. */
  missing: number;
  readonly expires: Ms;
  /** The host was told of all entries. Answers that came while it was told are looked at by whoever told it. */
  raised: boolean;
}

/** Datagrams that may wait behind a barrier. */
const MOST_WAITING = 16;
/** In the place of a time. */
const NOT_HELD = -1 as Ms;

/** One direction of a control connection. */
export class Side {
  readonly direction: Direction;
  #held: Uint8Array = NOTHING;
  /** Since when the beginning of a message is held. */
  #since: Ms = NOT_HELD;
  /** Datagrams that came while the barrier was up. */
  #waiting: Uint8Array[] | null = null;
  /** Of the bytes that are being read, how many were let on, or went nowhere. */
  sent = 0;
  /** Bytes consumed so far. */
  offset = 0;
  barrier: Barrier | null = null;
  ended = false;

  constructor(direction: Direction) {
    this.direction = direction;
  }

  /** Bytes that are held. */
  get held(): number {
    return this.#held.length;
  }

  /** Holds a copy of bytes `[start, end)`, the beginning of a message; `goesOn`: it was held before. */
  hold(bytes: Uint8Array, start: number, end: number, goesOn: boolean, now: Ms): void {
    this.#held = kept(bytes, start, end);
    if (!goesOn || this.#since === NOT_HELD) this.#since = now;
  }

  /** Holds bytes `[start, end)`, too, or instead: for the barrier's time, whatever that is. */
  holdBehind(bytes: Uint8Array, start: number, end: number): void {
    this.#held = this.#held.length === 0 ? kept(bytes, start, end) : joined(this.#held, bytes, start, end);
  }

  /** Nothing is waited for. */
  release(): void {
    this.#since = NOT_HELD;
  }

  /** Takes all that is held out. */
  take(): Uint8Array {
    const all = this.#held;
    this.#held = NOTHING;
    return all;
  }

  /** A datagram waits behind the barrier. One too many is lost, as datagrams may be. */
  wait(datagram: Uint8Array): void {
    this.#waiting ??= [];
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push(new Uint8Array(datagram));
  }

  nextWaiting(): Uint8Array | undefined {
    return this.#waiting?.shift();
  }

  /** The host's answer for `entry`: false, if nothing waits for it here. */
  answer(entry: RelatedEntry, seen: Endpoint | null): boolean {
    const { barrier } = this;
    const index = barrier === null ? -1 : barrier.entries.indexOf(entry);
    if (index < 0) return false;
    if (barrier!.answers[index] === undefined) barrier!.missing--;
    barrier!.answers[index] = seen;
    return true;
  }

  /** Nothing waits. */
  get quiet(): boolean {
    return this.barrier === null && this.#held.length === 0 && !this.ended;
  }

  /** When it has waited long enough, for the host or for the rest of a message. */
  deadline(patience: Ms): Ms {
    if (this.barrier !== null) return this.barrier.expires;
    return this.#since === NOT_HELD ? NEVER : later(this.#since, patience);
  }
}
