/** Reads this host: what ip(8), nft(8) and conntrack(8) print, and /proc. Changes nothing. */
import { open, readFile } from "node:fs/promises";
import { Address } from "../../core/wire/address.ts";
import type { ServiceConfig } from "../config/types.ts";
import { execute } from "../plan/host.ts";
import { type Device, type Facts, onWire, type Privileges, type Way } from "./facts.ts";
import { readRuleset } from "./nft.ts";
import { probe } from "./probe.ts";
import { ANY_CLIENT, type Role, type Served, servedBy, vipsOf } from "./scene.ts";

export interface Asked {
  readonly role: Role;
  readonly services: readonly ServiceConfig[];
  /** Those that this host is. */
  readonly own: readonly Served[];
  /** Whether neighbours are asked; otherwise only this host is looked at. */
  readonly probe: boolean;
}

export async function gather(asked: Asked): Promise<Facts> {
  const unseen: string[] = [];
  const devices = await readDevices(unseen);
  const seen: Facts = {
    devices,
    settings: await readSettings(devices),
    ways: await readWays(asked),
    localRoutes: await readLocalRoutes(),
    chains: await readChains(unseen),
    translated: await readTranslated(asked, unseen),
    answers: new Map(),
    privileges: await readPrivileges(),
    unseen,
  };
  if (!asked.probe) return seen;
  const reals = servedBy(asked.services).map(({ realserver }) => realserver.address);
  const answers = await probe([...vipsOf(asked.services), ...reals], onWire(seen));
  if (typeof answers !== "string") return { ...seen, answers };
  return { ...seen, unseen: [...unseen, `who answers ARP: ${answers}`] };
}

interface AddressJson {
  readonly ifname: string;
  readonly ifindex: number;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly link_type: string;
  readonly address?: string;
  readonly master?: string;
  readonly addr_info?: readonly { readonly local?: string }[];
}

async function json<T>(argv: readonly string[]): Promise<T[] | string> {
  const { status, stdout, stderr } = await execute({ argv });
  if (status !== 0) return stderr.trim().split("\n")[0]!;
  try {
    return JSON.parse(stdout === "" ? "[]" : stdout) as T[];
  } catch {
    return `${argv.join(" ")} printed no JSON`;
  }
}

async function readDevices(unseen: string[]): Promise<Device[]> {
  const found = await json<AddressJson>(["ip", "-j", "address", "show"]);
  if (typeof found === "string") {
    unseen.push(`devices and addresses: ${found}`);
    return [];
  }
  return found
    .filter(({ ifname }) => ifname !== undefined)
    .map(({ ifname, ifindex, flags, mtu, link_type, address, master, addr_info }) => ({
      name: ifname,
      index: ifindex,
      up: flags.includes("UP"),
      arp: link_type === "ether" && !flags.includes("NOARP"),
      mtu,
      type: link_type,
      hardware: address ?? "",
      master: master ?? null,
      addresses: (addr_info ?? []).flatMap(({ local }) => (local === undefined ? [] : [canonical(local)])),
    }));
}

const canonical = (text: string): string => String(Address.parse(text) ?? text);

const OF_DEVICES = ["rp_filter", "arp_ignore", "arp_announce"] as const;
const OF_HOST = {
  "net.ipv4.ip_forward": "net/ipv4/ip_forward",
  "net.ipv6.conf.all.forwarding": "net/ipv6/conf/all/forwarding",
  "net.ipv4.ip_nonlocal_bind": "net/ipv4/ip_nonlocal_bind",
  "net.ipv6.ip_nonlocal_bind": "net/ipv6/ip_nonlocal_bind",
} as const;

async function readSettings(devices: readonly Device[]): Promise<Map<string, number>> {
  const files = new Map<string, string>(Object.entries(OF_HOST));
  for (const device of ["all", ...devices.map(({ name }) => name)]) {
    for (const name of OF_DEVICES) files.set(`net.ipv4.conf.${device}.${name}`, `net/ipv4/conf/${device}/${name}`);
  }
  const values = new Map<string, number>();
  for (const [key, file] of files) {
    const value = await readNumber(`/proc/sys/${file}`);
    if (value !== null) values.set(key, value);
  }
  return values;
}

async function readNumber(file: string): Promise<number | null> {
  try {
    return Number((await readFile(file, "utf8")).trim());
  } catch {
    return null;
  }
}

interface RouteJson {
  readonly dev?: string;
  readonly gateway?: string;
  readonly metrics?: readonly { readonly mtu?: number }[];
}

/** Of the director to each realserver, of a realserver to any client. */
async function readWays({ role, services, own }: Asked): Promise<Map<string, Way | null>> {
  const ways = new Map<string, Way | null>();
  const look = async (to: string, ...from: string[]): Promise<void> => {
    const found = await json<RouteJson>(["ip", "-j", "route", "get", to, ...from]);
    const [route] = typeof found === "string" ? [] : found;
    const { dev, gateway, metrics } = route ?? {};
    ways.set(to, dev === undefined ? null : { device: dev, via: gateway ?? null, mtu: metrics?.[0]?.mtu ?? null });
  };
  if (role === "director") {
    for (const { realserver } of servedBy(services)) await look(String(realserver.address));
  }
  if (role === "realserver") {
    for (const { realserver } of own) {
      await look(ANY_CLIENT[realserver.address.family], "from", String(realserver.address));
    }
  }
  return ways;
}

async function readLocalRoutes(): Promise<string[]> {
  const found = await Promise.all(
    [[], ["-6"]].map((family) =>
      json<{ dst?: string; type?: string }>(["ip", ...family, "-j", "route", "show", "table", "local"]),
    ),
  );
  return found
    .flatMap((routes) => (typeof routes === "string" ? [] : routes))
    .flatMap(({ dst, type }) => (type === "local" && dst !== undefined ? [canonical(dst)] : []));
}

async function readChains(unseen: string[]) {
  const { status, stdout, stderr } = await execute({ argv: ["nft", "-j", "list", "ruleset"] });
  if (status === 0) return readRuleset(stdout);
  unseen.push(`rules of nftables: ${stderr.trim().split("\n")[0]}`);
  return [];
}

/** One entry a line: `tcp 6 117 TIME_WAIT src=A dst=VIP sport= dport= src=REAL dst=A ...`. */
async function readTranslated({ services, role }: Asked, unseen: string[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  if (role !== "director") return counts;
  for (const vip of vipsOf(services)) {
    const family = vip.family === 6 ? "ipv6" : "ipv4";
    const { status, stdout, stderr } = await execute({ argv: ["conntrack", "-L", "-f", family, "-d", String(vip)] });
    if (status !== 0) {
      unseen.push(`entries of conntrack: ${stderr.trim().split("\n")[0]}`);
      break;
    }
    counts.set(String(vip), stdout.split("\n").filter((line) => isTranslated(line, vip)).length);
  }
  return counts;
}

export function isTranslated(line: string, vip: Address): boolean {
  const [, reply] = [...line.matchAll(/\bsrc=(\S+)/g)].map(([, text]) => text!);
  return reply !== undefined && Address.parse(reply)?.equals(vip) === false;
}

/** Bits of linux/capability.h. */
const BIND_SERVICE = 10n;
const NET_ADMIN = 12n;
const FIRST_FREE_PORT = 1024;

async function readPrivileges(): Promise<Privileges> {
  const status = await readFile("/proc/self/status", "utf8").catch(() => "");
  const mask = BigInt(`0x${/^CapEff:\s*([\da-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  const tun = await open("/dev/net/tun", "r+").catch(() => null);
  await tun?.close();
  return {
    netAdmin: ((mask >> NET_ADMIN) & 1n) === 1n,
    bindService: ((mask >> BIND_SERVICE) & 1n) === 1n,
    firstFreePort: (await readNumber("/proc/sys/net/ipv4/ip_unprivileged_port_start")) ?? FIRST_FREE_PORT,
    tun: tun !== null,
  };
}
