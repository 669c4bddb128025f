/** What of a control connection the capture does not have: announcements may be missing, and what answers them. */
import type { Control } from "./control.ts";
import { A, B, type Flows } from "./flows.ts";

/** In sentences. */
export function missingOf(control: Control, flows: Flows): string[] {
  const { transport, row, cutFrame } = control;
  const missing: string[] = [];
  if (cutFrame > 0)
    missing.push(`its packets were cut when they were captured (snap length), from frame ${cutFrame} on`);
  if (isOneWay(control, flows))
    missing.push(`only what the ${isHeard(control, flows) ? "client" : "server"} sends is in the capture`);
  if (transport === "tcp" && flows.initial(row) === null) missing.push("it began before the capture");
  return missing;
}

/** Somebody is answered, and the answers were not captured. */
export const isOneWay = ({ transport, row }: Control, flows: Flows): boolean => {
  if (transport === "udp") return false;
  const [a, b] = [flows.framesOf(row, A), flows.framesOf(row, B)];
  const acknowledges = ((flows.flagsOf(row, A) | flows.flagsOf(row, B)) & ACK) !== 0;
  return (a === 0 || b === 0) && acknowledges;
};

const ACK = 16;

const isHeard = ({ row, clientEnd }: Control, flows: Flows): boolean => flows.framesOf(row, clientEnd) > 0;
