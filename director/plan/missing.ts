/** What a topology must be told, and was not. */
import { type Farm, families, gatewayFor } from "./farm.ts";
import type { Topology } from "./wish.ts";

export const isQueues = (topology: Topology | null): boolean => topology === "lvc-bandwidth" || topology === "lvc-tos";

/** `kindred run` does the work, not the kernel. */
const isKindreds = (topology: Topology | null): boolean => topology === null || !topology.startsWith("lvc-");

/** A sentence with its remedy each. */
export const missing = (farm: Farm): string[] => [...devices(farm), ...gateways(farm), ...misplaced(farm)];

function devices(farm: Farm): string[] {
  const { topology, front, rate, shares } = farm.wish;
  const problems: string[] = [];
  if (front === null && needFront(farm)) {
    problems.push("--front is missing: the director's device towards the clients, as in --front eth0");
  }
  if (isQueues(topology) && rate === null) {
    problems.push("--rate is missing: what that device can send, as in --rate 100mbit");
  }
  if (topology === "lvc-bandwidth" && shares.size === 0) {
    problems.push("--share is missing: the percentage of a service, as in --share web=70 --share mail=30");
  }
  return problems;
}

function needFront({ vips, wish: { topology, vip } }: Farm): boolean {
  if (isQueues(topology) || topology === "lvc-dr") return true;
  // An IPv6 host answers its neighbours only for addresses of the device that was asked.
  if (vips.some(({ family }) => family === 6)) return true;
  return isKindreds(topology) ? vip !== "director" : vip === "nowhere";
}

function gateways(farm: Farm): string[] {
  if (!needGateway(farm)) return [];
  const without = families(farm.vips).filter((family) => gatewayFor(farm, family) === null);
  return without.map((family) => {
    const example = family === 4 ? "192.168.0.1" : "fd00::1";
    return `--gateway is missing: the director's IPv${family} address towards the realservers, as in --gateway ${example}`;
  });
}

function needGateway({ wish: { topology, vip, replies }, reals }: Farm): boolean {
  if (topology === "lvc-gateway" || topology === "lvc-snat") return true;
  if (topology === "lvc-rr" || isQueues(topology) || vip === "director") return false;
  return replies === "director" || reals.some(({ method }) => method === "nat");
}

function misplaced({ wish: { topology, vip }, reals }: Farm): string[] {
  if (vip !== "director") return [];
  if (topology === "lvc-dr") return ["lvc-dr: the director must not have the VIP; leave out --vip"];
  if (!isKindreds(topology) || reals.every(({ method }) => method === "nat")) return [];
  return ["direct routing and tunnelling need the packet path, and that a director without the VIP; leave out --vip"];
}

/** The kernel, like the packet engine, translates within one family. */
export function foreign({ services, wish: { topology, vip: where } }: Farm): string[] {
  if (isQueues(topology) || (where === "director" && isKindreds(topology))) return [];
  return services.flatMap(({ name, vip, realservers }) =>
    realservers
      .filter(({ address }) => address.family !== vip.family)
      .map(({ address }) => {
        const what = `${name}: ${address} is IPv${address.family}, the VIP IPv${vip.family}`;
        return `${what}; only the socket path translates between them (--vip director)`;
      }),
  );
}
