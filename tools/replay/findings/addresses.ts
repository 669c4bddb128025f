/** Who answers for an address: on the link, and when a realserver asks the client back. */
import { endpointText } from "../../../core/units.ts";
import type { Control } from "../control.ts";
import { A, B, type End, type Flows } from "../flows.ts";
import { grouped } from "../grouped.ts";
import type { Claim, Sightings } from "../neighbours.ts";
import type { Question } from "../question.ts";
import { type Finding, finding, type NumberedControl, type Scene } from "./finding.ts";
import { endText, listenerOf, otherEnd, secondsText, unanswered } from "./flow.ts";

const IDENT = 113;

export function* addressFindings(scene: Scene): Generator<Finding> {
  yield* claimedByTwo(scene);
  yield* reachedAtTwo(scene);
  yield* ident(scene);
}

/** A claim behind all of another's is a takeover: one that was asked for at the same time would be answered by both. */
const TAKEOVER_SECONDS = 1;

function* claimedByTwo({ neighbours, controls }: Scene): Generator<Finding> {
  if (neighbours.claimed.size === 0) return;
  const servers = new Set(controls.map(({ control }) => control.serverText));
  for (const [address, claims] of neighbours.claimed) {
    if (claims.size < 2) continue;
    const sightings = new Map([...claims].map(([mac, { frame }]) => [mac, frame]));
    const frames = [...sightings.values()];
    if (isTakenOver([...claims.values()])) {
      const message = `${address} goes from one hardware address to another, as in a failover: ${sightingsText(sightings)}`;
      yield finding("vip-two-macs", "warning", null, frames, message);
      continue;
    }
    const message = `${address} is claimed by ${claims.size} hardware addresses: ${sightingsText(sightings)}`;
    yield finding("vip-two-macs", servers.has(address) ? "error" : "warning", null, frames, message);
  }
}

function* reachedAtTwo({ neighbours }: Scene): Generator<Finding> {
  for (const [address, bySender] of neighbours.reached) {
    if ((neighbours.claimed.get(address)?.size ?? 0) > 1) continue;
    for (const [sender, sightings] of bySender) {
      if (sightings.size < 2) continue;
      const message = `${sender} reaches ${address} at ${sightings.size} hardware addresses: ${sightingsText(sightings)}`;
      yield finding("vip-two-macs", "warning", null, [...sightings.values()], message);
    }
  }
}

/** `claims` in the order of their first frames: none goes on when the next begins. */
const isTakenOver = (claims: readonly Claim[]): boolean =>
  claims.every(({ until }, index) => (claims[index + 1]?.since ?? Number.POSITIVE_INFINITY) - until > TAKEOVER_SECONDS);

const sightingsText = (sightings: Sightings): string =>
  [...sightings].map(([mac, frame]) => `${mac} (frame ${frame})`).join(", ");

/** A server that asks who its client is (RFC 1413) must ask from the address, and by the port, that the client knows. */
function* ident(scene: Scene): Generator<Finding> {
  const { flows, controls } = scene;
  const asking = flows.having([IDENT]);
  if (asking.length === 0) return;
  const byClient = grouped(controls, ({ control }) => String(control.client.address));
  const unknown = unknownOf(scene);
  for (const row of asking) {
    const listener = flows.isTcp(row) ? listenerOf(flows, row) : null;
    if (listener === null || flows.port(row, listener) !== IDENT) continue;
    const ofClient = byClient.get(String(flows.address(row, listener))) ?? [];
    const opener = otherEnd(listener);
    const asked = ofClient.find(({ control }) => flows.hasAddress(row, opener, control.server.address)) ?? ofClient[0];
    if (asked !== undefined) yield* identFinding(flows, row, listener, asked);
    const question = unknown.get(row);
    if (question !== undefined) yield* misnamed(flows, row, question, ofClient);
  }
}

const BY_PORTS =
  "Have a helper rewrite the ports of the query and of its answer, or give the realserver the port that its clients connect to.";

/** A query whose ports are no connection of the client's, who answers that nobody has it. */
function* misnamed(
  flows: Flows,
  row: number,
  { about, frame }: Question,
  ofClient: readonly NumberedControl[],
): Generator<Finding> {
  const asker = otherEnd(listenerOf(flows, row)!);
  const isMeant = ({ helper, client, server }: Control): boolean =>
    helper.name !== "ident" &&
    (client.port === about.client || (server.port === about.server && flows.hasAddress(row, asker, server.address)));
  const meant = ofClient.find(({ control }) => isMeant(control));
  if (meant === undefined) return;
  const { client, server } = meant.control;
  const message =
    `ident: ${endText(flows, row, asker)} asks in frame ${frame} about the client's port ${about.client} and its own ${about.server}; ` +
    `the client knows that connection as ${endpointText(client)} -> ${endpointText(server)}`;
  const frames = [flows.firstFrame(meant.control.row), frame];
  yield finding("ident-untranslated", "warning", meant.id, frames, message, BY_PORTS);
}

/** Of the questions asked of whoever has the connection, by row, those that nobody has in this capture. */
function unknownOf({ flows, controls }: Scene): Map<number, Question> {
  const asked = new Map<number, Question>();
  for (const { control } of controls) if (control.question !== null) asked.set(control.row, control.question);
  if (asked.size === 0) return asked;
  const ports = (row: number, end: End) =>
    `${flows.address(row, end)} ${flows.port(row, end)} ${flows.port(row, otherEnd(end))}`;
  const known = new Set<string>();
  for (const row of flows.having([...asked.values()].map(({ about }) => about.client))) {
    if (flows.isTcp(row)) known.add(ports(row, A)).add(ports(row, B));
  }
  for (const [row, { about }] of asked) {
    const listener = listenerOf(flows, row);
    const client = listener === null ? null : flows.address(row, listener);
    if (client === null || known.has(`${client} ${about.client} ${about.server}`)) asked.delete(row);
  }
  return asked;
}

function* identFinding(flows: Flows, row: number, listener: End, { id, control }: NumberedControl): Generator<Finding> {
  const opener = otherEnd(listener);
  const foreign = !flows.hasAddress(row, opener, control.server.address);
  const silent = unanswered(flows, row) === "silence";
  if (!foreign && !silent) return;
  const tries = flows.framesOf(row, opener);
  const waited = secondsText(flows.lastTime(row) - flows.firstTime(row));
  const answer = silent
    ? `; nothing answers ${tries} SYN${tries === 1 ? "" : "s"} in ${waited}, which the login waits for`
    : "";
  const message =
    `ident: ${endText(flows, row, opener)} asks ${endText(flows, row, listener)}` +
    (foreign ? `, whose server is ${control.server.address}` : "") +
    answer;
  yield finding(
    "ident-untranslated",
    foreign ? "error" : "warning",
    id,
    [flows.firstFrame(row), flows.lastFrame(row)],
    message,
  );
}
