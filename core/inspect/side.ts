import type { RelatedEntry } from "../flow/related.ts";
import type { Expected, Rewrite } from "../helper/recorder.ts";
import type { Edit } from "../nat/splice.ts";
import type { Direction, Endpoint, Ms } from "../units.ts";
import { later } from "../units.ts";
import { HeldBytes } from "./held.ts";

export const NEVER = Number.POSITIVE_INFINITY as Ms;

/** An announcement that waits for its entries to be put in place. */
export interface Barrier {
  /** A copy of its own once it is raised. */
  message: Uint8Array;
  readonly announced: Expected;
  readonly rewrites: readonly Rewrite[];
  readonly replaced: readonly Edit[];
  readonly entries: readonly RelatedEntry[];
  /** The host's, for each entry: undefined until it comes, null when there is no end to be had. */
  readonly answers: (Endpoint | null | undefined)[];
  /** Answers that have not come. */
  missing: number;
  /** Nothing will be said of it any more. */
  readonly final: boolean;
  readonly expires: Ms;
  /** The host was told of all entries. Answers that came while it was told are looked at by whoever told it. */
  raised: boolean;
}

/** One direction of a control connection. */
export class Side {
  readonly direction: Direction;
  readonly held = new HeldBytes();
  /** Datagrams that came while the barrier was up. */
  readonly waiting: Uint8Array[] = [];
  /** Since when the beginning of a message is held. */
  heldSince: Ms = NEVER;
  /** Bytes consumed so far. */
  offset = 0;
  barrier: Barrier | null = null;
  ended = false;

  constructor(direction: Direction) {
    this.direction = direction;
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
    return this.barrier === null && this.held.length === 0 && !this.ended;
  }

  /** When it has waited long enough, for the host or for the rest of a message. */
  deadline(patience: Ms): Ms {
    if (this.barrier !== null) return this.barrier.expires;
    return this.heldSince === NEVER ? NEVER : later(this.heldSince, patience);
  }
}
