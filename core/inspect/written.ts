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
const words = viewOf(new Uint8Array(MOST_WRITTEN));

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
  const behind = copyWords(words, 0, length, into, start);
  return copyWords(view, at + offer.end, end, into, behind) - place;
}
