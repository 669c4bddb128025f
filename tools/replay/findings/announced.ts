/** What became of what was announced. */
import type { ObservedAnnouncement } from "../../../core/inspect/observe.ts";
import { endpointText } from "../../../core/units.ts";
import type { Address } from "../../../core/wire/address.ts";
import type { End } from "../flows.ts";
import type { Related } from "../match.ts";
import { type Finding, finding, type NumberedControl, type Scene } from "./finding.ts";
import { endText, flowText, listenerOf, otherEnd, unanswered } from "./flow.ts";

export function* announcedFindings(scene: Scene): Generator<Finding> {
  const detours = new Detours(scene);
  for (const numbered of scene.controls) {
    const split = new Set<number>();
    for (const related of numbered.related) {
      const foreign = isForeign(related.observed);
      if (foreign) yield* elsewhere(scene, numbered, related, detours.of(numbered, related));
      if (!foreign || related.flow >= 0) yield* opening(scene, numbered, related);
      yield* otherSource(scene, numbered, related);
      const { begun, complete } = related.observed.message;
      if (begun !== complete && !split.has(complete)) yield splitFinding(numbered, related);
      split.add(complete);
    }
    yield* otherPort(scene, numbered);
  }
}

const isForeign = ({ refusal }: ObservedAnnouncement): boolean => refusal === "bounce" || refusal === "family-mismatch";

const saidText = ({ observed, to }: Related): string => `${observed.announcement.said} (${endpointText(to)})`;

/** Somebody waits for a connection that did not come, or was not let through. */
function* opening({ flows }: Scene, { id, control }: NumberedControl, related: Related): Generator<Finding> {
  const { observed, flow } = related;
  const { frame, state } = observed;
  if (flow >= 0) {
    const how = unanswered(flows, flow);
    if (how === null) return;
    const tries = flows.frames(flow);
    const answer = how === "reset" ? "answered by a reset" : `not answered (${tries} frame${tries === 1 ? "" : "s"})`;
    const message = `${flowText(flows, flow)}, announced in frame ${frame} (${observed.announcement.kind}), was ${answer}`;
    yield finding("opened-not-answered", "error", id, [frame, flows.firstFrame(flow)], message);
    return;
  }
  if (state === "rejected" || state === "unanswered" || observed.announcement.transport === "udp") return;
  const on = `${observed.announcement.kind} ${endpointText(related.to)}`;
  const over = flows.lastFrame(control.row) <= frame;
  const opener = observed.announcement.opener === "reply" ? "server" : "client";
  const message = over
    ? `${on} was announced in frame ${frame}, where the capture of this connection ends`
    : `${on} was announced in frame ${frame}, and the ${opener} never opened it`;
  yield finding("announced-not-opened", over ? "info" : "error", id, [frame], message);
}

/** An address that is not the speaker's own. */
function* elsewhere(scene: Scene, numbered: NumberedControl, related: Related, detour: number): Generator<Finding> {
  const { observed, to } = related;
  const { id, control } = numbered;
  const own = observed.speaker === "reply" ? control.server.address : control.client.address;
  const came = cameText(scene, related, detour);
  const frames = [observed.frame, detour >= 0 ? scene.flows.firstFrame(detour) : null];
  const severity = detour >= 0 || related.flow >= 0 ? "warning" : "error";
  const who = observed.speaker === "reply" ? "server" : "client";
  const message = `${saidText(related)} in frame ${observed.frame} names ${to.address}, the ${who} is ${own}; ${came}`;
  const code = observed.speaker === "reply" ? "reply-names-another-address" : "command-names-another-address";
  yield finding(code, severity, id, frames, message);
  // A private address behind one that is not, or one that is reached besides the server's.
  if (observed.speaker === "reply" && isPrivate(to.address) && (!isPrivate(own) || related.flow >= 0)) {
    const leaked = `${saidText(related)} in frame ${observed.frame} tells the client the inner address ${to.address} behind ${own}`;
    yield finding("realserver-leaked", severity, id, frames, leaked);
  }
}

function cameText({ flows }: Scene, { flow }: Related, detour: number): string {
  if (detour >= 0) return `the client ignored that and opened ${flowText(flows, detour)}`;
  return flow >= 0
    ? `a connection to it was seen from frame ${flows.firstFrame(flow)}`
    : "no connection to it was seen";
}

/** RFC 1918, RFC 4193, RFC 3927, RFC 4291 §2.5.6. */
function isPrivate({ words, family }: Address): boolean {
  const last = words[3]!;
  if (family === 6) return words[0]! >>> 25 === 0x7e || words[0]! >>> 22 === 0x3fa;
  return last >>> 24 === 10 || last >>> 20 === 0xac1 || last >>> 16 === 0xc0a8 || last >>> 16 === 0xa9fe;
}

/** Who opened what the server was to open; null: it was not seen to be opened. */
function openerOf({ flows }: Scene, { observed, flow }: Related): End | null {
  if (flow < 0 || observed.announcement.opener !== "reply" || !flows.isTcp(flow)) return null;
  const listener = listenerOf(flows, flow);
  return listener === null ? null : otherEnd(listener);
}

function* otherSource(scene: Scene, { id }: NumberedControl, related: Related): Generator<Finding> {
  const { flows } = scene;
  const { observed, flow, from, to } = related;
  const opener = openerOf(scene, related);
  if (opener === null || from.address === null || flows.hasAddress(flow, opener, from.address)) return;
  const seen = endText(flows, flow, opener);
  const message = `the connection to ${endpointText(to)} comes from ${seen}, the server is ${from.address}`;
  yield finding("realserver-leaked", "error", id, [observed.frame, flows.firstFrame(flow)], message);
}

/** RFC 959 §3.2: the server's data port is the one before its control port. Once for each control connection. */
function* otherPort(scene: Scene, { id, control, related }: NumberedControl): Generator<Finding> {
  if (control.helper.name !== "ftp") return;
  const { flows } = scene;
  const dataPort = control.server.port - 1;
  const others = related.filter((one) => {
    const opener = openerOf(scene, one);
    return opener !== null && flows.port(one.flow, opener) !== dataPort;
  });
  if (others.length === 0) return;
  const seen = others.map((one) => endText(flows, one.flow, openerOf(scene, one)!));
  const more = seen.length > 1 ? ` and ${seen.length - 1} more` : "";
  const hung = others.some(({ flow }) => unanswered(flows, flow) !== null);
  const frames = others.map(({ flow }) => flows.firstFrame(flow));
  const message = `active data comes from ${seen[0]}${more}, the server's data port is ${dataPort}`;
  yield finding("active-data-not-from-port-20", hung ? "error" : "info", id, frames, message);
}

function splitFinding({ id }: NumberedControl, related: Related): Finding {
  const { begun, complete } = related.observed.message;
  const message = `${saidText(related)} begins in frame ${begun} and ends in frame ${complete}`;
  return finding("announcement-split-over-segments", "warning", id, [begun, complete], message);
}

/** Connections to the speaker's own address that were opened instead of to the one announced. */
class Detours {
  readonly #byPort = new Map<number, number[]>();
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
    const { flows } = scene;
    for (const { related } of scene.controls) {
      for (const { observed, to } of related) if (observed.refusal === "bounce") this.#byPort.set(to.port, []);
    }
    if (this.#byPort.size === 0) return;
    for (const row of flows.having(this.#byPort.keys())) {
      const listener = flows.isTcp(row) ? listenerOf(flows, row) : null;
      if (listener !== null) this.#byPort.get(flows.port(row, listener))?.push(row);
    }
  }

  /** The row, or -1. */
  of({ control }: NumberedControl, { observed, to }: Related): number {
    const { flows } = this.#scene;
    if (observed.refusal !== "bounce") return -1;
    const own = observed.speaker === "reply" ? control.server.address : control.client.address;
    const rows = this.#byPort.get(to.port) ?? [];
    return (
      rows.find(
        (row) => flows.firstFrame(row) > observed.frame && flows.hasAddress(row, listenerOf(flows, row)!, own),
      ) ?? -1
    );
  }
}
