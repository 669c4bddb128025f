/**
 * Carries out what a message offers (`Offer`), in numbers: what `Executor` comes to where the host needs no time, nobody
 * wants to read about it, and nothing speaks against it. Where any of that is not so, the general way is taken.
 */
import type { Balancer, ConnectionEntry } from "../balancer.ts";
import { type Limits, MOST_WRITTEN, type Offer, type OfferForm } from "../helper/api.ts";
import { offer } from "../helper/run.ts";
import type { Ms, Port } from "../units.ts";
import { sameView } from "../wire/bytes.ts";
import { type Decision, decision, type Place } from "./decision.ts";
import type { BriefHost, ControlOptions } from "./host.ts";
import type { Message } from "./message.ts";
import type { Outlet } from "./outlet.ts";
import type { Side } from "./side.ts";
import { Written, writeOffer } from "./written.ts";

/** What `placeOffer` placed last, for whatever connection: its row, and room for what the client must see. */
class Placed extends Written {
  row = 0;
}
const placed = new Placed();

/** Of a host: see `BriefHost`. */
export type Meet = Pick<BriefHost, "meet" | "placed">;

/**
 * Puts `what` the message `[at, end)` offers in place, and writes all from `from` on with the end that is met in the place of
 * the one it offers, to `place` in `into`: the length of that, `MOST_WRITTEN` more at most. -1: that cannot be, nothing is left of
 * it, and it is to be announced in full.
 */
export function placeOffer(
  balancer: Balancer,
  entry: ConnectionEntry,
  what: Offer,
  limits: Limits,
  host: Meet,
  view: DataView,
  from: number,
  at: number,
  end: number,
  into: DataView,
  place: number,
  now: Ms,
): number {
  const form = what.form as OfferForm;
  const { related } = balancer;
  placed.row = balancer.offer(entry, what, form, limits, now);
  if (placed.row === 0) return -1;
  const port = host.meet(form.transport, what.port as Port);
  if (port === 0) {
    related.withdraw(placed.row);
    return -1;
  }
  const { address } = entry.virtual;
  const fits = related.placeOffer(placed.row, form.transport, address, port);
  const length = fits ? writeOffer(what, address, port, view, from, at, end, into, place) : -1;
  if (length < 0) related.withdraw(placed.row);
  else host.placed?.(placed.row, port);
  return length;
}

/** What `placeOffer` placed last, as a decision about the message of this length that begins at `place`. */
export function expected({ related }: Balancer, { kind, said }: OfferForm, place: Place, length: number): Decision {
  const entries = [related.entry(placed.row)];
  return decision(place, "expected", kind, `${said} announces ${kind}`, { start: 0, end: length }, entries);
}

/**
 * Lets what was read before `message` on, and behind it the message as `placeOffer` wrote it. False: nothing was let on, and
 * it is to be announced in full.
 */
export function carryOutOffer(
  { balancer, entry, helper }: ControlOptions,
  host: BriefHost,
  outlet: Outlet,
  side: Side,
  { bytes, start, end }: Message,
  now: Ms,
): boolean {
  const form = offer.form as OfferForm;
  if (side.direction !== "reply") return false;
  placed.reach(end - start + MOST_WRITTEN);
  const view = sameView(bytes);
  const length = placeOffer(balancer, entry, offer, helper.limits, host, view, start, start, end, placed.view, 0, now);
  if (length < 0) return false;
  outlet.forward(side, bytes, side.sent, start);
  side.sent = end;
  if (!host.count("expected", form.kind)) outlet.explain(expected(balancer, form, side, end - start));
  outlet.say(side, placed, length);
  return true;
}
