/** What is wrong with the configuration as a whole, or is seen in a capture of it. */
import { rangeText } from "../../../core/units.ts";
import type { RealserverConfig, ServiceConfig } from "../../config/types.ts";
import { missingWithoutReplies } from "../../config/unseen.ts";
import { type Finding, finding } from "../finding.ts";
import { ANY_CLIENT, type Scene } from "../scene.ts";

export function* serviceFindings(scene: Scene): Generator<Finding> {
  for (const service of scene.services) {
    yield* overlapping(service);
    const direct = service.realservers.filter((realserver) => answersDirectly(realserver, scene));
    if (service.helper === null || direct.length === 0) continue;
    const missing = missingWithoutReplies(service.helper.name, hasDataPorts(service));
    if (missing === null) continue;
    const who = direct.map(({ address, method }) => `${address} (${method})`).join(", ");
    const what = `replies of ${who} need not pass the director: ${missing.what}`;
    yield finding("helper-bypassed", missing.fails ? "error" : "warning", service.name, what);
  }
}

const hasDataPorts = ({ ports, controlPorts }: ServiceConfig): boolean =>
  ports.some(({ first, last }) => first !== last || !controlPorts.includes(first));

/** As far as can be seen from here: a realserver knows its own way to clients, nobody else does. */
function answersDirectly({ address, method }: RealserverConfig, { own, facts, gateways }: Scene): boolean {
  if (method === "nat") return false;
  if (!own.some(({ realserver }) => realserver.address.equals(address))) return true;
  const way = facts.ways.get(ANY_CLIENT[address.family]);
  return !gateways.some((gateway) => String(gateway) === way?.via);
}

/** Where a client stays with its realserver, its address says whose port it is. */
function* overlapping({ name, realservers, persistence }: ServiceConfig): Generator<Finding> {
  if (persistence > 0) return;
  const ranged = realservers.filter(({ passivePorts }) => passivePorts !== null);
  for (const [i, one] of ranged.entries()) {
    const other = ranged.slice(0, i).find((earlier) => overlap(earlier, one));
    if (other === undefined) continue;
    const what = `${rangeText(one.passivePorts!)} of ${one.address} overlaps ${rangeText(other.passivePorts!)} of ${other.address}`;
    yield finding("passive-ranges-overlap", "warning", name, what);
  }
}

function overlap({ passivePorts: a }: RealserverConfig, { passivePorts: b }: RealserverConfig): boolean {
  return a!.transport === b!.transport && a!.first <= b!.last && b!.first <= a!.last;
}

const ENCRYPTED = "control-encrypted";

export function* captureFindings({ captured, services }: Scene): Generator<Finding> {
  for (const { code, severity, frames, message, remedy, server } of captured) {
    const where = `frame ${frames.join(", ")}`;
    if (code === ENCRYPTED) {
      const open = services.filter((service) => isThere(service, server) && !grouped(service));
      for (const { name } of open) yield finding("ftps-without-group", "error", where, `${name}: ${message}`);
    } else if (severity !== "info") {
      yield { code: "capture-finding", severity, where, what: `${code}: ${message}`, remedy };
    }
  }
}

/** A capture at the director shows the VIP, one behind it the realserver. */
const isThere = ({ vip, realservers, helper }: ServiceConfig, server: string | null): boolean =>
  helper !== null && [vip, ...realservers.map(({ address }) => address)].some((one) => String(one) === server);

const grouped = ({ realservers, ports }: ServiceConfig): boolean =>
  realservers.every(
    ({ passivePorts: at }) =>
      at !== null &&
      ports.some((range) => range.transport === at.transport && range.first <= at.first && range.last >= at.last),
  );
