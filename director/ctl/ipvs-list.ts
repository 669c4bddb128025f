/** `kindred ctl -L …`: what there is, in the columns of ipvsadm(8) (print_title and print_largenum in its ipvsadm.c). */
import { setTimeout as sleep } from "node:timers/promises";
import type { Transport } from "../../core/units.ts";
import { Address } from "../../core/wire/address.ts";
import { endpoint } from "../config/formats.ts";
import { quote } from "../config/problem.ts";
import type { ConnectionState, RealserverState, ServiceState } from "../control/operated.ts";
import { type Options, readOptions } from "../ipvs/options.ts";
import { hostPort } from "../ipvs/rule.ts";
import { Trouble, type Word } from "../ipvs/trouble.ts";
import { hostPortOf } from "../ipvs/values.ts";
import { pages } from "./ask.ts";
import { type Client, Refused } from "./client.ts";

/** Throws a Refused for what it does not list. */
export async function listIpvs(client: Client, words: readonly string[]): Promise<string> {
  const { options, service } = read(words);
  const list = async (): Promise<readonly ServiceState[]> => {
    const { items } = await client.send<{ items: ServiceState[] }>({ method: "GET", path: "/v1/services" });
    return wanted(items, service);
  };
  const services = await list();
  if (options.has("connection")) return connections(client, services, service !== null);
  const head = "IP Virtual Server (kindred)\n";
  const exact = options.has("exact");
  if (options.has("stats")) return head + counts(STATS, services, countsOf, exact);
  if (!options.has("rate")) return head + rules(services);
  const before = countsByName(services);
  const began = performance.now();
  await sleep(1000);
  const after = await list();
  const seconds = (performance.now() - began) / 1000;
  const rate = (one: RealserverState, { name }: ServiceState): Counts | null => {
    const was = before.get(`${name} ${one.realserver}`);
    return countsOf(one)?.map((count, i) => Math.max(0, Math.round((count - (was?.[i] ?? count)) / seconds))) ?? null;
  };
  return head + counts(RATE, after, rate, exact);
}

interface Asked {
  readonly options: Options;
  /** The one to be listed alone. */
  readonly service: (ReturnType<typeof hostPortOf> & { readonly transport: Transport; readonly text: string }) | null;
}

/** What may be said beside `-L`; of these, some say what is so anyway. */
const KNOWN = "list numeric sort nosort exact stats rate connection tcp-service udp-service".split(" ");

function read(words: readonly string[]): Asked {
  try {
    const line: Word[] = words.map((text, i) => ({ text, line: 1, column: i + 1 }));
    const options = readOptions(line);
    const [unknown] = [...options].filter(([name]) => !KNOWN.includes(name));
    if (unknown !== undefined) {
      throw new Trouble(unknown[1].at, `--${unknown[0]} lists nothing here`, "write --stats, --rate or -c");
    }
    const counts = options.get("stats") ?? options.get("rate");
    if (options.has("connection") && counts !== undefined) {
      throw new Trouble(counts.at, `-c and ${counts.at.text} exclude one another`, "ask for one after the other");
    }
    return { options, service: serviceOf(options) };
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    throw new Refused(400, { error: "wrong-input", message: error.message, remedy: error.remedy });
  }
}

function serviceOf(options: Options): Asked["service"] {
  const transport = options.has("udp-service") ? "udp" : "tcp";
  const word = options.get(`${transport}-service`)?.value;
  return word == null ? null : { transport, text: word.text, ...hostPortOf(word) };
}

/** All, or the one at the address and port that was named. */
function wanted(services: readonly ServiceState[], service: Asked["service"]): readonly ServiceState[] {
  if (service === null) return services;
  const { transport, address, port, text } = service;
  const found = services.filter(
    ({ vip, ports }) => address.equals(Address.parse(vip)!) && ports.some((range) => holds(range, transport, port)),
  );
  if (found.length > 0) return found;
  const message = `there is no ${transport.toUpperCase()} service at ${quote(text)}`;
  throw new Refused(404, { error: "no-such-service", message, remedy: "`kindred ctl -L` lists them" });
}

/** Whether `range`, as in `tcp/21` and `tcp/40000-40100`, has that port. */
function holds(range: string, transport: string, port: number): boolean {
  const [its, ports] = range.split("/");
  const [first, last = first] = ports!.split("-").map(Number);
  return its === transport && port >= first! && port <= last!;
}

const METHODS = { nat: "Masq", dr: "Route", tunnel: "Tunnel" } as const;

const RULES = `Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
`;

function rules(services: readonly ServiceState[]): string {
  const lines = services.flatMap((service) => {
    const { scheduler, persistence, realservers } = service;
    const flags = persistence > 0 ? ` persistent ${Math.ceil(persistence / 1000)}` : "";
    const rows = realservers.map((one) => {
      const columns = [METHODS[one.method].padEnd(7), String(one.weight).padEnd(6), String(one.active).padEnd(10)];
      return `  -> ${endOf(one, service).padEnd(28)} ${columns.join(" ")} ${String(one.inactive).padEnd(10)}`;
    });
    return [`${nameOf(service)} ${scheduler}${flags}`, ...rows];
  });
  return RULES + text(lines);
}

/** Of connections, packets in and out, bytes in and out. */
type Counts = readonly number[];

const STATS = ["Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"];
const RATE = ["CPS", "InPPS", "OutPPS", "InBPS", "OutBPS"];
const WIDTH = 33;

/** null: its path counts no packets. */
const countsOf = ({ traffic }: RealserverState): Counts | null =>
  traffic === undefined
    ? null
    : [traffic.connections, ...[traffic.packets, traffic.bytes].flatMap(({ original, reply }) => [original, reply])];

const countsByName = (services: readonly ServiceState[]): ReadonlyMap<string, Counts | null> =>
  new Map(
    services.flatMap(({ name, realservers }) => realservers.map((one) => [`${name} ${one.realserver}`, countsOf(one)])),
  );

function counts(
  names: readonly string[],
  services: readonly ServiceState[],
  of: (one: RealserverState, service: ServiceState) => Counts | null,
  exact: boolean,
): string {
  const cells = (all: Counts | null): string => names.map((_, i) => cell(all?.[i], exact)).join("");
  const lines = services.flatMap((service) => {
    const each = service.realservers.map((one) => ({ one, its: of(one, service) }));
    const counted = each.flatMap(({ its }) => (its === null ? [] : [its]));
    const sums = names.map((_, i) => counted.reduce((sum, its) => sum + its[i]!, 0));
    const rows = each.map(({ one, its }) => `  -> ${endOf(one, service).padEnd(WIDTH - 5)}${cells(its)}`);
    return [`${nameOf(service).padEnd(WIDTH)}${cells(counted.length < each.length ? null : sums)}`, ...rows];
  });
  const title = "Prot LocalAddress:Port".padEnd(WIDTH) + names.map((name) => ` ${name.padStart(8)}`).join("");
  return `${title}\n  -> RemoteAddress:Port\n${text(lines)}`;
}

const UNITS = ["", "K", "M", "G", "T"] as const;

/** As print_largenum: at most eight digits, and beyond that thousands, millions and so on. */
function cell(count: number | undefined, exact: boolean): string {
  if (count === undefined) return "-".padStart(9);
  if (exact) return ` ${String(count).padStart(8)}`;
  const power = count < 1e8 ? 0 : count < 1e9 ? 1 : count < 1e11 ? 2 : count < 1e14 ? 3 : 4;
  return `${Math.floor(count / 1000 ** power)}${UNITS[power]}`.padStart(9);
}

/** ipvsadm's lines but for two columns: when one ends is not told, and what it is stands in its state's place. */
async function connections(client: Client, services: readonly ServiceState[], named: boolean): Promise<string> {
  const lines = ["IPVS connection entries", entry("pro", "expire", "role", "source", "virtual", "destination")];
  for (const service of named ? services.map(({ name }) => name) : [undefined]) {
    for await (const one of pages<ConnectionState>(client, "/v1/connections", { service })) {
      lines.push(entry(one.transport.toUpperCase(), "-", one.role, one.client, one.virtual, one.real));
    }
  }
  return text(lines);
}

const entry = (
  protocol: string,
  expires: string,
  role: string,
  source: string,
  virtual: string,
  real: string,
): string =>
  `${protocol.padEnd(3)} ${expires.padEnd(6)} ${role.padEnd(11)} ${source.padEnd(18)} ${virtual.padEnd(18)} ${real}`;

const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");

/** The port, where a service has but one. */
function portOf({ ports }: ServiceState): number | null {
  const [, port] = ports[0]!.split("/");
  return ports.length === 1 && !port!.includes("-") ? Number(port) : null;
}

/** `TCP  203.0.113.10:21`; of several ports its name, too. */
function nameOf(service: ServiceState): string {
  const { name, vip, ports } = service;
  const port = portOf(service);
  const end = port === null ? `${name} ${vip} ${ports.join(",")}` : hostPort(Address.parse(vip)!, port);
  return `${ports[0]!.split("/")[0]!.toUpperCase().padEnd(4)} ${end}`;
}

/** `192.168.0.2:21`; the service's port where the realserver has none of its own. */
function endOf({ realserver }: RealserverState, service: ServiceState): string {
  const both = endpoint(realserver);
  return "port" in both ? realserver : hostPort(Address.parse(realserver)!, portOf(service) ?? 0);
}
