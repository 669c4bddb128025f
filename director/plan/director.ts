/** What the director needs so that packets come to it, and may leave it again. */
import { type Farm, families } from "./farm.ts";
import { address, type Change, DIRECTOR, deviceSetting, proxy, type Step, sysctl } from "./step.ts";

export const atDirector = (why: string, change: Change): Step => ({ host: DIRECTOR, why, ...change });

export function forwarding({ vips, wish: { front } }: Farm): Step[] {
  return families(vips).flatMap((family) =>
    family === 4
      ? [
          atDirector("packets of others pass through", sysctl("net.ipv4.ip_forward", 1)),
          atDirector(
            "a packet may come in where its reply would not leave (2: some device must lead to its sender)",
            sysctl("net.ipv4.conf.all.rp_filter", 2),
          ),
          ...["all", ...(front === null ? [] : [front])].map((device) =>
            atDirector(
              "nobody is told of a way around the director, though both ends are on one network",
              sysctl(deviceSetting(4, device, "send_redirects"), 0),
            ),
          ),
        ]
      : [atDirector("packets of others pass through", sysctl("net.ipv6.conf.all.forwarding", 1))],
  );
}

/** Clients' packets for the VIP come here. */
export function attract({ vips, wish: { front } }: Farm, where: "director" | "nowhere"): Step[] {
  if (where === "director") {
    return vips.map((vip) => atDirector(`${vip} is an address of the director`, address(vip, front ?? "lo")));
  }
  if (front === null) return [];
  return vips.flatMap((vip) => [
    ...(vip.family === 4
      ? []
      : [atDirector("questions of neighbours are heard", sysctl(deviceSetting(6, front, "proxy_ndp"), 1))]),
    atDirector(`the director answers for ${vip}, which is nobody's address`, proxy(vip, front)),
  ]);
}
