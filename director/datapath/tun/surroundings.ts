/** What the packet path must know of the host that it runs on: addresses, ways, settings. From ip(8) and /proc/sys. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Address } from "../../../core/wire/address.ts";
import { PathError } from "./error.ts";

export interface OwnAddress {
  readonly device: string;
  readonly address: Address;
  /** Bits of its network. */
  readonly prefix: number;
}

/** How packets get somewhere. */
export interface Way {
  readonly device: string;
  /** There by this router; null: directly. */
  readonly gateway: string | null;
  /** The host's own address on that way. */
  readonly source: string | null;
  /** It is an address of the host itself. */
  readonly local: boolean;
}

export interface Surroundings {
  readonly addresses: readonly OwnAddress[];
  /** Bytes of the largest packet, by device. */
  readonly mtus: ReadonlyMap<string, number>;
  /** null: there is none. */
  wayTo(address: Address): Way | null;
  /** A setting below /proc/sys; null: there is none of that name. */
  setting(path: string): string | null;
  /** Whether nftables would take that script. */
  nftTakes(script: string): boolean;
}

export const SETTINGS = "/proc/sys";

/** Throws a PathError. */
export function lookAround(): Surroundings {
  const links = ip(["-json", "address", "show"]) as readonly Link[];
  return {
    addresses: links.flatMap(({ ifname: device, addr_info }) =>
      addr_info.flatMap(({ local, prefixlen: prefix }): OwnAddress[] => {
        const address = Address.parse(local ?? "");
        return address === null ? [] : [{ device, address, prefix }];
      }),
    ),
    mtus: new Map(links.map(({ ifname, mtu }) => [ifname, mtu])),
    wayTo,
    setting: settingOf,
    nftTakes: (script) => spawnSync("nft", ["--check", script]).status === 0,
  };
}

export function settingOf(path: string): string | null {
  try {
    return readFileSync(join(SETTINGS, path), "latin1").trim();
  } catch {
    return null;
  }
}

interface Link {
  readonly ifname: string;
  readonly mtu: number;
  readonly addr_info: readonly { readonly local?: string; readonly prefixlen: number }[];
}

interface Route {
  readonly type?: string;
  readonly dev: string;
  readonly gateway?: string;
  readonly prefsrc?: string;
}

function wayTo(address: Address): Way | null {
  const family = address.family === 6 ? ["-6"] : [];
  const { status, stdout } = spawnSync("ip", [...family, "-json", "route", "get", address.toString()]);
  if (status !== 0) return null;
  const [route] = JSON.parse(stdout.toString()) as readonly Route[];
  if (route === undefined) return null;
  const { dev: device, gateway = null, prefsrc: source = null, type } = route;
  return { device, gateway, source, local: type === "local" };
}

function ip(command: readonly string[]): unknown {
  const { status, stdout, stderr, error } = spawnSync("ip", command);
  if (error !== undefined) throw new PathError("ip(8) cannot be run", "install iproute2");
  if (status !== 0) throw new PathError(`ip ${command.join(" ")}: ${stderr.toString().trim()}`, "nothing was changed");
  return JSON.parse(stdout.toString());
}
