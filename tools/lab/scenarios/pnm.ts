/** PNM with its stream by UDP. Wireshark has no dissector for it: the greetings' bytes are compared with the flows. */
import { answeredPort, PNM_PORT, type Ports, parseGreeting } from "../pnm.ts";
import { prove } from "../prove.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { stream } from "../streams.ts";
import { type FarmMaker, makeFarm } from "../topology.ts";
import { decoded } from "../tshark.ts";

export async function robust(sandbox: Sandbox, make: FarmMaker): Promise<string> {
  const { farm, sides } = await stream(sandbox, make, "pnm", {
    helper: "pnm",
    port: PNM_PORT,
    ports: [`tcp/${PNM_PORT}`],
  });
  let packets = 0;
  for (const { front, back, player, server } of sides) {
    packets += await provenFlows(front, player.address, farm.vip);
    packets += await provenFlows(back, farm.seenAs(player), server.address);
  }
  return `two streams byte for byte from two servers, robust delivery; ${packets} packets on both sides, all at the ports of their greetings`;
}

/** On one side of the director all datagrams go where its greetings say; how many there are. */
async function provenFlows(file: string, player: string, server: string): Promise<number> {
  const said = await decoded(file, `tcp.port == ${PNM_PORT} && tcp.payload`, ["ip.src", "tcp.payload"]);
  const bytesOf = (from: string): Buffer =>
    Buffer.from(said.flatMap(([source, hex]) => (source === from ? [hex] : [])).join(""), "hex");
  const ports: Ports | null = parseGreeting(bytesOf(player));
  prove(ports !== null, `no greeting of ${player}`);
  const robust = answeredPort(bytesOf(server));
  const flows = await decoded(file, "udp", ["ip.src", "udp.srcport", "ip.dst", "udp.dstport"]);
  const ends = new Map<string, number>();
  for (const [from, source, to, target] of flows) {
    const robustly = from === player ? `${from}:${source} ${to}:${target}` : `${to}:${target} ${from}:${source}`;
    const stream = from === server && to === player && target === String(ports!.player);
    const again = robustly === `${player}:${ports!.robust} ${server}:${robust}`;
    prove(stream || again, `${from}:${source} sent to ${to}:${target}: not what the greetings say`);
    const way = stream ? "stream" : from === player ? "asked" : "again";
    ends.set(way, (ends.get(way) ?? 0) + 1);
  }
  prove(ends.size === 3, `of stream, request and delivery there was only ${[...ends.keys()].join(", ")}`);
  return flows.length;
}

export const pnm: readonly Scenario[] = [
  {
    name: "pnm-robust",
    about: "PNM of two servers and players of our own: the stream by UDP, lost pieces by robust delivery",
    needs: ["tcpdump", "tshark"],
    run: (sandbox) => robust(sandbox, makeFarm),
  },
];
