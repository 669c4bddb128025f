/** Datagrams that were announced and asked for, and that the server never sent. */
import { A, B, type End, type Flows } from "../flows.ts";
import type { Related } from "../match.ts";
import { type Finding, finding, type NumberedControl, type Scene } from "./finding.ts";
import { endOf, endText, flowText, otherEnd } from "./flow.ts";

/** For what no answer is waited for in vain, and how long that takes to tell. */
const KINDS: ReadonlySet<string> = new Set(["tftp", "rtsp-rtp", "pnm-udp", "mms-udp"]);
const WAIT_SECONDS = 3;
/** A player opens its firewall with a few datagrams; more are a stream of its own (RTSP RECORD). */
const MOST_PUNCHES = 20;

/** Who is to send what was announced by UDP; null: it was not seen. */
export function senderOf(flows: Flows, { flow, to, listener }: Related): End | null {
  if (flow < 0 || flows.isTcp(flow)) return null;
  const receiver = ([A, B] as const).find(
    (end) => flows.port(flow, end) === to.port && flows.hasAddress(flow, end, listener),
  );
  return receiver === undefined ? null : otherEnd(receiver);
}

export function* silentFindings(scene: Scene, numbered: NumberedControl): Generator<Finding> {
  const { flows } = scene;
  for (const related of numbered.related) {
    const { announcement, state, frame } = related.observed;
    if (!KINDS.has(announcement.kind) || announcement.opener !== "reply" || state === "rejected") continue;
    const asked = askedBy(flows, numbered, related);
    if (asked === null || endOf(flows) - flows.firstTime(asked) < WAIT_SECONDS) continue;
    const from = asked === numbered.control.row ? flowText(flows, asked) : punchText(flows, related);
    const message = `${from} asks for what was announced in frame ${frame} (${announcement.kind}), and the server sends nothing`;
    yield finding(
      "announced-not-opened",
      "error",
      numbered.id,
      [frame, flows.firstFrame(asked), flows.lastFrame(asked)],
      message,
    );
  }
}

/** The row of what asks for it and is not answered: the client's own datagrams to where they are to come from, or its request. */
function askedBy(flows: Flows, { control }: NumberedControl, related: Related): number | null {
  const sender = senderOf(flows, related);
  if (sender !== null) {
    // Where the server's side of the control connection was not captured, its datagrams were not either.
    const heard = flows.framesOf(control.row, otherEnd(control.clientEnd)) > 0;
    const silent = heard && flows.framesOf(related.flow, sender) === 0;
    return silent && flows.frames(related.flow) <= MOST_PUNCHES ? related.flow : null;
  }
  const isRequest = related.flow < 0 && related.observed.announcement.kind === "tftp";
  return isRequest && flows.framesOf(control.row, otherEnd(control.clientEnd)) === 0 ? control.row : null;
}

const punchText = (flows: Flows, related: Related): string => {
  const sender = senderOf(flows, related)!;
  return `${endText(flows, related.flow, otherEnd(sender))} -> ${endText(flows, related.flow, sender)}`;
};
