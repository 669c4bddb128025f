/** Which segments may go the short way; see `ControlFlow`. */
import * as tcp from "../../wire/tcp.ts";
import { hasTimestampsOnly } from "../../wire/tcp-options.ts";
import type { Way } from "./way.ts";

const { ACK, PSH } = tcp;

/**
 * Whether a segment between two quiet ways is one that the short way can take: data, next in turn, within the window, from
 * an end that has acknowledged everything, to one that has too.
 */
export function isOrdinary(way: Way, back: Way, bytes: Uint8Array, at: number, end: number): boolean {
  if ((tcp.flags(bytes, at) | PSH) !== (ACK | PSH)) return false;
  const from = at + tcp.headerLength(bytes, at);
  if (from >= end || (from > at + tcp.HEADER && !hasTimestampsOnly(bytes, at))) return false;
  const { inbound, outbound } = way;
  if (tcp.sequence(bytes, at) !== way.sequenceOf(inbound.next) || inbound.next + end - from > way.edge) return false;
  if (tcp.acknowledgment(bytes, at) !== back.sequenceOf(back.outbound.sent)) return false;
  return outbound.acknowledged === outbound.end;
}

/** S's clock does not go back. */
export function noteClock(way: Way, value: number): void {
  if (((value - way.clock) | 0) > 0) way.clock = value;
}
