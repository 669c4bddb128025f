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

  /**
   * Bytes `[from, end)` of `view`, the message `[at, end)` among them with this end in the place of the one that it offers.
   * Returns the length; -1: the helper failed, or has no words for it.
   */
  put(
    form: OfferForm,
    offer: Offer,
    address: Address,
    port: number,
    view: DataView,
    from: number,
    at: number,
    end: number,
  ): number {
    if (offer.address >= 0 && address.family !== 4) return -1;
    this.reach(end - from + MOST_WRITTEN);
    const start = copyWords(view, from, at + offer.start, this.view, 0);
    let behind = -1;
    try {
      behind = form.write(offer, address, port, this.bytes, start);
    } catch {
      // As one that cannot be written.
    }
    const fits = Number.isInteger(behind) && behind >= start && behind <= start + MOST_WRITTEN;
    return fits ? copyWords(view, at + offer.end, end, this.view, behind) : -1;
  }
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
