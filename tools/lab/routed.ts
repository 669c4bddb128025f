/**
 * The farm of the packet path. The VIP is an address of nobody; the realservers' default gateway is the director, so that
 * they can be shown their clients' own addresses:
 *
 *   client ── front ─ director ─ back ── realserver     default via director
 *
 * A client still has no route to a realserver.
 */
import type { Sandbox } from "./sandbox.ts";
import { type Family, type Farm, layOut } from "./topology.ts";

export async function makeRoutedFarm(
  sandbox: Sandbox,
  family: Family,
  clients: number,
  realservers: number,
): Promise<Farm> {
  const farm = await layOut(sandbox, family, clients, realservers, false);
  const { director } = farm;
  for (const { must } of farm.realservers) {
    await must(["ip", family === 6 ? "-6" : "-4", "route", "add", "default", "via", director.address]);
  }
  return farm;
}
