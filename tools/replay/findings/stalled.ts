/** Connections that were opened well and stand still: what is sent does not arrive, or is not taken. */
import { A, B, type End } from "../flows.ts";
import type { Closure, Repeat } from "../stalls.ts";
import { type Finding, finding, type NumberedControl, type Scene, those } from "./finding.ts";
import { endOf, endText, icmpTooBigText, otherEnd, secondsText, wasClosed, wasResetBy } from "./flow.ts";

/** Losses that mend are mended sooner: by then TCP has sent it three times, and again. */
const REPEATS = 3;
const REPEATED_SECONDS = 2;

const CLOSED_SECONDS = 10;

export function* stalledFindings(scene: Scene): Generator<Finding> {
  if (scene.stalls.isEmpty) return;
  for (const { id, control, related } of scene.controls) {
    const rows = new Set([control.row, ...related.map(({ flow }) => flow)]);
    for (const row of rows) {
      if (row < 0 || !scene.flows.isTcp(row)) continue;
      yield* those(repeatFinding(scene, id, row), closureFinding(scene, id, row, A), closureFinding(scene, id, row, B));
    }
  }
}

function repeatFinding(scene: Scene, id: NumberedControl["id"], row: number): Finding | null {
  const { flows, stalls } = scene;
  const repeat = stalls.repeatAtEnd(row);
  if (repeat === null || !isInVain(scene, row, repeat)) return null;
  const { sender, sequence, length, times, since, until, firstFrame, lastFrame } = repeat;
  const ends = `${endText(flows, row, sender)} -> ${endText(flows, row, otherEnd(sender))}`;
  const message = `${ends} sends the same ${length} bytes ${times} times more in ${secondsText(until - since)} (frames ${firstFrame} to ${lastFrame}), and nothing acknowledges them`;
  const frames = [flows.firstFrame(row), firstFrame, lastFrame];
  const isFirstLarge = sequence === flows.firstLarge(row, sender);
  const icmp = icmpTooBigText(scene, row, sender);
  if (!isFirstLarge && icmp === "") return finding("data-not-acknowledged", "error", id, frames, message);
  const why = icmp === "" ? "; what is smaller passes, and no ICMP error says why" : icmp;
  return finding("path-mtu-black-hole", "error", id, frames, `${message}${why}`);
}

/** The other end was heard before, and not again, but for a reset. */
function isInVain({ flows }: Scene, row: number, { sender, times, since, until, heard }: Repeat): boolean {
  if (times < REPEATS || until - since < REPEATED_SECONDS || heard === 0) return false;
  const receiver = otherEnd(sender);
  const afterwards = flows.framesOf(row, receiver) - heard;
  return afterwards === 0 || (afterwards === 1 && wasResetBy(flows, row, receiver));
}

function closureFinding(scene: Scene, id: NumberedControl["id"], row: number, end: End): Finding | null {
  const { flows, stalls } = scene;
  const known = stalls.closure(row, end);
  if (known === null) return null;
  const { closure, isOver } = known;
  const seconds = (isOver ? closure.until : untilOf(scene, row, closure)) - closure.since;
  if (seconds < CLOSED_SECONDS) return null;
  const how = isOver ? ", and then goes on" : "";
  const message = `${endText(flows, row, end)} takes nothing more from ${endText(flows, row, otherEnd(end))} (window 0) for ${secondsText(seconds)}${how}`;
  const frames = [flows.firstFrame(row), closure.firstFrame, closure.lastFrame];
  return finding("window-closed", isOver ? "warning" : "error", id, frames, message);
}

/** A window that stays closed is so until the connection ends, or the capture. */
const untilOf = ({ flows }: Scene, row: number, { until }: Closure): number =>
  Math.max(until, wasClosed(flows, row) ? flows.lastTime(row) : endOf(flows));
