/** Hosts on which nothing is wrong, and what may be changed of them. */

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Address } from "../../../core/wire/address.ts";
import { parseConfig } from "../../../director/config.ts";
import { findingsOf } from "../../../director/doctor/checks/index.ts";
import type { Device, Facts } from "../../../director/doctor/facts.ts";
import { type Scene, servedBy, servicesOf } from "../../../director/doctor/scene.ts";
import { ROOT } from "../../root.ts";

export const RULESET = readFileSync(resolve(ROOT, "fixtures/doctor/ruleset.json"), "utf8");

const device = (name: string, index: number, addresses: readonly string[], type = "ether"): Device => ({
  name,
  index,
  up: true,
  arp: type === "ether",
  mtu: 1500,
  type,
  hardware: type === "ether" ? `02:00:00:00:00:0${index}` : "",
  master: null,
  addresses,
});

export const lo = (...addresses: readonly string[]): Device =>
  device("lo", 1, ["127.0.0.1", "::1", ...addresses], "loopback");
export const eth0 = (...addresses: readonly string[]): Device => device("eth0", 2, addresses);
export const eth1 = (...addresses: readonly string[]): Device => device("eth1", 3, addresses);
export const tunnel = (): Device => device("kindred-ipip", 4, [], "ipip");

const FACTS: Facts = {
  devices: [lo(), eth0("203.0.113.1"), eth1("192.168.0.1")],
  settings: new Map([
    ["net.ipv4.ip_forward", 1],
    ["net.ipv6.conf.all.forwarding", 1],
  ]),
  ways: new Map(),
  localRoutes: [],
  chains: [],
  translated: new Map(),
  answers: new Map(),
  privileges: { netAdmin: true, bindService: true, firstFreePort: 1024, tun: true },
  unseen: [],
};

export interface Changes {
  readonly yaml?: string;
  readonly facts?: Partial<Facts>;
  readonly settings?: Readonly<Record<string, number>>;
  readonly gateway?: string;
  readonly scene?: Partial<Scene>;
}

const WEB = `services:
  - { name: web, vip: 203.0.113.10, ports: [tcp/80], realservers: [{ address: 192.168.0.2 }] }`;

/** By default the director of one service on the packet path. */
export function sceneOf({ yaml = WEB, facts = {}, settings = {}, gateway, scene = {} }: Changes): Scene {
  const path = scene.path ?? "tun";
  const services = servicesOf(parseConfig(yaml, "kindred.yaml", { path }));
  return {
    role: "director",
    path,
    services,
    own: scene.role === "realserver" ? servedBy(services).slice(0, 1) : [],
    gateways: gateway === undefined ? [] : [Address.parse(gateway)!],
    facts: { ...FACTS, ...facts, settings: new Map([...FACTS.settings, ...Object.entries(settings)]) },
    captured: [],
    ...scene,
  };
}

/** The codes of what is found. */
export const codes = (changes: Changes): string[] => findingsOf(sceneOf(changes)).map(({ code }) => code);
