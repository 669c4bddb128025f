/** SIPp calls two of its kind behind one address: recorded media go there, and come back as an echo. */
import { writeFileSync } from "node:fs";
import { Capture, type Datagram } from "../capture.ts";
import { startDirector, untilReady } from "../director.ts";
import { run } from "../process.ts";
import { prove } from "../prove.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { type Farm, type FarmMaker, type Host, makeFarm } from "../topology.ts";
import { decoded } from "../tshark.ts";

export const NEEDS = ["sipp", "tcpdump", "tshark"];
const PORT = 5060;
const MEDIA = 6000;
const CALLER_MEDIA = 20_000;
const CALLS = 2;
/** Milliseconds that are waited beside the first and the last recording: the last one's echo must come before the call ends. */
const PAUSES = { 8000: 500, 1000: 3000 };
/** A digit as RFC 4733 has it: a few packets. */
const RECORDING = "/usr/share/sip-tester/dtmf_2833_1.pcap";

type Transport = "udp" | "tcp";

/** SIPp's own scenario of a caller with media, made short. */
async function scenarioFile(sandbox: Sandbox): Promise<string> {
  const { stdout } = await run(["sipp", "-sd", "uac_pcap"], { directory: sandbox.directory });
  const file = sandbox.path("caller.xml");
  let scenario = stdout.replaceAll(/pcap\/\w+\.pcap/g, RECORDING);
  for (const [its, ours] of Object.entries(PAUSES))
    scenario = scenario.replace(`milliseconds="${its}"`, `milliseconds="${ours}"`);
  writeFileSync(file, scenario);
  return file;
}

const mode = (transport: Transport): readonly string[] => ["-t", transport === "udp" ? "u1" : "t1"];

/** `at`: the address that it serves at. */
async function startCallee(sandbox: Sandbox, host: Host, at: string, transport: Transport): Promise<void> {
  const media = ["-rtp_echo", "-mi", at, "-mp", `${MEDIA}`];
  const options = [...mode(transport), "-i", at, "-p", `${PORT}`, ...media, "-nostdin"];
  const server = host.start(["sipp", "-sn", "uas", ...options], { directory: sandbox.directory });
  await server.listening(PORT, transport);
}

/** One caller after the other, each a client of its own: they are spread over both servers. */
async function call(sandbox: Sandbox, { vip, clients }: Farm, transport: Transport, file: string): Promise<void> {
  const [client] = clients;
  for (let i = 0; i < CALLS; i++) {
    const local = [
      "-i",
      client!.address,
      "-p",
      `${PORT + i}`,
      "-mi",
      client!.address,
      "-mp",
      `${CALLER_MEDIA + 10 * i}`,
    ];
    const limits = ["-m", "1", "-timeout", "90s", "-timeout_error", "-nostdin"];
    await client!.must(["sipp", "-sf", file, ...mode(transport), ...local, ...limits, `${vip}:${PORT}`], {
      directory: sandbox.directory,
    });
  }
}

const texts = (packets: readonly Datagram[]): string[] =>
  packets.map(({ payload }) => payload.toString("latin1")).sort();
const isMedia = ({ fromPort, toPort }: Datagram): boolean => fromPort >= MEDIA && toPort >= MEDIA;

export async function calls(sandbox: Sandbox, make: FarmMaker, transport: Transport): Promise<string> {
  const farm = await make(sandbox, 4, 1, 2);
  const file = await scenarioFile(sandbox);
  for (const host of farm.realservers) await startCallee(sandbox, host, farm.servesAt(host), transport);
  const service = {
    name: "calls",
    vip: farm.vip,
    ports: [`${transport}/${PORT}`],
    helper: "sip",
    scheduler: "rr",
    realservers: farm.targets,
  };
  await untilReady(startDirector(sandbox, { services: [service] }, farm.director.start, { path: farm.path }));
  // By whatever device they are reached, and answer.
  const backs = await Promise.all(
    farm.realservers.map((host) => Capture.start(sandbox, host, `udp src port ${MEDIA}`, "any")),
  );
  const captures = await Promise.all(farm.clients.map((host) => Capture.start(sandbox, host, "udp or tcp")));
  await call(sandbox, farm, transport, file);
  const [front] = await Promise.all(captures.map((capture) => capture.packets()));
  const { datagrams, segments } = front!;
  const sent = datagrams.filter((packet) => packet.to === farm.vip && isMedia(packet));
  const echoed = datagrams.filter((packet) => packet.from === farm.vip && isMedia(packet));
  prove(sent.length > 0, "the caller sent no media to the service's address");
  prove(texts(sent).join() === texts(echoed).join(), `${sent.length} packets of media, ${echoed.length} came back`);
  const told = [...datagrams, ...segments].filter(({ payload }) => payload.includes(farm.hidden));
  prove(told.length === 0, `a client read ${farm.hidden}…: ${told[0]?.payload.toString("latin1")}`);
  const echoes = backs.map(async (back) => (await decoded(await back.end(), "udp", ["udp.srcport"])).length);
  const spread = await Promise.all(echoes);
  prove(
    spread.every((packets) => packets > 0),
    `media from the servers: ${spread.join(" and ")} packets`,
  );
  return `${CALLS} calls, ${sent.length} packets of media there and back, ${spread.join(" and ")} of the two servers`;
}

export const sip: readonly Scenario[] = (["udp", "tcp"] as const).map((transport) => ({
  name: `sip-${transport}`,
  about: `SIPp calls by ${transport}, and hears the echo of what it plays`,
  needs: NEEDS,
  run: (sandbox) => calls(sandbox, makeFarm, transport),
}));
