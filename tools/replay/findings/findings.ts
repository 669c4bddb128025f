/** Why did this transfer hang? Everything in one capture that explains it, the worst first. */
import { addressFindings } from "./addresses.ts";
import { announcedFindings } from "./announced.ts";
import { controlFindings } from "./control.ts";
import type { Finding, Scene, Severity } from "./finding.ts";
import { stalledFindings } from "./stalled.ts";
import { strangerFindings } from "./strangers.ts";
import { udpFindings } from "./udp.ts";
import { unannouncedFindings } from "./unannounced.ts";

const WEIGHT: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };

export function findingsOf(scene: Scene): Finding[] {
  const all = [
    announcedFindings,
    unannouncedFindings,
    controlFindings,
    stalledFindings,
    addressFindings,
    udpFindings,
    strangerFindings,
  ];
  const found = all.flatMap((find) => [...find(scene)]);
  const first = ({ frames }: Finding): number => frames[0] ?? 0;
  return found.sort((one, other) => WEIGHT[one.severity] - WEIGHT[other.severity] || first(one) - first(other));
}
