/** The control connection itself: encrypted, or silent for too long. */
import type { Flows } from "../flows.ts";
import { type Finding, finding, type NumberedControl, type Scene } from "./finding.ts";
import { flowText, secondsText, wasReset } from "./flow.ts";

/** A silence that many a middlebox does not sit through. */
const IDLE_SECONDS = 300;

export function* controlFindings({ flows, controls }: Scene): Generator<Finding> {
  for (const numbered of controls) {
    const encrypted = encryptedIn(numbered);
    if (encrypted !== null) {
      const message = `encrypted from frame ${encrypted} on: no helper reads what is announced from there`;
      yield finding("control-encrypted", "warning", numbered.id, [encrypted], message);
    }
    const idle = idleFinding(flows, numbered);
    if (idle !== null) yield idle;
  }
}

function encryptedIn({ control: { groups, notes } }: NumberedControl): number | null {
  const frames = [
    ...groups.filter(({ reason }) => reason === "tls"),
    ...notes.filter(({ code }) => code === "encrypted"),
  ];
  return frames.length === 0 ? null : Math.min(...frames.map(({ frame }) => frame));
}

interface Idle {
  readonly seconds: number;
  readonly flow: number;
  readonly sinceFrame: number;
  /** 0: nothing came any more. */
  readonly untilFrame: number;
}

function idleFinding(flows: Flows, numbered: NumberedControl): Finding | null {
  const idle = longestIdle(flows, numbered);
  if (idle === null) return null;
  const { seconds, flow, sinceFrame, untilFrame } = idle;
  const end =
    untilFrame === 0 ? "nothing came on it afterwards" : wasReset(flows, numbered.control.row) ? "it was reset" : null;
  const busy = `no frame on the control connection for ${secondsText(seconds)} while ${flowText(flows, flow)} was busy`;
  const message = end === null ? `${busy}; it survived that here` : `${busy}, and ${end}`;
  const severity = end === null ? "warning" : "error";
  return finding("control-idle-during-transfer", severity, numbered.id, [sinceFrame, untilFrame], message);
}

/** The longest silence of a control connection in which a connection that it announced was busy. */
function longestIdle(flows: Flows, { control, related }: NumberedControl): Idle | null {
  const { lastTime, lastFrame, silences } = control.transcript;
  const end = { since: lastTime, sinceFrame: lastFrame, until: Number.POSITIVE_INFINITY, untilFrame: 0 };
  const idles = related
    .filter(({ flow }) => flow >= 0)
    .flatMap(({ flow }) =>
      [...silences, end].map(({ since, sinceFrame, until, untilFrame }) => ({
        seconds: Math.min(until, flows.lastTime(flow)) - Math.max(since, flows.firstTime(flow)),
        flow,
        sinceFrame,
        untilFrame,
      })),
    )
    .filter(({ seconds }) => seconds >= IDLE_SECONDS);
  return idles.sort((one, other) => other.seconds - one.seconds)[0] ?? null;
}
