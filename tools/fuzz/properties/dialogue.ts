/** All properties of one FTP dialogue: it is held five times, and each time must come to the same. */
import type { Helper } from "../../../core/helper/api.ts";
import { type Choices, oneIn } from "../generate/choices.ts";
import { type Dialogue, saidBy } from "../generate/ftp/model.ts";
import { pieces, segments } from "../generate/segments.ts";
import { PacketRun } from "../hosts/packets.ts";
import { ReplayRun } from "../hosts/replay.ts";
import type { Place } from "../hosts/service.ts";
import { SocketRun } from "../hosts/socket.ts";
import { textBytes } from "../hosts/text.ts";
import { firstDifference } from "../hosts/trace.ts";
import { type Violation, violation } from "./finding.ts";
import { Meter } from "./meter.ts";
import { checkModel } from "./model.ts";
import { checkEnd, checkEntries, checkGrowth, checkHealth, checkOffers } from "./safety.ts";
import { checkSame } from "./same.ts";

const SEGMENT = 1460;

/** The first property that `dialogue` shows broken, or null. `choices`: how it is cut and delayed. */
export function checkDialogue(helper: Helper, dialogue: Dialogue, choices: Choices): Violation | null {
  try {
    return check(helper, dialogue, choices);
  } catch (error) {
    return violation("threw", error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}

function check(helper: Helper, dialogue: Dialogue, choices: Choices): Violation | null {
  const meter = new Meter();
  const place: Place = { helper, ends: dialogue.ends };
  const whole = new SocketRun({ ...place, helper: meter.on(helper) });
  const modelled = checkModel(whole, dialogue);
  whole.end();
  return (
    (meter.finding === null ? null : violation("stalled", meter.finding)) ??
    checkHealth(whole) ??
    modelled ??
    checkEntries(whole) ??
    checkOffers(whole) ??
    checkGrowth(whole, dialogue) ??
    cutOtherwise(place, dialogue, choices, whole) ??
    onPackets(place, dialogue, choices, whole) ??
    observed(place, dialogue, choices, whole) ??
    checkEnd(whole)
  );
}

function cutOtherwise(place: Place, { turns }: Dialogue, choices: Choices, whole: SocketRun): Violation | null {
  const late = oneIn(choices, 3);
  const run = new SocketRun(place, late);
  for (const turn of turns) {
    const said = saidBy(turn);
    for (const { start, end } of pieces(choices, said.length)) {
      run.say(turn.speaker, said.slice(start, end));
      if (late && oneIn(choices, 2)) run.answer();
      const sick = checkHealth(run);
      if (sick !== null && !late) return sick;
    }
    // What is said next is said having heard this.
    while (run.answer());
  }
  run.end();
  return checkSame("segmentation", "another segmentation", whole, run);
}

function onPackets(place: Place, { turns }: Dialogue, choices: Choices, whole: SocketRun): Violation | null {
  const run = new PacketRun(place, { client: choices.below(2) - 700, server: choices.below(0xffff) - 3000 });
  for (const turn of turns) {
    const said = saidBy(turn);
    run.say(turn.speaker, textBytes(said), segments(choices, said.length, SEGMENT));
  }
  run.end();
  if (run.wrong !== null) return violation("hosts", `the packet engine: ${run.wrong}`);
  return checkSame("hosts", "the packet engine", whole, run);
}

function observed(place: Place, { turns }: Dialogue, choices: Choices, whole: SocketRun): Violation | null {
  const run = new ReplayRun(place);
  let frame = 0;
  for (const turn of turns) {
    const said = saidBy(turn);
    for (const { start, end } of pieces(choices, said.length)) run.say(turn.speaker, said.slice(start, end), ++frame);
  }
  run.end();
  const letIn = whole.placed.map(({ kind, target }) => `${kind} ${target.port}`);
  const announced = firstDifference(letIn, run.letIn());
  if (announced !== null) return violation("hosts", `replay lets in otherwise: ${announced}`);
  const faults = whole.decisions
    .filter(({ outcome }) => outcome === "refused" || outcome === "fault")
    .map(({ reason }) => reason)
    .sort();
  const other = firstDifference(faults, run.faults());
  return other === null ? null : violation("hosts", `replay finds other faults: ${other}`);
}
