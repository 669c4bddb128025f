/** Whether two runs of one conversation came to the same. */
import type { SocketRun } from "../hosts/socket.ts";
import { firstDifference, firstDifferentByte, toldOf } from "../hosts/trace.ts";
import { type Property, type Violation, violation } from "./finding.ts";

/** What the other run, by `name`, came to, beside the one in whole messages. */
export function checkSame(
  property: Property,
  name: string,
  whole: SocketRun,
  other: Pick<SocketRun, "decisions" | "heard">,
): Violation | null {
  const decided = firstDifference(toldOf(whole.decisions), toldOf(other.decisions));
  if (decided !== null) return violation(property, `${name} decides otherwise: ${decided}`);
  for (const direction of ["original", "reply"] as const) {
    const heard = firstDifferentByte(whole.heard(direction), other.heard(direction));
    if (heard !== null) return violation(property, `${name} says otherwise (${direction}) ${heard}`);
  }
  return null;
}
