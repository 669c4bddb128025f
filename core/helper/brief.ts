/**
 * How a helper says in numbers what most messages say, which is nothing, or one thing (`BriefForm`): the offer of a port, a
 * refusal, a fault. For speed alone, and only where it says exactly what `Inspector.inspect` would.
 *
 *   inspector.rest(state)      what it knows of its connection, in a few words; false: words cannot say it now
 *   helper.brief(.., state)    reads a message by these words alone, and changes them by what it says
 *   inspector.wake(state)      goes on from there, before anything is asked of it in full
 *
 * So a connection about which nothing out of the ordinary is said needs no object at all: who has many (the packet engine)
 * keeps the words, and wakes the inspector when the helper is not brief.
 */
import type { Direction, Transport } from "../units.ts";
import type { Address } from "../wire/address.ts";
import type { Actions, Announcement } from "./actions.ts";

/** 32-bit words that there are for what a helper knows of a connection. */
export const STATE_WORDS = 4;

/** In the place of where a message ends: it has not ended yet. */
export const UNFINISHED = -1;

/** Of a `Helper`; an inspector of one that has it has `Rest`. */
export interface Brief {
  /**
   * Looks at bytes `[at, end)` of a TCP stream whose inspector rests in `STATE_WORDS` words of `state`, from `place` on, and
   * returns where the first message of them ends, if there is nothing to be said about it, or nothing but what is in `offer`: then the
   * words say what is known behind it. `UNFINISHED`: the first message goes on behind `end`, and nothing is to be said or known of it
   * before more of it has come. Otherwise it returns `at`, and the inspector is woken, and asked. In both cases the words
   * stay as they are. It may fail as that may.
   */
  brief?(
    payload: Uint8Array,
    at: number,
    end: number,
    direction: Direction,
    state: Int32Array,
    place: number,
    offer: Offer,
  ): number;
}

/** Of an `Inspector`. What was put into words and taken from them is as before. */
export interface Rest {
  /** Puts what it knows, and what may change without it, into `state` from `place` on; false: words cannot say it. */
  rest?(state: Int32Array, place: number): boolean;
  /** What it knows is there now, and need not stay. It was the last to rest there. */
  wake?(state: Int32Array, place: number): void;
}

/**
 * What most announcements are, in numbers: the realserver offers its client one of its own ports, for one connection from
 * whatever port; once, in this message, and nothing will be said of it later. One object serves all of them.
 */
export interface Offer {
  /** null, as it is before each call of `brief`: there is nothing to be said of the message. */
  form: BriefForm | null;
  /** The IPv4 address that it names, as a number; -1: none, which is the realserver's own. */
  address: number;
  /** A port, 1 to 65535. */
  port: number;
  /** The bytes that say it, counted from the beginning of the message, and the length of the message. */
  start: number;
  end: number;
  length: number;
  /** The helper's own. */
  detail: number;
}

/**
 * What there is to be said of a message that is read in brief: nearly always that it offers something, or else that the whole of
 * it is refused, or has a fault. Then `start` and `end` of the `Offer` are the message's, and the rest says nothing.
 */
export type BriefForm = OfferForm | RefusalForm | FaultForm;

/** As `Actions.refuse`. */
export interface RefusalForm {
  readonly says: "refusal";
  readonly code: string;
  /** What its receiver gets in its place. */
  readonly instead: Uint8Array;
  tell(offer: Offer, actions: Actions): void;
}

/** As `Actions.fault`: the message goes on. */
export interface FaultForm {
  readonly says: "fault";
  readonly code: string;
  tell(offer: Offer, actions: Actions): void;
}

/** What all offers of a kind have in common. */
export interface OfferForm {
  readonly says: "offer";
  /** As of an `Announcement`: why it is not let in, whatever it offers. */
  readonly objection?: string | undefined;
  /** As of an `Announcement`. */
  readonly kind: string;
  readonly said: string;
  readonly transport: Transport;
  /**
   * Writes the end that the client must see, at most `MOST_WRITTEN` bytes, into `out` from `at` on, and returns where it
   * ends. The address is IPv4 where the offer named one.
   */
  write(offer: Offer, address: Address, port: number, out: DataView, at: number): number;
  /** What the client gets in the place of the message where the offer is refused. */
  instead(reason: string): Uint8Array;
  /** The same offer as an announcement, as `inspect` would make it. */
  announce(offer: Offer): Announcement;
  /** All that `inspect` would tell of it. */
  tell(offer: Offer, actions: Actions): void;
}

/** Of `OfferForm.write`. */
export const MOST_WRITTEN = 64;
