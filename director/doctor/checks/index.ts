import type { Finding, Severity } from "../finding.ts";
import type { Check, Scene } from "../scene.ts";
import { directorFindings } from "./director.ts";
import { neighbourFindings } from "./neighbours.ts";
import { nftFindings } from "./nftables.ts";
import { realserverFindings } from "./realserver.ts";
import { captureFindings, serviceFindings } from "./services.ts";

const CHECKS: readonly Check[] = [
  directorFindings,
  realserverFindings,
  neighbourFindings,
  nftFindings,
  serviceFindings,
  captureFindings,
];

const WEIGHT: Readonly<Record<Severity, number>> = { error: 0, warning: 1 };

/** All that is wrong, the worst first. */
export const findingsOf = (scene: Scene): Finding[] =>
  CHECKS.flatMap((check) => [...check(scene)]).sort((a, b) => WEIGHT[a.severity] - WEIGHT[b.severity]);
