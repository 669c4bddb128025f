/** MMS with its stream by UDP; Wireshark's dissector says what was spoken on both sides of the director. */
import { MMS_PORT } from "../mms.ts";
import { prove } from "../prove.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { stream } from "../streams.ts";
import { type FarmMaker, makeFarm } from "../topology.ts";
import { decoded } from "../tshark.ts";

export async function overUdp(sandbox: Sandbox, make: FarmMaker): Promise<string> {
  const { farm, sides } = await stream(sandbox, make, "mms", {
    helper: "wms",
    port: MMS_PORT,
    ports: [`tcp/${MMS_PORT}`, `udp/${MMS_PORT}`],
  });
  let packets = 0;
  let asked = 0;
  for (const side of sides) {
    const told = await spoken(side.front, side.player.address, farm.vip);
    const heard = await spoken(side.back, farm.seenAs(side.player), side.server.address);
    const through = [...heard.sequences].every((sequence) => told.sequences.has(sequence));
    prove(through, "packets of the stream did not come through");
    prove(told.resend === heard.resend && told.asked > 0, `requests for ${told.resend} arrived as ${heard.resend}`);
    packets += told.sequences.size;
    asked += told.asked;
  }
  return `two streams byte for byte from two servers, ${packets} packets by UDP to the funnels, ${asked} of them asked for again`;
}

/**
 * What one side shows between `viewer`, who names a funnel, and `mac`, who sends there. That a datagram is one of a
 * stream the dissector knows from the funnel's name alone.
 */
async function spoken(file: string, viewer: string, mac: string) {
  const [info, data, resend] = [
    "msmms.command.client-transport-info",
    "msmms.data.sequence",
    "msmms.data.packet-to-resend",
  ];
  const fields = ["ip.src", "ip.dst", "udp.dstport", info, data, resend];
  const all = await decoded(file, `${info} || (udp && (${data} || ${resend}))`, fields);
  const [funnel, ...more] = all.filter(([, , , name]) => name !== "");
  prove(funnel !== undefined && more.length === 0, `${more.length + 1} funnels on one side of the director`);
  const [from, to, , name = ""] = funnel!;
  const [, , address, protocol, digits = ""] = name.split("\\");
  prove(from === viewer && to === mac && address === viewer && protocol === "UDP", `${from} told ${to} ${name}`);
  const port = String(Number.parseInt(digits, 10));
  const stream = all.filter(([, , , , sequence]) => sequence !== "");
  for (const [source, target, at] of stream) {
    prove(
      source === mac && target === viewer && at === port,
      `the funnel is ${name}, ${source} sent to ${target}:${at}`,
    );
  }
  const requests = all.filter(([, , , , , list]) => list !== "");
  for (const [source, target, at] of requests) {
    prove(
      source === viewer && target === mac && at === String(MMS_PORT),
      `${source} asked ${target}:${at} for packets`,
    );
  }
  const lost = requests.flatMap(([, , , , , list]) => list!.split(","));
  return {
    sequences: new Set(stream.map(([, , , , sequence]) => sequence)),
    asked: new Set(lost).size,
    resend: lost.join(" "),
  };
}

export const wms: readonly Scenario[] = [
  {
    name: "wms-udp",
    about: "MMS of two servers and players of our own: funnels, lost packets asked for; judged by Wireshark",
    needs: ["tcpdump", "tshark"],
    run: (sandbox) => overUdp(sandbox, makeFarm),
  },
];
