/**
 * Carries out what a message offers (`Offer`), in numbers: what `Executor` comes to where the host needs no time, nobody
 * wants to read about it, and nothing speaks against it. Where any of that is not so, the general way is taken.
 */
import { MOST_WRITTEN, type OfferForm } from "../helper/api.ts";
import { offer } from "../helper/run.ts";
import type { Ms, Port } from "../units.ts";
import type { Address } from "../wire/address.ts";
import { copyBytes } from "../wire/bytes.ts";
import { decision } from "./decision.ts";
import type { ControlOptions } from "./host.ts";
import type { Side } from "./side.ts";

const SMALLEST = 1024;

/** The message as the client must see it; of all connections. */
let written = new Uint8Array(SMALLEST);

/**
 * Lets what was read before `at` on, and behind it the message `[at, end)` with the end that is met in the place of the one it
 * offers. False: nothing was let on, and it is to be announced in full.
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
  const form = offer.form!;
  if (brief == null || side.direction !== "reply") return false;
  const row = balancer.offer(entry, offer, form, helper.limits, now);
  if (row === 0) return false;
  const port = brief.meet(row, form.transport, offer.port as Port);
  if (port === 0) {
    balancer.related.withdraw(row);
    return false;
  }
  const { address } = entry.virtual;
  const placed = balancer.related.placeOffer(row, form.transport, address, port);
  const length = placed ? write(form, address, port, view, at, end) : -1;
  if (length < 0) {
    balancer.related.removeRow(row, "unavailable");
    return false;
  }
  if (side.sent < at) brief.append(side.direction, view, side.sent, at);
  side.sent = end;
  if (!brief.count("expected", form.kind)) {
    const whole = { start: 0, end: end - at };
    const text = `${form.said} announces ${form.kind}`;
    host.explain(decision(side, "expected", form.kind, text, whole, [balancer.related.entry(row)]));
  }
  brief.append(side.direction, written, 0, length);
  return true;
}

/** The message into `written`: its length; -1: the helper failed. */
function write(form: OfferForm, address: Address, port: number, view: Uint8Array, at: number, end: number): number {
  const most = end - at + MOST_WRITTEN;
  if (written.length < most) written = new Uint8Array(2 * most);
  const from = copyBytes(view, at, at + offer.start, written, 0);
  let behind = -1;
  try {
    behind = form.write(offer, address, port, written, from);
  } catch {
    // As one that cannot be written.
  }
  const fits = behind >= from && behind <= from + MOST_WRITTEN;
  return fits ? copyBytes(view, at + offer.end, end, written, behind) : -1;
}
