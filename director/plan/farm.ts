/** A configuration as a plan sees it: who serves which VIP, and how. */
import type { Address } from "../../core/wire/address.ts";
import type { Config, RealserverConfig, ServiceConfig } from "../config/types.ts";
import type { Wish } from "./wish.ts";

export interface Real {
  readonly address: Address;
  /** How connections get to it. */
  readonly method: RealserverConfig["method"];
  /** Those that it serves, each once. */
  readonly vips: readonly Address[];
}

export interface Farm {
  /** Services and groups, in the order of the configuration. */
  readonly services: readonly ServiceConfig[];
  readonly vips: readonly Address[];
  /** Each address once for each method. */
  readonly reals: readonly Real[];
  readonly wish: Wish;
}

export function farmOf(config: Config, wish: Wish): Farm {
  const services = [...config.services, ...config.groups];
  const reals = new Map<string, { address: Address; method: Real["method"]; vips: Address[] }>();
  for (const { vip, realservers } of services) {
    for (const realserver of realservers) {
      const method = methodOf(realserver, wish);
      const key = `${realserver.address} ${method}`;
      const real = reals.get(key) ?? { address: realserver.address, method, vips: [] };
      if (!real.vips.some((other) => other.equals(vip))) real.vips.push(vip);
      reals.set(key, real);
    }
  }
  return { services, vips: unique(services.map(({ vip }) => vip)), reals: [...reals.values()], wish };
}

function methodOf({ method }: RealserverConfig, { topology }: Wish): Real["method"] {
  switch (topology) {
    case null:
      return method;
    case "dr":
    case "tunnel":
      return topology;
    case "lvc-dr":
      return "dr";
    default:
      return "nat";
  }
}

const unique = (addresses: readonly Address[]): Address[] =>
  addresses.filter((one, i) => addresses.findIndex((other) => other.equals(one)) === i);

export const families = (addresses: readonly Address[]): (4 | 6)[] =>
  ([4, 6] as const).filter((family) => addresses.some((one) => one.family === family));

/** The director's address that a realserver of that family can send to. */
export const gatewayFor = ({ wish }: Farm, family: 4 | 6): Address | null =>
  wish.gateways.find((gateway) => gateway.family === family) ?? null;
