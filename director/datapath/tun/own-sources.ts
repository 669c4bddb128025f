/**
 * nftables in the kernel's place: what comes in by these devices and claims to be from this host itself is dropped, of a
 * connection's first packet and of what is not translated by us, so that the kernel need not look up every source
 * (`accept_local`). Should somebody flush the ruleset, the kernel has to again.
 */
import type { Change } from "./change.ts";
import type { Nft } from "./nft.ts";
import { addEntrances, ENTRANCES, SOURCES, TABLE } from "./service-rules.ts";

/** What has a route already came by no wire: multicast and broadcast of the host's own, which it hears itself (ip_mc_output). */
const LOOPED = "meta nfproto ipv4 rt ip nexthop != 0.0.0.0 return";
const LOCAL_SOURCE = "meta nfproto ipv4 fib saddr type local drop";
const SETTING = /^net\/ipv4\/conf\/([^/]+)\/accept_local$/;

const entrance = (device: string): string => `element ${TABLE} ${ENTRANCES} { "${device}" }`;

const dropped = (device: string) => ({
  nft: `add table ${TABLE}; add chain ${TABLE} ${SOURCES}; flush chain ${TABLE} ${SOURCES}; add rule ${TABLE} ${SOURCES} ${LOOPED}; add rule ${TABLE} ${SOURCES} ${LOCAL_SOURCE}; ${addEntrances}; add ${entrance(device)}`,
  undo: `delete ${entrance(device)}`,
});

/** The drop comes before the kernel is told to let it in. */
export const sourcesAsked = (device: string) =>
  [dropped(device), { setting: `net/ipv4/conf/${device}/accept_local`, value: "1" }] as const;

/** For `nft --check`: whether nftables has what that needs. */
export const sourcesCheck = `add table inet kindred-check; add chain inet kindred-check sources; add rule inet kindred-check sources ${LOOPED}; add rule inet kindred-check sources ${LOCAL_SOURCE}`;

/** Whether `change` is of these, for a device that is none of `own`: those let the host's own addresses in anyway. */
export function asksSources(change: Change, own: ReadonlyMap<string, unknown>): boolean {
  if ("nft" in change) return change.undo.startsWith(`delete element ${TABLE} ${ENTRANCES} `);
  const device = "setting" in change ? SETTING.exec(change.setting)?.[1] : undefined;
  return device !== undefined && !own.has(device);
}

/** Whether nftables still does it. */
export async function areSourcesAsked(nft: Nft): Promise<boolean> {
  const told = await nft(["list", "chain", ...TABLE.split(" "), SOURCES]);
  return "printed" in told && told.printed.includes("fib saddr type local drop");
}
