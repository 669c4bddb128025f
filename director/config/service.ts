/** What the schema cannot see: whether the parts of one service go together. */
import { type PortRange, rangeText } from "../../core/units.ts";
import type { Address } from "../../core/wire/address.ts";
import { checkCheck } from "./check.ts";
import type { Helpers } from "./helpers.ts";
import { nearest } from "./nearest.ts";
import { type Path, quote } from "./problem.ts";
import type { Report } from "./report.ts";
import type { RealserverInput, ServiceInput } from "./schema.ts";
import type { HelperConfig } from "./types.ts";
import { missingWithoutReplies } from "./unseen.ts";

/** A service or a group, and where it stands. */
export interface Entry {
  readonly path: Path;
  readonly service: ServiceInput;
}

export interface Context {
  readonly report: Report;
  readonly helpers: Helpers;
  readonly datapath: "socket" | "tun";
}

export function checkService({ path, service }: Entry, context: Context): void {
  const { report } = context;
  checkUsable(service.vip, [...path, "vip"], "the address that clients connect to", report);
  if (service.ports.length === 0) report.error([...path, "ports"], "lists no port", "list one, as in [tcp/21]");
  checkHelper(path, service, context);
  checkNetmask(path, service, report);
  checkCheck(path, service, report);
  const realservers: Path = [...path, "realservers"];
  if (service.realservers.length === 0) {
    report.warn(realservers, "lists no realserver: nobody will be served", 'list one, as in "- address: 192.168.0.2"');
  } else if (service.realservers.every(({ weight }) => weight === 0)) {
    report.warn(realservers, "all weights are 0: nobody will be served", "give one a weight above 0");
  } else if (service.realservers.every(({ sorry }) => sorry)) {
    report.warn(realservers, "there are only sorry servers: they will serve", 'remove "sorry", or list who serves');
  }
  service.realservers.forEach((realserver, index) => {
    const at = [...realservers, index];
    checkRealserver(realserver, at, service, context);
    const first = service.realservers.findIndex((other) => sameEnd(other, realserver));
    if (first < index) {
      const line = report.lineOf([...realservers, first]);
      report.error(at, `the same realserver as on line ${line}`, "remove one of the two, or give it another port");
    }
  });
}

const sameEnd = (a: RealserverInput, b: RealserverInput): boolean =>
  a.address.equals(b.address) && (a.port ?? null) === (b.port ?? null);

/** RFC 5771, RFC 4291 §2.7. */
const isMulticast = ({ family, words }: Address): boolean =>
  family === 4 ? words[3] >>> 28 === 0xe : words[0] >>> 24 === 0xff;

function checkUsable(address: Address, path: Path, what: string, report: Report): void {
  if (address.unspecified) report.error(path, `${address} is no address of anybody`, `write ${what}`);
  else if (isMulticast(address)) report.error(path, `${address} is a multicast group`, `write ${what}`);
}

function checkHelper(path: Path, service: ServiceInput, { report, helpers }: Context): void {
  const { helper: name, ports } = service;
  if (name === undefined) return;
  const at = [...path, "helper"];
  const helper = helpers.get(name);
  if (helper === undefined) {
    const known = [...helpers.keys()];
    const meant = nearest(name, known);
    const otherwise = `known: ${known.join(", ")}; one of your own goes under "helpers" with its module`;
    report.error(at, `${quote(name)} is no helper`, meant === null ? otherwise : `did you mean "${meant}"?`);
    return;
  }
  if (helper === null || ports.length === 0 || helper.config.ports.length === 0) return; // Reported there.
  const { config, transport } = helper;
  checkPrimary(config, service, report);
  checkReplies(path, config, service, report);
  const held = ports.filter((range) => holdsOneOf(range, config.ports));
  if (held.some((range) => range.transport === (transport ?? range.transport))) return;
  const control = `${transport ?? "tcp"}/${config.ports[0]}`;
  const [other] = held;
  if (other !== undefined) {
    report.error(at, `${name} is spoken over ${transport}, not ${rangeText(other)}`, `write ${control} in ports`);
    return;
  }
  const remedy = `add ${control} to ports, or this service's control port to helpers.${name}.ports`;
  report.error(at, `no control port of ${name} (${config.ports.join(", ")}) is among ports`, remedy);
}

/** Where they take another way, and something fails for it. */
function checkReplies(
  path: Path,
  { name, ports: control }: HelperConfig,
  { ports, realservers }: ServiceInput,
  report: Report,
): void {
  const first = realservers.findIndex(({ method }) => method !== "nat");
  if (first < 0) return;
  const missing = missingWithoutReplies(
    name,
    ports.some((range) => range.first !== range.last || !control.includes(range.first)),
  );
  if (missing?.fails !== true) return;
  const at = [...path, "realservers", first, "method"];
  const remedy =
    name === "ftp"
      ? "give each such realserver passivePorts, and the service these ports; or let replies pass the director"
      : 'write "method: nat"';
  report.warn(at, `where replies pass the director by: ${missing.what}`, remedy);
}

function checkPrimary(
  { name: helper, primary }: HelperConfig,
  { name, realservers }: ServiceInput,
  report: Report,
): void {
  if (primary === null || realservers.some(({ address }) => address.equals(primary))) return;
  const path = ["helpers", helper, "primary"];
  report.error(path, `${primary} is no realserver of ${quote(name)}`, "write the address of one of them");
}

const holdsOneOf = ({ first, last }: PortRange, ports: readonly number[]): boolean =>
  ports.some((port) => port >= first && port <= last);

function checkNetmask(path: Path, { vip, persistence, persistenceNetmask }: ServiceInput, report: Report): void {
  if (persistenceNetmask === undefined) return;
  const at = [...path, "persistenceNetmask"];
  if (persistence === undefined) {
    report.error(at, "without persistence it means nothing", 'add "persistence: 300s", or remove it', "key");
  }
  if (vip.family === 4 && persistenceNetmask > 32) {
    report.error(at, `${persistenceNetmask} bits, of 32 that an IPv4 address has`, "write a number from 1 to 32");
  }
}

function checkRealserver(realserver: RealserverInput, path: Path, service: ServiceInput, context: Context): void {
  const { report, datapath } = context;
  const { address, method } = realserver;
  checkUsable(address, [...path, "address"], "the realserver's own address", report);
  realserver.announces.forEach((announced, index) => {
    checkUsable(announced, [...path, "announces", index], "the address that it announces", report);
  });
  if (datapath === "socket" && method !== "nat") {
    const remedy = 'run on the packet path ("--path tun"), or write "method: nat"';
    report.error([...path, "method"], `${method} needs the packet path`, remedy);
  }
  if (datapath === "tun" && address.family !== service.vip.family) {
    const remedy = `write an IPv${service.vip.family} address, or run on the socket path ("--path socket")`;
    report.error([...path, "address"], `the VIP is IPv${service.vip.family}, and packets are not translated`, remedy);
  }
  checkRealPort(realserver, path, service, context);
  checkPassive(realserver, path, service, report);
}

function checkRealPort(
  { address, port, method }: RealserverInput,
  path: Path,
  service: ServiceInput,
  { report, datapath }: Context,
): void {
  const { vip, ports, helper } = service;
  const loop = ports.find(({ first, last }) => port === undefined || (port >= first && port <= last));
  if (address.equals(vip) && loop !== undefined) {
    const where = port === undefined ? rangeText(loop) : `${loop.transport}/${port}`;
    const remedy = "write the address, or another port, of the server behind it";
    report.error([...path, "address"], `${where} of ${vip} is this service itself: a loop`, remedy);
  }
  if (port === undefined) return;
  const single = ports.length === 1 && ports[0]!.first === ports[0]!.last;
  if (!single && helper === undefined && ports.length > 0) {
    const remedy = "remove it: connections keep the port that the client used";
    report.error([...path, "port"], "one port for a group of ports", remedy, "key");
  } else if (datapath === "tun" && method !== "nat" && !(single && ports[0]!.first === port)) {
    report.error([...path, "port"], `${method} cannot change the port`, "remove it");
  }
}

function checkPassive({ passivePorts }: RealserverInput, path: Path, service: ServiceInput, report: Report): void {
  if (passivePorts === undefined) return;
  const at = [...path, "passivePorts"];
  if (service.helper === undefined) {
    report.error(at, "without a helper nobody groups them", 'add "helper: ftp", or remove them', "key");
    return;
  }
  const { transport, first, last } = passivePorts;
  const served = service.ports.some((r) => r.transport === transport && r.first <= first && r.last >= last);
  if (!served) {
    const text = rangeText(passivePorts);
    report.warn(at, `the VIP does not serve ${text}: encrypted transfers will not get through`, `add ${text} to ports`);
  }
}
