/** All that a check may look at. */
import type { Address } from "../../core/wire/address.ts";
import type { Config, RealserverConfig, ServiceConfig } from "../config/types.ts";
import type { CaptureFinding } from "./capture.ts";
import type { Facts } from "./facts.ts";
import type { Finding } from "./finding.ts";

export type Role = "director" | "realserver" | "client";

export interface Scene {
  readonly role: Role;
  readonly path: "socket" | "tun";
  readonly services: readonly ServiceConfig[];
  /** Those that this host is; empty unless it is a realserver. */
  readonly own: readonly Served[];
  /** The director's address towards the realservers, where it was told. */
  readonly gateways: readonly Address[];
  readonly facts: Facts;
  readonly captured: readonly CaptureFinding[];
}

export interface Served {
  readonly realserver: RealserverConfig;
  readonly service: ServiceConfig;
}

export type Check = (scene: Scene) => Iterable<Finding>;

export const servicesOf = ({ services, groups }: Config): ServiceConfig[] => [...services, ...groups];

export const servedBy = (services: readonly ServiceConfig[]): Served[] =>
  services.flatMap((service) => service.realservers.map((realserver) => ({ realserver, service })));

export const vipsOf = (services: readonly ServiceConfig[]): Address[] => {
  const vips = services.map(({ vip }) => vip);
  return vips.filter((vip, i) => vips.findIndex((other) => other.equals(vip)) === i);
};

/** An address that stands for any client: of TEST-NET-1 (RFC 5737), of the documentation prefix (RFC 3849). */
export const ANY_CLIENT = { 4: "192.0.2.1", 6: "2001:db8::1" } as const;
