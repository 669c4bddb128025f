/**
 * Carries out what a message offers (`Offer`), in numbers: what `Executor` comes to where the host needs no time, nobody
 * wants to read about it, and nothing speaks against it. Where any of that is not so, the general way is taken.
 */
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import { type Limits, MOST_WRITTEN, type OfferForm } from "../helper/api.ts";
import { offer } from "../helper/run.ts";
import type { Ms, Port } from "../units.ts";
import type { Address } from "../wire/address.ts";
import { copyWords, viewOf } from "../wire/bytes.ts";
import { decision } from "./decision.ts";
import type { BriefHost, ControlOptions } from "./host.ts";
import type { Side } from "./side.ts";

const SMALLEST = 1024;

/** What `placeOffer` placed last, for whatever connection: its row, and what the client must see. */
class Placed {
  row = 0;
  bytes = new Uint8Array(SMALLEST);
  view = viewOf(this.bytes);

  /** Room for so many bytes. */
  reach(length: number): void {
    if (this.bytes.length >= length) return;
    this.bytes = new Uint8Array(2 * length);
    this.view = viewOf(this.bytes);
  }
}
export const placed = new Placed();

/** Of a host: see `BriefHost`. */
export type Meet = Pick<BriefHost, "meet">;

/**
 * Puts what the message `[at, end)` offers in place, and writes all from `from` on with the end that is met in the place of
 * the one it offers: the length of that. -1: that cannot be, nothing is left of it, and it is to be announced in full.
 */
export function placeOffer(
  balancer: Balancer,
  entry: ConnectionEntry,
  limits: Limits,
  host: Meet,
  view: DataView,
  from: number,
  at: number,
  end: number,
  now: Ms,
): number {
  const form = offer.form as OfferForm;
  const { related } = balancer;
  placed.row = balancer.offer(entry, offer, form, limits, now);
  if (placed.row === 0) return -1;
  const port = host.meet(placed.row, form.transport, offer.port as Port);
  if (port === 0) {
    related.withdraw(placed.row);
    return -1;
  }
  const { address } = entry.virtual;
  const fits = related.placeOffer(placed.row, form.transport, address, port);
  const length = fits ? write(form, address, port, view, from, at, end) : -1;
  if (length < 0) related.withdraw(placed.row);
  return length;
}

/**
 * Lets what was read before `at` on, and behind it the message `[at, end)` as `placeOffer` wrote it. False: nothing was let
 * on, and it is to be announced in full.
 */
export function carryOutOffer(
  { balancer, entry, helper, host }: ControlOptions,
  side: Side,
  view: Uint8Array,
  at: number,
  end: number,
  now: Ms,
): boolean {
  const { brief } = host;
  const { kind, said } = offer.form as OfferForm;
  if (brief == null || side.direction !== "reply") return false;
  const length = placeOffer(balancer, entry, helper.limits, brief, viewOf(view), at, at, end, now);
  if (length < 0) return false;
  if (side.sent < at) brief.append(side.direction, view, side.sent, at);
  side.sent = end;
  if (!brief.count("expected", kind)) {
    const whole = { start: 0, end: end - at };
    const entries = [balancer.related.entry(placed.row)];
    host.explain(decision(side, "expected", kind, `${said} announces ${kind}`, whole, entries));
  }
  brief.append(side.direction, placed.bytes, 0, length);
  return true;
}

/** Its length; -1: the helper failed. */
function write(
  form: OfferForm,
  address: Address,
  port: number,
  view: DataView,
  from: number,
  at: number,
  end: number,
): number {
  placed.reach(end - from + MOST_WRITTEN);
  const start = copyWords(view, from, at + offer.start, placed.view, 0);
  let behind = -1;
  try {
    behind = form.write(offer, address, port, placed.bytes, start);
  } catch {
    // As one that cannot be written.
  }
  const fits = Number.isInteger(behind) && behind >= start && behind <= start + MOST_WRITTEN;
  return fits ? copyWords(view, at + offer.end, end, placed.view, behind) : -1;
}
