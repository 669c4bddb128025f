/** What no service can see by itself: names and ports that are taken, and the pool of listeners. */
import { endpointText, type Port, type PortRange, rangeText } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { type Path, quote } from "./problem.ts";
import type { Report } from "./report.ts";
import type { ControlInput, RelatedInput } from "./schema.ts";
import type { Entry } from "./service.ts";

export function checkNames(entries: readonly Entry[], report: Report): void {
  const first = new Map<string, Entry>();
  for (const entry of entries) {
    const { name } = entry.service;
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, entry);
    else {
      const line = report.lineOf([...earlier.path, "name"]);
      report.error(
        [...entry.path, "name"],
        `${quote(name)} is the name of another, on line ${line}`,
        "rename one of the two",
      );
    }
  }
}

/** Services of one mark keep a client together only where each has the same realservers. */
export function checkMarks(entries: readonly Entry[], report: Report): void {
  for (const { path, service } of entries) {
    const { mark, realservers } = service;
    if (mark === undefined) continue;
    const others = entries.filter((other) => other.service !== service && other.service.mark === mark);
    const at = [...path, "mark"];
    if (others.length === 0)
      report.warn(at, `${quote(mark)} is no other service's mark`, "give it to another too", "key");
    for (const { service: other } of others) {
      const missing = other.realservers.find(({ address }) => !realservers.some((one) => one.address.equals(address)));
      if (missing === undefined) continue;
      const what = `${missing.address} of ${quote(other.name)} is no realserver here: its clients are not kept together`;
      report.warn(at, what, "list the same realservers in both");
    }
  }
}

interface Claim {
  readonly range: PortRange;
  readonly entry: Entry;
  readonly path: Path;
}

/** No port of a VIP in two services, nor twice in one. */
export function checkPorts(entries: readonly Entry[], report: Report): void {
  const claims = new Map<string, Claim[]>();
  for (const entry of entries) {
    const vip = entry.service.vip.toString();
    const taken = claims.get(vip) ?? [];
    claims.set(vip, taken);
    entry.service.ports.forEach((range, index) => {
      const claim: Claim = { range, entry, path: [...entry.path, "ports", index] };
      const earlier = taken.find((other) => overlap(other.range, range) !== null);
      if (earlier !== undefined) explainOverlap(claim, earlier, vip, report);
      taken.push(claim);
    });
  }
}

function explainOverlap({ range, entry, path }: Claim, earlier: Claim, vip: string, report: Report): void {
  const both = rangeText(overlap(earlier.range, range)!);
  if (earlier.entry === entry) {
    report.error(path, `${both} is listed before, in ${rangeText(earlier.range)}`, "remove one of the two");
    return;
  }
  const owner = `${quote(earlier.entry.service.name)} (line ${report.lineOf(earlier.path)})`;
  report.error(
    path,
    `${both} of ${vip} is served by ${owner}`,
    "remove it from one of the two, or give it another VIP",
  );
}

function overlap(a: PortRange, b: PortRange): PortRange | null {
  if (a.transport !== b.transport) return null;
  const first = Math.max(a.first, b.first) as Port;
  const last = Math.min(a.last, b.last) as Port;
  return first <= last ? { transport: a.transport, first, last } : null;
}

/** The pool of listeners, against itself and against what the VIPs serve. */
export function checkRelated(related: RelatedInput, entries: readonly Entry[], report: Report): void {
  const { ports, standing, perClient, total } = related;
  if (perClient > total) {
    const remedy = `write at most ${total}, or raise "total"`;
    report.error(["related", "perClient"], `${perClient} for one client, of ${total} in all`, remedy);
  }
  if (ports === undefined) return;
  if (ports.first < 1024) {
    // RFC 2577 §3: a well-known port is never the target of a data connection.
    report.error(["related", "ports"], `${ports.first} is a privileged port`, "begin at 1024 or above");
  }
  const size = ports.last - ports.first + 1;
  if (standing !== undefined && standing > size) {
    const remedy = `write at most ${size}, or widen "ports"`;
    report.error(["related", "standing"], `${standing} listeners on ${size} ports`, remedy);
  }
  for (const { service, path } of entries) {
    // Listeners are opened over either transport, and on every VIP.
    const hit = service.ports
      .map((range) => overlap({ ...ports, transport: range.transport }, range))
      .find((both) => both !== null);
    if (hit === undefined) continue;
    const owner = `${quote(service.name)} (line ${report.lineOf([...path, "ports"])})`;
    const remedy = "give the pool ports that no service has";
    report.error(["related", "ports"], `${rangeText(hit)} of ${service.vip} is served by ${owner}`, remedy);
  }
}

/** Whether whoever may operate the director is known. */
export function checkControl({ tcp, tokenFile, cert, key, clientCa, anonymous }: ControlInput, report: Report): void {
  const at = (name: string): Path => ["control", name];
  if ((cert === undefined) !== (key === undefined)) {
    const [there, missing] = cert === undefined ? ["key", "cert"] : ["cert", "key"];
    report.error(at(there), `without "${missing}" it is of no use`, `add "${missing}", or remove it`, "key");
  }
  if (clientCa !== undefined && cert === undefined) {
    report.error(at("clientCa"), "TLS needs a certificate of the director's own", 'add "cert" and "key"', "key");
  }
  if (tcp === undefined) {
    if (tokenFile !== undefined)
      report.error(at("tokenFile"), "the socket needs no token", 'add "tcp", or remove it', "key");
    return;
  }
  if (tokenFile === undefined && clientCa === undefined && anonymous === "none") {
    const remedy = 'add "tokenFile", or "clientCa" with "cert" and "key"';
    report.error(at("tcp"), "nobody could prove that he may", remedy);
  }
  if (tokenFile !== undefined && cert === undefined && !isLoopback(tcp.address)) {
    report.warn(at("tcp"), `tokens go to ${endpointText(tcp)} as they are`, 'add "cert" and "key"');
  }
}

/** RFC 1122 §3.2.1.3, RFC 4291 §2.5.3. */
const isLoopback = ({ family, words }: Address): boolean =>
  family === 4 ? words[3] >>> 24 === 127 : words[0] === 0 && words[1] === 0 && words[2] === 0 && words[3] === 1;
