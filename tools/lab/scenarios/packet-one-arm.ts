/**
 * A director with one wire: realservers, the director and the router to the clients are on one network.
 *
 *   client ── router ──┬── realserver     default via director
 *                      └── director       default via router
 *
 * What the kernel translates leaves by the device that it came by, so that a router by the book would look for a shorter way
 * to tell its neighbours of (RFC 1812 §5.2.7.2).
 */
import { startDirector, untilReady } from "../director.ts";
import { ask, startLines } from "../plan.ts";
import { prove } from "../prove.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { addAddress, type Host, makeNamespace, makeSwitch, plug } from "../topology.ts";

const LAN = "10.77.1.";
const OUTSIDE = "10.77.9.";
const VIP = `${LAN}100`;
const PORT = 7000;
const COUNT = 20;

async function oneArm(sandbox: Sandbox): Promise<string> {
  const ground = await makeSwitch(sandbox, ["lan", "outside"]);
  const host = async (name: string, network: "lan" | "outside", address: string): Promise<Host> =>
    plug(sandbox, await makeNamespace(sandbox, `${ground}-${name}`), ground, network, address, 4);
  const router = await host("router", "lan", `${LAN}254`);
  const director = await host("director", "lan", `${LAN}1`);
  const real = await host("real", "lan", `${LAN}2`);
  const client = await host("client", "outside", `${OUTSIDE}9`);
  await router.must(["ip", "link", "add", "eth1", "type", "veth", "peer", "name", "outwards", "netns", ground]);
  await sandbox.must(["ip", "-n", ground, "link", "set", "outwards", "master", "outside", "up"]);
  await addAddress(router.name, "eth1", `${OUTSIDE}254`, 4);
  await router.must(["ip", "link", "set", "eth1", "up"]);
  await router.must(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"]);
  for (const [from, by] of [
    [client, `${OUTSIDE}254`],
    [director, router.address],
    [real, director.address],
  ] as const) {
    await from.must(["ip", "route", "add", "default", "via", by]);
  }
  await startLines([real], [PORT]);
  const service = { name: "lines", vip: VIP, ports: [`tcp/${PORT}`], scheduler: "rr" };
  const services = [{ ...service, realservers: [{ address: real.address }] }];
  const config = { services, offload: "nftables", log: { level: "info", format: "json" } };
  const redirecting = (): Promise<string> => director.must(["sysctl", "-ar", "(all|eth0).send_redirects"]);
  const before = await redirecting();
  const running = startDirector(sandbox, config, director.start, { path: "tun" });
  await untilReady(running);
  prove(!/= 1/.test(await redirecting()), "the kernel looks for shorter ways");
  const answers = await ask<string[]>(client, "tcp", VIP, PORT, COUNT);
  for (const [i, line] of answers.entries()) prove(line === `r1 ${client.address} line ${i}`, `answered: ${line}`);
  for (const one of [real, router])
    prove((await redirectsTo(one)) === 0, `${one.name} was told of a way past the director`);
  await running.end();
  prove((await redirecting()) === before, "whether redirects are sent is not as it was before");
  return `${COUNT} connections in and out by one wire, and nobody was told of a shorter way`;
}

/** ICMP redirects that came, as proc_net_snmp counts. */
async function redirectsTo({ must }: Host): Promise<number> {
  const [names, counts] = (await must(["cat", "/proc/net/snmp"]))
    .split("\n")
    .filter((line) => line.startsWith("Icmp:"));
  return Number(counts!.split(" ")[names!.split(" ").indexOf("InRedirects")]);
}

export const packetOneArm: readonly Scenario[] = [
  {
    name: "packet-offload-one-arm",
    about: "offload with all on one network: nobody is told of a way past the director",
    needs: ["nft"],
    run: oneArm,
  },
];
