import { MOST_WRITTEN, type Offer, type OfferForm } from "../helper/api.ts";
import type { Address } from "../wire/address.ts";
import { copyWords, viewOf } from "../wire/bytes.ts";

const SMALLEST = 1024;

/** What is written in the place of messages, of whatever connection: each stands here until the next one is written. */
export class Written {
  bytes = new Uint8Array(SMALLEST);
  view = viewOf(this.bytes);

  /** Room for so many bytes. */
  reach(length: number): void {
    if (this.bytes.length >= length) return;
    this.bytes = new Uint8Array(2 * length);
    this.view = viewOf(this.bytes);
  }
}

/** What a helper writes: nothing else is in its reach. */
const words = new Uint8Array(MOST_WRITTEN);
const wordsView = viewOf(words);

/**
 * Bytes `[from, end)` of `view`, the message `[at, end)` among them with this end in the place of the one that `offer` is, to
 * `place` in `into`. Returns the length; -1: the helper failed, or has no words for it.
 */
export function writeOffer(
  offer: Offer,
  address: Address,
  port: number,
  view: DataView,
  from: number,
  at: number,
  end: number,
  into: DataView,
  place: number,
): number {
  if (offer.address >= 0 && address.family !== 4) return -1;
  let length = -1;
  try {
    length = (offer.form as OfferForm).write(offer, address, port, words, 0);
  } catch {
    // As one that cannot be written.
  }
  if (!Number.isInteger(length) || length < 0 || length > MOST_WRITTEN) return -1;
  const start = copyWords(view, from, at + offer.start, into, place);
  const behind = copyWords(wordsView, 0, length, into, start);
  return copyWords(view, at + offer.end, end, into, behind) - place;
}

let shown: Uint8Array = new Uint8Array(0);
let shownView = viewOf(shown);

/** The view of bytes that are the same each time: of a batch, say. */
export function sameView(bytes: Uint8Array): DataView {
  if (bytes !== shown) {
    shown = bytes;
    shownView = viewOf(bytes);
  }
  return shownView;
}
