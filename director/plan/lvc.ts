/**
 * A virtual cluster of nothing but the kernel's own means: nftables chooses the realserver, and the reply finds its way
 * in one of four manners.
 *
 *   lvc-rr        client -> VIP => director -> real;  real -> director => VIP -> client     (conntrack, source NAT too)
 *   lvc-gateway   client -> VIP => client -> real;    real -> client => VIP -> client       (conntrack at the gateway)
 *   lvc-snat      client -> VIP => client -> real;    real: itself => VIP -> client         (no state anywhere)
 *   lvc-dr        client -> VIP -> real, unchanged;   VIP -> client                         (no state anywhere)
 */
import type { Address } from "../../core/wire/address.ts";
import type { RealserverConfig } from "../config/types.ts";
import { atDirector, attract, forwarding } from "./director.ts";
import { type Farm, gatewayFor } from "./farm.ts";
import { chosen, commonPort, forVip, mappedPort, type Part, partsOf, portsThere, takers } from "./lvc-parts.ts";
import { keyword, portsText } from "./nft.ts";
import { realserverSteps } from "./realserver.ts";
import { chain, nftTable, route, rule, type Step, single, TO_REALSERVERS, tableOf } from "./step.ts";

const TABLE = "kindred_lvc";

const servable = (farm: Farm): Part[] => partsOf(farm).filter(({ service }) => takers(service).length > 0);

/** `lvc-rr` and `lvc-gateway`: the first packet is translated by rule, all others of its connection as that was. */
export function lvcNat(farm: Farm): Step[] {
  const masquerade = farm.wish.topology === "lvc-rr";
  const chains = [chain("prerouting", "type nat hook prerouting priority dstnat", servable(farm).map(translation))];
  if (masquerade) {
    const hidden = farm.vips.map((vip) => `ct status dnat ct original ${keyword(vip)} daddr ${vip} masquerade`);
    chains.push(chain("postrouting", "type nat hook postrouting priority srcnat", hidden));
  }
  const why = masquerade
    ? "a realserver for each connection in turn, which sees the director as its client"
    : "a realserver for each connection in turn, which sees the client";
  return [
    ...forwarding(farm),
    ...attract(farm, farm.wish.vip ?? "director"),
    atDirector(why, nftTable(TABLE, chains)),
    ...(masquerade ? [] : farm.reals.flatMap((real) => realserverSteps(real, farm))),
  ];
}

function translation(part: Part): string {
  const to = `${forVip(part)} dnat ${keyword(part.service.vip)} to`;
  if (!part.mapped) return `${to} ${chosen(part, "in-turn", ({ address }) => String(address))}`;
  const { first } = part.ports.ranges[0]!;
  const alone = takers(part.service).length === 1;
  const end = ({ address, port }: RealserverConfig): string =>
    alone ? `${bracketed(address)}:${port ?? first}` : `${address} . ${port ?? first}`;
  return `${to} ${chosen(part, "in-turn", end)}`;
}

const bracketed = (address: Address): string => (address.family === 6 ? `[${address}]` : String(address));

/** Address and port are written into each packet, and the checksums with them. */
export function lvcSnat(farm: Farm): Step[] {
  const rules = servable(farm).map((part) => {
    const there = portsThere(part);
    const port = there === portsText(part.ports) ? "" : ` ${part.ports.transport} dport set ${there}`;
    const real = chosen(part, "by-connection", ({ address }) => String(address));
    return `${forVip(part)} notrack ${keyword(part.service.vip)} daddr set ${real}${port}`;
  });
  return [
    ...forwarding(farm),
    ...attract(farm, farm.wish.vip ?? "director"),
    atDirector(
      "a realserver by the client's address and port, without an entry for the connection",
      nftTable(TABLE, [chain("prerouting", "type filter hook prerouting priority raw", rules)]),
    ),
    ...farm.reals.map(({ address }) => ({
      host: String(address),
      why: "replies leave as the VIP's, by any way; the director's own health checks are answered as they came",
      ...nftTable(tableOf(TABLE, address), restoring(address, farm)),
    })),
  ];
}

function restoring(own: Address, farm: Farm): string[] {
  const ip = keyword(own);
  const gateway = gatewayFor(farm, own.family);
  const to = gateway === null ? "" : ` ${ip} daddr != ${gateway}`;
  const mine = partsOf(farm).filter(({ service }) => service.realservers.some(({ address }) => address.equals(own)));
  const asked = (part: Part): string => `${ip} daddr ${own} ${part.ports.transport} dport ${portsThere(part)}`;
  const answered = (part: Part): string => `${ip} saddr ${own}${to} ${part.ports.transport} sport ${portsThere(part)}`;
  const restored = (part: Part): string => {
    const port = portsText(part.ports);
    const back = portsThere(part) === port ? "" : ` ${part.ports.transport} sport set ${port}`;
    return `${answered(part)}${back} ${ip} saddr set ${part.service.vip}`;
  };
  const hook = (name: string, priority: string): string => `type filter hook ${name} priority ${priority}`;
  return [
    chain(
      "prerouting",
      hook("prerouting", "raw"),
      mine.map((part) => `${asked(part)} notrack`),
    ),
    chain(
      "output",
      hook("output", "raw"),
      mine.map((part) => `${answered(part)} notrack`),
    ),
    chain("postrouting", hook("postrouting", "mangle"), mine.map(restored)),
  ];
}

/** A table of routes for each realserver, and a mark that leads to it. */
export function lvcDr(farm: Farm): Step[] {
  const marks = new Map(farm.reals.map(({ address }, i) => [String(address), TO_REALSERVERS + i]));
  const markOf = ({ address }: { address: Address }): number => marks.get(String(address))!;
  const ways = farm.reals.flatMap(({ address }) => {
    const { family } = address;
    const mark = markOf({ address });
    const to = ["via", String(address)];
    return [
      atDirector(`${address} gets packets as they are`, route(family, ["default"], to, mark)),
      atDirector(`those with its mark`, rule(family, mark, "fwmark", String(mark), "lookup", String(mark))),
    ];
  });
  const rules = servable(farm).map(
    (part) => `${forVip(part)} notrack meta mark set ${chosen(part, "by-connection", (real) => String(markOf(real)))}`,
  );
  const beyond = farm.vips.map((vip) => {
    const { address } = farm.reals.find((real) => real.vips.some((one) => one.equals(vip)))!;
    const why = `${vip} is beyond the director, so it answers for it; what has no mark goes to the first`;
    return atDirector(why, route(vip.family, [single(vip)], ["via", String(address)], "main"));
  });
  return [
    ...forwarding(farm),
    ...beyond,
    ...attract(farm, "nowhere"),
    ...ways,
    atDirector(
      "a mark, and so a realserver, by the client's address and port",
      nftTable(TABLE, [chain("prerouting", "type filter hook prerouting priority raw", rules)]),
    ),
    ...farm.reals.flatMap((real) => realserverSteps(real, farm)),
  ];
}

/** What these means cannot do with a service, a sentence each. */
export function lvcProblems({ services, wish: { topology } }: Farm): string[] {
  const stateless = topology === "lvc-snat" || topology === "lvc-dr";
  return services.flatMap((service) => {
    const { name, realservers } = service;
    const mapped = mappedPort(service);
    if (!stateless || mapped === null) return [];
    if (new Set(realservers.map(({ port }) => port ?? mapped)).size > 1) {
      return [`${name}: its realservers have different ports; with ${topology} give all the same`];
    }
    if (topology !== "lvc-dr" || commonPort(service) === mapped) return [];
    return [`${name}: direct routing cannot change port ${mapped}; remove "port"`];
  });
}
