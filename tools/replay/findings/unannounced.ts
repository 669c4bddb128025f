/** Connections between the ends of a control connection that nobody announced on it. */
import { A, B, type End, type Flows } from "../flows.ts";
import { grouped } from "../grouped.ts";
import { isOneWay } from "../incomplete.ts";
import { type Finding, finding, type NumberedControl, type Scene } from "./finding.ts";
import { answerText, endText, flowText, listenerOf, otherEnd, unanswered } from "./flow.ts";

const FIRST_UNRESERVED_PORT = 1024;
const DATA_PORT = 20;
/** What a connection of these protocols goes by. */
const TRANSPORTS: Readonly<Record<string, "tcp" | "udp">> = { ftp: "tcp", rtsp: "udp", pnm: "udp", wms: "udp" };

export function* unannouncedFindings(scene: Scene): Generator<Finding> {
  const { flows, controls } = scene;
  const speaking = controls.filter(
    ({ control }) => control.helper.name in TRANSPORTS && control.cutFrame === 0 && !isOneWay(control, flows),
  );
  if (speaking.length === 0) return;
  const known = new Set(controls.flatMap(({ control, related }) => [control.row, ...related.map(({ flow }) => flow)]));
  const pairs = grouped(speaking, ({ control }) => flows.between(control.row));
  const announced = new Set(controls.flatMap(({ related }) => related.map(({ to }) => to.port)));
  for (const row of flows.amongPairs(pairs.keys())) {
    const near = pairs.get(flows.between(row));
    if (near === undefined || known.has(row) || !mayBeData(flows, row)) continue;
    if (announced.has(flows.port(row, A)) || announced.has(flows.port(row, B))) continue;
    // Pairs that only seem to be the same are told apart by their addresses.
    const during = near.find((one) => between(flows, row, one) && alive(flows, row, one));
    if (during !== undefined) yield* found(scene, row, during);
  }
}

/** FTP's own data port is the one reserved port that a data connection has. */
function mayBeData(flows: Flows, row: number): boolean {
  const lower = Math.min(flows.port(row, A), flows.port(row, B));
  return lower >= FIRST_UNRESERVED_PORT || (lower === DATA_PORT && flows.isTcp(row));
}

function between(flows: Flows, row: number, { control }: NumberedControl): boolean {
  if (TRANSPORTS[control.helper.name] !== (flows.isTcp(row) ? "tcp" : "udp")) return false;
  const { client, server } = control;
  return ([A, B] as const).some(
    (end: End) =>
      flows.hasAddress(row, end, client.address) &&
      flows.hasAddress(row, otherEnd(end), server.address) &&
      // Another control connection of the same two.
      flows.port(row, otherEnd(end)) !== server.port,
  );
}

const alive = (flows: Flows, row: number, { control }: NumberedControl): boolean =>
  flows.firstFrame(row) > flows.firstFrame(control.row) && flows.firstFrame(row) < flows.lastFrame(control.row);

function* found(scene: Scene, row: number, { id, control }: NumberedControl): Generator<Finding> {
  const { flows } = scene;
  const frames = [flows.firstFrame(row)];
  if (control.groups.length > 0) {
    // What cannot be read may have announced it.
    const how = unanswered(flows, row);
    if (how === null) return;
    const message = `${flowText(flows, row)}, opened while what this control connection says cannot be read, was ${answerText(scene, row, how)}`;
    yield finding("opened-not-answered", "error", id, frames, message);
    return;
  }
  const listener = listenerOf(flows, row);
  const opener = listener === null ? null : otherEnd(listener);
  const fromDataPort = opener !== null && flows.port(row, opener) === 20;
  const from = fromDataPort ? `active data from ${endText(flows, row, opener)}` : flowText(flows, row);
  const message = `${from} was opened while this control connection lived, and no announcement names it`;
  yield finding("opened-not-announced", fromDataPort ? "warning" : "info", id, frames, message);
}
