/**
 * A farm whose realservers know a way to the clients that does not lead through the director: their default route. Who
 * wants their replies elsewhere, or unseen by it, must say so to them.
 *
 *   client ── front ─ director ─ back ── realserver      default via gate
 *               └────── gate ──────┘
 *
 * The VIP is an address of nobody, in the clients' network.
 */
import type { Sandbox } from "./sandbox.ts";
import { addAddress, type Family, type Ground, type Host, layOut, makeNamespace, plug } from "./topology.ts";

export interface TwoWays extends Ground {
  readonly gate: Host;
  /** The director's devices. */
  readonly front: string;
  readonly back: string;
}

const GATE = 254;

export async function makeTwoWays(sandbox: Sandbox, family: Family, realservers: number): Promise<TwoWays> {
  const farm = await layOut(sandbox, family, 1, realservers, false);
  const [client] = farm.clients;
  const outside = client!.address.slice(0, -1);
  const name = await makeNamespace(sandbox, farm.director.name.replace("director", "gate"));
  const gate = await plug(sandbox, name, farm.director.name, "back", `${farm.hidden}${GATE}`, family);
  const link = ["ip", "-n", name, "link"];
  const peer = ["peer", "name", "to-gate-front", "netns", farm.director.name];
  await gate.must([...link, "add", "eth1", "type", "veth", ...peer]);
  await farm.director.must(["ip", "link", "set", "to-gate-front", "master", "front", "up"]);
  await addAddress(name, "eth1", `${outside}${GATE}`, family);
  await gate.must([...link, "set", "eth1", "up"]);
  await gate.must(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
  for (const { must } of farm.realservers) {
    await must(["ip", family === 6 ? "-6" : "-4", "route", "add", "default", "via", gate.address]);
  }
  return { ...farm, gate, front: "front", back: "back" };
}
