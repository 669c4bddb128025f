/** Datagrams that were announced and asked for, and that the server never sent. */

import type { Control } from "../control.ts";
import { A, B, type End, type Flows } from "../flows.ts";
import type { Related } from "../match.ts";
import { type Finding, finding, type NumberedControl, type Scene } from "./finding.ts";
import { endOf, endText, icmpText, otherEnd } from "./flow.ts";

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

export function silentFinding(scene: Scene, { id, control }: NumberedControl, one: Related): Finding | null {
  const { announcement, state, frame } = one.observed;
  if (!KINDS.has(announcement.kind) || announcement.opener !== "reply" || state === "rejected") return null;
  const { flows } = scene;
  const asking = askingFor(flows, control, one);
  if (asking === null || endOf(flows) - flows.firstTime(asking.row) < WAIT_SECONDS) return null;
  const { row, end } = asking;
  const icmp = icmpText(scene, row, end);
  const message =
    `${endText(flows, row, end)} -> ${endText(flows, row, otherEnd(end))} asks for what was announced in frame ${frame} ` +
    `(${announcement.kind}), and the server sends nothing${icmp === "" ? "" : `; answered${icmp}`}`;
  const frames = [frame, flows.firstFrame(row), flows.lastFrame(row)];
  return finding("announced-not-opened", "error", id, frames, message);
}

/** Which end of which row asks, and is not answered: the client's own datagrams to where they are to come from, or its request. */
function askingFor(flows: Flows, { row, clientEnd }: Control, related: Related): { row: number; end: End } | null {
  const isHeard = flows.framesOf(row, otherEnd(clientEnd)) > 0;
  const sender = senderOf(flows, related);
  if (sender === null) {
    const isRequest = related.flow < 0 && related.observed.announcement.kind === "tftp";
    return isRequest && !isHeard ? { row, end: clientEnd } : null;
  }
  // Where the server's side of the control connection was not captured, its datagrams were not either.
  const isSilent = isHeard && flows.framesOf(related.flow, sender) === 0;
  return isSilent && flows.frames(related.flow) <= MOST_PUNCHES ? { row: related.flow, end: otherEnd(sender) } : null;
}
