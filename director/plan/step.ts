/**
 * One change of one host as data: what makes it, what takes it back, and how to see that it is there. Nothing here runs
 * anything; `text.ts` prints steps, `apply.ts` runs them.
 */
import type { Address } from "../../core/wire/address.ts";

export interface Command {
  /** The program and its arguments, each as it is: no shell reads them. */
  readonly argv: readonly string[];
  /** What it reads on standard input. */
  readonly input?: string;
}

/** It is there when the command succeeds and prints `shows`; the empty text: anything at all. */
export interface Check {
  readonly argv: readonly string[];
  readonly shows: string;
}

export interface Change {
  readonly run: Command;
  /** null: it goes with another step's, or what was there before comes back, as `keeps` says. */
  readonly undo: Command | null;
  readonly check: Check;
  /** A kernel setting whose value before is recorded, and put back when the step is undone. */
  readonly keeps?: string;
  /** Made anew even where it seems to be there: the check sees that it is there, not what is in it. */
  readonly replaces?: true;
}

/** `director`, or the address of a realserver. */
export type HostName = string;
export const DIRECTOR: HostName = "director";

export interface Step extends Change {
  readonly host: HostName;
  /** What it is for, in a sentence without its full stop. */
  readonly why: string;
}

/** Priorities of our rules, with tables of routes and marks of the same number; others are left alone. */
export const TO_PROXIES = 7780;
export const NEIGHBOURS = 7781;
export const BY_DIRECTOR = 7782;
/** The first realserver's; the others' follow. */
export const TO_REALSERVERS = 7790;

const ip = (family: 4 | 6, ...rest: readonly string[]): string[] =>
  family === 6 ? ["ip", "-6", ...rest] : ["ip", ...rest];

/** `192.0.2.1/32`. */
export const single = (address: Address): string => `${address}/${address.family === 4 ? 32 : 128}`;

export function sysctl(key: string, value: number): Change {
  return {
    run: { argv: ["sysctl", "-q", "-w", `${key}=${value}`] },
    undo: null,
    check: { argv: ["sysctl", key], shows: `${key} = ${value}` },
    keeps: key,
  };
}

/** A device's setting. sysctl(8) reads the dot of `eth0.100` as one of its own, a slash in its place as a dot. */
export const deviceSetting = (family: 4 | 6, device: string, name: string): string =>
  `net.ipv${family}.conf.${device.replaceAll(".", "/")}.${name}`;

/** An address of its own, on `device`. `nodad`: the others that have it would be found by duplicate address detection. */
export function address(at: Address, device: string): Change {
  const nodad = at.family === 6 ? ["nodad"] : [];
  return {
    run: { argv: ["ip", "address", "replace", single(at), "dev", device, ...nodad] },
    undo: { argv: ["ip", "address", "del", single(at), "dev", device] },
    check: { argv: ["ip", "-o", "address", "show", "dev", device, "to", single(at)], shows: `${at}/` },
  };
}

/** `to`: a prefix, `default`. `where`: `via 192.0.2.1`, `dev lo`. */
export function route(
  family: 4 | 6,
  to: readonly string[],
  where: readonly string[],
  table: number | "local" | "main",
): Change {
  const inTable = ["table", String(table)];
  const prefix = to.at(-1)!;
  return {
    run: { argv: ip(family, "route", "replace", ...to, ...where, ...inTable) },
    undo: { argv: ip(family, "route", "del", ...to, ...where, ...inTable) },
    check: { argv: ip(family, "route", "show", prefix, ...inTable), shows: where.join(" ") },
  };
}

/** One rule for each priority: that is how it is found again. */
export function rule(family: 4 | 6, priority: number, ...selector: readonly string[]): Change {
  const at = ["priority", String(priority)];
  return {
    run: { argv: ip(family, "rule", "add", ...at, ...selector) },
    undo: { argv: ip(family, "rule", "del", ...at) },
    check: { argv: ip(family, "rule", "show", ...at), shows: selectorShown(selector) },
  };
}

/** iproute2 shows marks as hexadecimal numbers, and `from all` before them. */
const selectorShown = (selector: readonly string[]): string =>
  selector.map((word, i) => (selector[i - 1] === "fwmark" ? `0x${Number(word).toString(16)}` : word)).join(" ");

/** Answers for `at` on `device`, though nobody here has it. */
export function proxy(at: Address, device: string): Change {
  return {
    run: { argv: ip(at.family, "neigh", "replace", "proxy", String(at), "dev", device) },
    undo: { argv: ip(at.family, "neigh", "del", "proxy", String(at), "dev", device) },
    check: { argv: ip(at.family, "neigh", "show", "proxy", "dev", device), shows: `${at} ` },
  };
}

/** A whole table of nftables, put in the place of an earlier one of that name in one transaction. */
export function nftTable(name: string, chains: readonly string[]): Change {
  const table = `table inet ${name}`;
  const gone = `${table}\ndelete ${table}\n`;
  const body = chains.map((chain) => chain.replace(/^/gm, "  ")).join("\n");
  return {
    run: { argv: ["nft", "-f", "-"], input: `${gone}${table} {\n${body}\n}\n` },
    undo: { argv: ["nft", "-f", "-"], input: gone },
    check: { argv: ["nft", "list", "table", "inet", name], shows: table },
    replaces: true,
  };
}

/** A table's name on a realserver: a host may be several of them, each with a table of its own. */
export const tableOf = (name: string, real: Address): string => `${name}_${String(real).replaceAll(":", "_")}`;

/** A chain's text; `hook` as in nft(8): `type nat hook prerouting priority dstnat`. */
export const chain = (name: string, hook: string, rules: readonly string[]): string =>
  [`chain ${name} {`, `  ${hook}; policy accept;`, ...rules.map((line) => `  ${line}`), "}"].join("\n");

/** A device of the kernel's; what it is made from is `kind`. */
export function device(name: string, kind: readonly string[]): Change {
  return {
    run: { argv: ["ip", "link", "add", "name", name, ...kind] },
    undo: { argv: ["ip", "link", "del", "dev", name] },
    check: { argv: ["ip", "link", "show", "dev", name], shows: name },
  };
}

export function deviceUp(name: string): Change {
  return {
    run: { argv: ["ip", "link", "set", "dev", name, "up"] },
    undo: null,
    check: { argv: ["ip", "link", "show", "dev", name, "up"], shows: name },
  };
}

/** The root of a device's queues; what hangs below it goes with it. */
export function rootQueue(on: string, kind: readonly string[]): Change {
  return {
    run: { argv: ["tc", "qdisc", "add", "dev", on, "root", "handle", "1:", ...kind] },
    undo: { argv: ["tc", "qdisc", "del", "dev", on, "root"] },
    check: { argv: ["tc", "qdisc", "show", "dev", on, "root"], shows: `qdisc ${kind[0]} 1:` },
    replaces: true,
  };
}

export function queueClass(on: string, parent: string, id: string, kind: readonly string[]): Change {
  return {
    run: { argv: ["tc", "class", "add", "dev", on, "parent", parent, "classid", id, ...kind] },
    undo: null,
    check: { argv: ["tc", "class", "show", "dev", on, "classid", id], shows: `class ${kind[0]} ${id} ` },
    replaces: true,
  };
}
