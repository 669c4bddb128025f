/** What a realserver needs, for each way that connections get to it. */
import type { Address } from "../../core/wire/address.ts";
import { type Farm, families, gatewayFor, type Real } from "./farm.ts";
import { keyword } from "./nft.ts";
import {
  address,
  BY_DIRECTOR,
  type Change,
  chain,
  device,
  deviceUp,
  NEIGHBOURS,
  nftTable,
  route,
  rule,
  type Step,
  single,
  sysctl,
  TO_PROXIES,
  tableOf,
} from "./step.ts";

export function realserverSteps(real: Real, farm: Farm): Step[] {
  const host = String(real.address);
  const named = (why: string, change: Change): Step => ({ host, why, ...change });
  switch (real.method) {
    case "nat":
      return throughDirector(real.address.family, farm, named);
    case "dr":
      return [...acceptVips(real, farm, named), ...repliesOf(real, farm, named)];
    case "tunnel":
      return [...decapsulate(real, named), ...acceptVips(real, farm, named), ...repliesOf(real, farm, named)];
  }
}

type Named = (why: string, change: Change) => Step;

/**
 * The director as the default gateway. The host's own default route stays, and waits: taking this back takes nothing
 * else. Not for the service's address alone: a datagram's source is chosen only after its route.
 */
function throughDirector(family: 4 | 6, farm: Farm, named: Named): Step[] {
  const gateway = gatewayFor(farm, family);
  if (gateway === null) return [];
  const near = ["lookup", "main", "suppress_prefixlength", "0"];
  return [
    ...(farm.wish.oneNetwork ? [] : [named("neighbours are reached as before", rule(family, NEIGHBOURS, ...near))]),
    named(
      "what leaves for others goes by the director, who puts the VIP into it",
      route(family, ["default"], ["via", String(gateway)], BY_DIRECTOR),
    ),
    named("so the host's own default route waits", rule(family, BY_DIRECTOR, "lookup", String(BY_DIRECTOR))),
  ];
}

const repliesOf = ({ vips }: Real, farm: Farm, named: Named): Step[] =>
  farm.wish.replies === "direct" ? [] : families(vips).flatMap((family) => throughDirector(family, farm, named));

/** Takes connections to the VIPs as its own, and tells nobody on the network that it has them. */
function acceptVips(real: Real, farm: Farm, named: Named): Step[] {
  const { vips } = real;
  switch (farm.wish.accept) {
    case "lo":
      return [
        ...silence(vips, named),
        ...vips.map((vip) => named(`connections to ${vip} are this host's own`, address(vip, "lo"))),
      ];
    case "route":
      return [
        ...silence(vips, named),
        ...vips.map((vip) =>
          named(
            `connections to ${vip} are this host's own, though no device has it`,
            route(vip.family, ["local", single(vip)], ["dev", "lo"], "local"),
          ),
        ),
      ];
    case "redirect":
      return [named(`what comes for ${vips.join(", ")} is given to this host's own sockets`, redirect(real))];
    case "tproxy":
      return transparentProxy(real, named);
  }
}

/** First of all: an address that is there before is answered for in the meantime. IPv6 answers for no address of lo. */
function silence(vips: readonly Address[], named: Named): Step[] {
  if (!vips.some(({ family }) => family === 4)) return [];
  return [
    named(
      "ARP is answered only for addresses of the device that was asked: never for the VIP",
      sysctl("net.ipv4.conf.all.arp_ignore", 1),
    ),
    named(
      "ARP requests name an address of their own device, never the VIP",
      sysctl("net.ipv4.conf.all.arp_announce", 2),
    ),
  ];
}

const REDIRECTED = "meta l4proto { tcp, udp }";

const redirect = ({ address: own, vips }: Real): Change =>
  nftTable(tableOf("kindred_accept", own), [
    chain(
      "prerouting",
      "type nat hook prerouting priority dstnat",
      vips.map((vip) => `${keyword(vip)} daddr ${vip} ${REDIRECTED} redirect`),
    ),
  ]);

function transparentProxy({ address: own, vips }: Real, named: Named): Step[] {
  const mark = TO_PROXIES;
  const marked = vips.map(
    (vip) =>
      `${keyword(vip)} daddr ${vip} ${REDIRECTED} meta mark set ${mark} tproxy ${keyword(vip)} to ${own.family === 6 ? `[${own}]` : own} accept`,
  );
  return [
    named(
      `what comes for ${vips.join(", ")} goes to sockets with IP_TRANSPARENT`,
      nftTable(tableOf("kindred_accept", own), [
        chain("prerouting", "type filter hook prerouting priority mangle", marked),
      ]),
    ),
    ...families(vips).flatMap((family) => [
      named("what is marked is this host's own", route(family, ["local", "default"], ["dev", "lo"], mark)),
      named("what is marked looks there", rule(family, mark, "fwmark", String(mark), "lookup", String(mark))),
    ]),
  ];
}

/** Names are the kernel's own kinds; one device takes packets from every director. */
const TUNNELS = {
  4: { name: "kindred-ipip", kind: ["type", "ipip"] },
  6: { name: "kindred-ip6", kind: ["type", "ip6tnl", "mode", "any"] },
} as const;

function decapsulate({ address: own, vips }: Real, named: Named): Step[] {
  const { name, kind } = TUNNELS[own.family];
  const steps = [
    named(
      "takes packets for the VIP out of those that the director sends",
      device(name, [...kind, "local", String(own), ...(own.family === 6 ? ["remote", "::"] : [])]),
    ),
    named("which it does when it is up", deviceUp(name)),
  ];
  if (vips.some(({ family }) => family === 4)) {
    steps.push(
      named(
        "clients come in by the tunnel and are answered by another device: that is no forgery here",
        sysctl(`net.ipv4.conf.${name}.rp_filter`, 2),
      ),
    );
  }
  steps.push(named("clients send segments that fit into the tunnel", clampSegments(own, vips)));
  return steps;
}

const ETHERNET = 1500;

/** What a client may put into one segment, so that it fits an MTU of 1500 with the outer header. */
function clampSegments(own: Address, vips: readonly Address[]): Change {
  const outer = own.family === 4 ? 20 : 40;
  const rules = vips.map((vip) => {
    const most = ETHERNET - outer - (vip.family === 4 ? 40 : 60);
    return `${keyword(vip)} saddr ${vip} tcp flags & (syn | rst) == syn tcp option maxseg size set ${most}`;
  });
  return nftTable(tableOf("kindred_tunnel", own), [chain("output", "type filter hook output priority mangle", rules)]);
}
