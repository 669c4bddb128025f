/** What became of what was announced. */
import { endpointText } from "../../../core/units.ts";
import type { End } from "../flows.ts";
import type { Related } from "../match.ts";
import type { Transfer } from "../transfers.ts";
import { Detours, elsewhere, isForeign, mattering } from "./elsewhere.ts";
import { type Finding, finding, type NumberedControl, type Scene, those } from "./finding.ts";
import { endText, flowText, listenerOf, otherEnd, saidText, unanswered } from "./flow.ts";
import { Openings, saysText, transfersBy, wasDone } from "./opening.ts";
import { senderOf, silentFinding } from "./silent.ts";

export function* announcedFindings(scene: Scene): Generator<Finding> {
  const detours = new Detours(scene);
  const openings = new Openings(scene);
  for (const numbered of scene.controls) {
    const split = new Set<number>();
    const transfers = transfersBy(numbered);
    yield* openings.ofControl(numbered);
    for (const related of mattering(numbered.related)) {
      const foreign = isForeign(related);
      const transfer = transfers.get(related);
      if (foreign) yield* elsewhere(scene, numbered, related, detours.of(numbered, related), transfer);
      if (!foreign || related.flow >= 0) yield* openings.of(numbered, related, transfer);
      yield* those(
        otherClient(scene, numbered, related, transfer),
        otherSource(scene, numbered, related),
        otherSender(scene, numbered, related),
      );
      const { begun, complete } = related.observed.message;
      if (begun !== complete && !split.has(complete)) yield splitFinding(numbered, related);
      split.add(complete);
    }
    const silent = numbered.related.map((related) => silentFinding(scene, numbered, related));
    yield* those(...silent, otherPort(scene, numbered));
  }
}

/** Who opened what the server was to open; null: it was not seen to be opened. */
function openerOf({ flows }: Scene, { observed, flow }: Related): End | null {
  if (flow < 0 || observed.announcement.opener !== "reply" || !flows.isTcp(flow)) return null;
  const listener = listenerOf(flows, flow);
  return listener === null ? null : otherEnd(listener);
}

function otherSource(scene: Scene, numbered: NumberedControl, related: Related): Finding | null {
  const { flows } = scene;
  const { observed, flow, from, to } = related;
  const opener = openerOf(scene, related);
  if (opener === null || from.address === null || flows.hasAddress(flow, opener, from.address)) return null;
  const seen = endText(flows, flow, opener);
  const message = `the connection to ${endpointText(to)} comes from ${seen}, the server is ${from.address}`;
  return finding("realserver-leaked", "error", numbered.id, [observed.frame, flows.firstFrame(flow)], message);
}

/** A passive port that somebody else than its client opens: many a server lets nobody else in. */
function otherClient(
  { flows }: Scene,
  { id, control }: NumberedControl,
  { observed, flow, from }: Related,
  transfer: Transfer | undefined,
): Finding | null {
  const { opener, transport } = observed.announcement;
  if (control.helper.name !== "ftp" || opener !== "original" || transport !== "tcp" || flow < 0) return null;
  const listener = listenerOf(flows, flow);
  if (listener === null || from.address === null || flows.hasAddress(flow, otherEnd(listener), from.address))
    return null;
  const message = `${flowText(flows, flow)}, announced in frame ${observed.frame}, comes from another address than its client's, ${from.address}${saysText(transfer)}`;
  const worked = flows.bytes(flow) > 0 && (transfer === undefined || transfer.code === 0 || wasDone(transfer));
  const frames = [observed.frame, flows.firstFrame(flow), transfer?.frame ?? 0];
  return finding("opened-from-another-address", worked ? "warning" : "error", id, frames, message);
}

/** The same of datagrams (TFTP, RTSP's media). They are taken for wrong where the client answers none of them. */
function otherSender({ flows }: Scene, { id, control }: NumberedControl, related: Related): Finding | null {
  const { observed, flow, from, to } = related;
  const { opener, kind } = observed.announcement;
  const sender = senderOf(flows, related);
  if (sender === null || opener !== "reply" || from.address === null || kind.endsWith("-rtcp")) return null;
  if (flows.framesOf(flow, sender) === 0 || flows.hasAddress(flow, sender, control.server.address)) return null;
  const seen = endText(flows, flow, sender);
  const message = `what is sent to ${endpointText(to)} (${kind}) comes from ${seen}, the server is ${control.server.address}`;
  const severity = kind === "tftp" && flows.framesOf(flow, otherEnd(sender)) === 0 ? "error" : "warning";
  return finding("realserver-leaked", severity, id, [observed.frame, flows.firstFrame(flow)], message);
}

/** RFC 959 §3.2: the server's data port is the one before its control port. Once for each control connection. */
function otherPort(scene: Scene, { id, control, related }: NumberedControl): Finding | null {
  if (control.helper.name !== "ftp") return null;
  const { flows } = scene;
  const dataPort = control.server.port - 1;
  const others = related.filter((one) => {
    const opener = openerOf(scene, one);
    return opener !== null && flows.port(one.flow, opener) !== dataPort;
  });
  if (others.length === 0) return null;
  const seen = others.map((one) => endText(flows, one.flow, openerOf(scene, one)!));
  const more = seen.length > 1 ? ` and ${seen.length - 1} more` : "";
  const hung = others.some(({ flow }) => unanswered(flows, flow) !== null);
  const frames = others.map(({ flow }) => flows.firstFrame(flow));
  const message = `active data comes from ${seen[0]}${more}, the server's data port is ${dataPort}`;
  return finding("active-data-not-from-port-20", hung ? "error" : "info", id, frames, message);
}

function splitFinding({ id }: NumberedControl, related: Related): Finding {
  const { begun, complete } = related.observed.message;
  const message = `${saidText(related)} begins in frame ${begun} and ends in frame ${complete}`;
  return finding("announcement-split-over-segments", "warning", id, [begun, complete], message);
}
