/** What a segment says of the way back: how far R has come, what room it has, and what is missing there. */
import type { Ms } from "../../units.ts";
import type { TcpOptions } from "../../wire/tcp-options.ts";
import type { Speaker } from "./speaker.ts";
import type { Way } from "./way.ts";

const ENOUGH_DUPLICATES = 3;

/** What R said; filled anew for each segment. */
export class News {
  /** Output before this offset has arrived. */
  acknowledged = 0;
  window = 0;
  /** Where in R's own stream it was said. */
  at = 0;
  /** Nothing else was said. */
  bare = false;
}

/** Takes in what R of `way` has said. */
export function hear(way: Way, back: Way, news: News, options: TcpOptions, speaker: Speaker, now: Ms): void {
  const { outbound } = way;
  const { acknowledged, bare } = news;
  if (acknowledged < outbound.acknowledged) return;
  const moved = acknowledged > outbound.acknowledged;
  noteHeld(way, options);
  way.timer.fired = 0;
  const changed = hearRoom(way, news, moved);
  if (moved) {
    outbound.acknowledge(acknowledged);
    way.timer.acknowledged(acknowledged, now);
    way.duplicates = 0;
    if (acknowledged < way.recover) resendFirst(way, back, speaker);
  } else if (bare && !way.owns) way.owes = true;
  else if (bare && !changed) duplicate(way, back, speaker);
}

/** Where R's room ends. True: it ended elsewhere before. */
function hearRoom(way: Way, { acknowledged, window, at }: News, moved: boolean): boolean {
  const { outbound } = way;
  const edge = acknowledged + (window << way.scale);
  // Of two that cannot be told in order the larger, or a closed one: that will be asked after.
  const told = at === way.windowReadAt && (edge > outbound.edge || window === 0);
  if (!(moved || at > way.windowReadAt || told)) return false;
  const changed = edge !== outbound.edge;
  outbound.edge = edge;
  way.windowReadAt = at;
  way.windowNews ||= changed;
  return changed;
}

/** R says what it said before: something is missing there that only we can send again. */
function duplicate(way: Way, back: Way, speaker: Speaker): void {
  const { outbound } = way;
  if (outbound.sent === outbound.acknowledged || outbound.acknowledged < way.recover) return;
  if (++way.duplicates < ENOUGH_DUPLICATES) return;
  way.duplicates = 0;
  way.recover = outbound.sent;
  resendFirst(way, back, speaker);
}

export function resendFirst(way: Way, back: Way, speaker: Speaker): void {
  const { acknowledged } = way.outbound;
  speaker.resend(way, back, acknowledged, acknowledged + way.segmentLimit);
}

/** R's selective acknowledgments, as far as they have a place in the input. */
function noteHeld(way: Way, { blocks, edges }: TcpOptions): void {
  const { outbound, offsets } = way;
  way.heldBlocks = 0;
  for (let i = 0; i < blocks; i++) {
    const left = way.outputAt(edges[i * 2]!);
    const right = way.outputAt(edges[i * 2 + 1]!);
    if (left <= outbound.acknowledged || right > outbound.sent) continue;
    const start = offsets.inputFrom(left);
    const end = offsets.inputBefore(right);
    if (start >= end) continue;
    way.hold(start, end);
  }
}
