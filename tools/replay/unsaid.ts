/** A control connection on which nothing was said, in words: what there is of it instead. */
import type { Control } from "./control.ts";
import { resetterOf, unanswered, wasClosed } from "./findings/flow.ts";
import type { Flows } from "./flows.ts";

/** null: something was said on it. */
export function unsaidText(control: Control, flows: Flows): string | null {
  const { row, transcript } = control;
  if (transcript.saidFrame > 0) return null;
  const [bytes, frames] = [flows.bytes(row), flows.frames(row)];
  if (bytes > 0) return `${bytes} byte${bytes === 1 ? " was" : "s were"} said on it, and none captured`;
  return `nothing was said on it: ${frames} frame${frames === 1 ? "" : "s"}, ${courseText(control, flows)}`;
}

function courseText({ row, clientEnd }: Control, flows: Flows): string {
  const how = unanswered(flows, row);
  if (how !== null) return how === "silence" ? "opened and not answered" : "opened and refused by a reset";
  const begun = flows.initial(row) === null ? "begun before the capture" : "opened";
  const by = resetterOf(flows, row);
  if (by !== null) return `${begun} and reset by the ${by === clientEnd ? "client" : "server"}`;
  return `${begun} and ${wasClosed(flows, row) ? "closed" : "not closed in this capture"}`;
}
