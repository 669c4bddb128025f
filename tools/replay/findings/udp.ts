/** Clients of UDP services that one server keeps, though there are others: entries that every datagram renews. */

import type { End, Flows } from "../flows.ts";
import { grouped } from "../grouped.ts";
import { type Finding, finding, type Scene } from "./finding.ts";
import { endText, otherEnd, secondsText } from "./flow.ts";

/** Services of one request and one answer: DNS, RADIUS. */
const PORTS: ReadonlySet<number> = new Set([53, 1645, 1646, 1812, 1813]);
/** Requests in vain before a server counts as dead, and for how long. */
const VAIN = 3;
const DEAD_SECONDS = 3;
/** Requests of one socket that say something about scheduling, and the share of all that is too much. */
const MANY = 50;
const SHARE = 0.8;

interface Use {
  readonly row: number;
  readonly server: End;
  readonly requests: number;
  readonly answers: number;
  readonly lastAnswer: number;
}

export function* udpFindings(scene: Scene): Generator<Finding> {
  const { flows } = scene;
  for (const [port, uses] of usesByPort(scene)) {
    const service = serviceOf(flows, port, uses);
    if (service.answered.size > 0) for (const use of uses) yield* stuck(flows, service, use);
  }
}

interface Service {
  readonly port: number;
  readonly requests: number;
  /** When each server answered last. */
  readonly answered: ReadonlyMap<string, number>;
}

function serviceOf(flows: Flows, port: number, uses: readonly Use[]): Service {
  const answered = new Map<string, number>();
  let total = 0;
  for (const { row, server, requests, lastAnswer } of uses) {
    total += requests;
    const address = String(flows.address(row, server));
    if (lastAnswer > 0) answered.set(address, Math.max(lastAnswer, answered.get(address) ?? 0));
  }
  return { port, requests: total, answered };
}

/** By the server's port. A client of anything may have one of these ports itself, but does not ask as these services are asked. */
function usesByPort({ flows, controls }: Scene): Map<number, Use[]> {
  const asking = controls.filter(
    ({ control: { requests, server } }) => requests !== null && requests.requests.length > 0 && PORTS.has(server.port),
  );
  const uses = asking.map(({ control: { row, clientEnd } }) => {
    const server = otherEnd(clientEnd);
    return {
      row,
      server,
      requests: flows.framesOf(row, clientEnd),
      answers: flows.framesOf(row, server),
      lastAnswer: flows.lastTimeOf(row, server),
    };
  });
  return grouped(uses, ({ row, server }) => flows.port(row, server));
}

function* stuck(flows: Flows, { port, requests: total, answered }: Service, use: Use): Generator<Finding> {
  const { row, server, requests, answers } = use;
  const own = String(flows.address(row, server));
  const client = endText(flows, row, otherEnd(server));
  const frames = [flows.firstFrame(row), flows.lastFrame(row)];
  const since = answers === 0 ? flows.firstTime(row) : use.lastAnswer;
  const vain = flows.lastTimeOf(row, otherEnd(server)) - since;
  const asksInVain = vain >= DEAD_SECONDS && requests - answers >= VAIN && (answered.get(own) ?? 0) <= since;
  const other = asksInVain ? [...answered].find(([address, last]) => address !== own && last > since) : undefined;
  if (other !== undefined) {
    const message = `${client} keeps asking ${own}:${port}, which has not answered for ${secondsText(vain)}, while ${other[0]} answers`;
    yield finding("udp-clients-stuck", "error", null, frames, message);
    return;
  }
  if (answered.size < 2 || !answered.has(own) || requests < MANY || requests < total * SHARE) return;
  const message = `${requests} of ${total} requests to port ${port} come from ${client} and all go to ${own}; ${answered.size} servers answer`;
  yield finding("udp-clients-stuck", "warning", null, frames, message);
}
