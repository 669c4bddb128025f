/** The control connection itself: encrypted, or silent for too long. */
import type { Flows } from "../flows.ts";
import type { Silence } from "../transcript.ts";
import { type Finding, finding, type NumberedControl, type Scene, type Severity } from "./finding.ts";
import { endOf, flowText, secondsText, wasClosed, wasReset } from "./flow.ts";

/** A silence that many a middlebox does not sit through: cloud balancers' 4 minutes are among the shortest. */
const IDLE_SECONDS = 240;
/** How long the other end takes to be heard. */
const ANSWER_SECONDS = 1;

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
  if (groups.length + notes.length === 0) return null;
  const frames = [
    ...groups.filter(({ reason }) => reason === "tls"),
    ...notes.filter(({ code }) => code === "encrypted"),
  ];
  return frames.length === 0 ? null : Math.min(...frames.map(({ frame }) => frame));
}

interface Idle extends Silence {
  readonly seconds: number;
  readonly flow: number;
}

function idleFinding(flows: Flows, numbered: NumberedControl): Finding | null {
  const idle = longestIdle(flows, numbered);
  if (idle === null) return null;
  const { seconds, flow, sinceFrame, untilFrame } = idle;
  const [severity, end] = outcomeOf(flows, numbered, idle);
  const message = `no frame on the control connection for ${secondsText(seconds)} while ${flowText(flows, flow)} was busy${end}`;
  return finding("control-idle-during-transfer", severity, numbered.id, [sinceFrame, untilFrame], message);
}

/** What became of the control connection behind its silence. */
function outcomeOf(flows: Flows, { control }: NumberedControl, idle: Idle): [Severity, string] {
  if (idle.survived) return ["warning", "; it survived that here"];
  if (idle.untilFrame > 0 && wasReset(flows, control.row)) return ["error", ", and it was reset"];
  const heard = idle.untilFrame > 0 ? idle.until : flows.lastTime(idle.flow);
  const over = idle.untilFrame === 0 && !wasClosed(flows, idle.flow);
  if (over || endOf(flows) - heard < ANSWER_SECONDS) return ["warning", ", until the capture ends"];
  return ["error", idle.untilFrame > 0 ? ", and then one end alone was heard" : ", and nothing came on it afterwards"];
}

/** The longest silence of a control connection in which a connection that it announced was busy. */
function longestIdle(flows: Flows, { control, related }: NumberedControl): Idle | null {
  const lasting = related.filter(
    ({ flow }) => flow >= 0 && flows.lastTime(flow) - flows.firstTime(flow) >= IDLE_SECONDS,
  );
  if (lasting.length === 0) return null;
  const { lastTime, lastFrame, silences } = control.transcript;
  const until = Number.POSITIVE_INFINITY;
  const end: Silence = { since: lastTime, sinceFrame: lastFrame, until, untilFrame: 0, survived: false };
  const all = [...silences, end];
  let longest: Idle | null = null;
  for (const { flow } of lasting) {
    const [first, last] = [flows.firstTime(flow), flows.lastTime(flow)];
    for (const silence of all) {
      const seconds = Math.min(silence.until, last) - Math.max(silence.since, first);
      if (longest === null ? seconds >= IDLE_SECONDS : seconds > longest.seconds)
        longest = { ...silence, seconds, flow };
    }
  }
  return longest;
}
