/** RTSP over UDP through the socket path: a scripted player and server, real datagrams both ways. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import type { Socket as Stream } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { freePort } from "../../tools/demo/realserver.ts";
import { CLIENT, dial, Live, listen, REAL_A, until, VIP } from "./live.ts";

const STRANGER = "127.0.0.5";

interface Heard {
  readonly socket: Socket;
  readonly port: number;
  readonly from: RemoteInfo[];
  readonly said: string[];
}

async function ear(t: Test, address: string, port = 0): Promise<Heard> {
  const socket = createSocket("udp4");
  t.teardown(() => void socket.close());
  socket.bind(port, address);
  await once(socket, "listening");
  const heard: Heard = { socket, port: socket.address().port, from: [], said: [] };
  socket.on("message", (message, from) => {
    heard.said.push(String(message));
    heard.from.push(from);
  });
  return heard;
}

/** RTP and RTCP, side by side. */
async function pair(t: Test, address: string): Promise<[Heard, Heard]> {
  for (;;) {
    const rtp = await ear(t, address);
    const rtcp = await ear(t, address, rtp.port + 1).catch(() => null);
    if (rtcp !== null) return [rtp, rtcp];
  }
}

const numbers = (text: string, name: string): number[] => {
  const at = text.indexOf(`${name}=`);
  const value = text.slice(at + name.length + 1).split(/[;\r\n]/)[0]!;
  return at < 0 ? [] : value.split("-").map(Number);
};

interface Farm {
  readonly live: Live;
  readonly player: Stream;
  readonly flows: { readonly player: [Heard, Heard]; readonly server: [Heard, Heard] };
  /** What the server was told. */
  readonly told: number[];
  ask(lines: string): Promise<string>;
}

/** A server that takes up whatever SETUP offers, and does as it is told. */
async function farm(t: Test, rest = "", named = true): Promise<Farm> {
  const server = await pair(t, REAL_A);
  const told: number[] = [];
  const real = await listen(t, REAL_A, (control) => {
    control.on("data", (bytes: Buffer) => {
      const request = String(bytes);
      const ports = numbers(request, "client_port");
      if (ports.length > 0) told.splice(0, told.length, ...ports);
      const mine = named ? `;server_port=${server[0].port}-${server[1].port}` : "";
      const transport = `Transport: RTP/AVP;unicast;client_port=${told.join("-")}${mine}\r\n`;
      const [, cseq] = request.split("CSeq: ");
      const setup = request.startsWith("SETUP") ? transport : "";
      control.write(`RTSP/1.0 200 OK\r\nCSeq: ${Number.parseInt(cseq!, 10)}\r\nSession: 7\r\n${setup}\r\n`);
    });
  });
  const port = await freePort(VIP);
  const service = `{ name: media, vip: ${VIP}, ports: [tcp/${port}], helper: rtsp, realservers: [{ address: ${REAL_A}, port: ${real} }] }`;
  const text = `services:\n  - ${service}\nhelpers:\n  rtsp: { ports: [${port}] }\n${rest}`;
  const live = await Live.start(t, text, port);
  const player = await dial(t, VIP, port, CLIENT);
  let cseq = 0;
  return {
    live,
    player,
    told,
    flows: { player: await pair(t, CLIENT), server },
    ask: async (lines) => {
      const answer = once(player, "data");
      player.write(`${lines}CSeq: ${++cseq}\r\n\r\n`);
      return String((await answer)[0]);
    },
  };
}

async function setUp(of: Farm): Promise<number[]> {
  const [rtp, rtcp] = of.flows.player;
  const transport = `Transport: RTP/AVP;unicast;client_port=${rtp.port}-${rtcp.port}\r\n`;
  const answer = await of.ask(`SETUP rtsp://media/1 RTSP/1.0\r\n${transport}`);
  t.match(answer, "RTSP/1.0 200");
  t.same(numbers(answer, "client_port"), [rtp.port, rtcp.port], "the player reads its own ports");
  return numbers(answer, "server_port");
}

for (const first of ["server", "player"] as const) {
  t.test(`RTP and RTCP flow both ways, each from the port that was told; the ${first} begins`, async (t) => {
    const of = await farm(t);
    const seen = await setUp(of);
    const { player, server } = of.flows;
    t.equal(seen[0]! % 2, 0);
    t.equal(of.told[0]! % 2, 0);
    t.same([seen[1], of.told[1]], [seen[0]! + 1, of.told[0]! + 1], "side by side, on both sides");
    for (const i of [0, 1] as const) {
      const ways = [
        () => server[i].socket.send(`down-${i}`, of.told[i]!, REAL_A),
        () => player[i].socket.send(`up-${i}`, seen[i]!, VIP),
      ];
      if (first === "player") ways.reverse();
      for (const way of ways) way();
      await until(() => player[i].said.length === 1 && server[i].said.length === 1, `flow ${i} went both ways`);
      t.same([player[i].said, server[i].said], [[`down-${i}`], [`up-${i}`]]);
      t.match(player[i].from, [{ address: VIP, port: seen[i] }]);
      t.match(server[i].from, [{ port: of.told[i] }]);
    }
    const ids = of.live.of("connection").flatMap(({ role, id }) => (role === "related" ? [id] : []));
    t.same([ids.length, new Set(ids).size], [4, 2], "both ways of a flow have its number");
    t.equal(of.live.path.counters.get("related.rtsp-rtp"), 2, "one each way");
    t.equal(of.live.path.counters.get("related.rtsp-rtcp"), 2);
  });
}

t.test("an answer that names no port of the server: what it sends arrives, and can be answered", async (t) => {
  const of = await farm(t, "", false);
  await setUp(of);
  const [rtp] = of.flows.player;
  of.flows.server[0].socket.send("down", of.told[0]!, REAL_A);
  await until(() => rtp.said.length === 1, "it arrived");
  t.equal(rtp.from[0]!.address, VIP);
  rtp.socket.send("up", rtp.from[0]!.port, VIP);
  await until(() => of.flows.server[0].said.length === 1, "it was answered");
});

t.test("strangers, and second sources, are not heard on either side", async (t) => {
  const of = await farm(t);
  const seen = await setUp(of);
  const [rtp] = of.flows.player;
  const [media] = of.flows.server;
  const { counters } = of.live.path;
  const stranger = await ear(t, STRANGER);
  stranger.socket.send("stranger", of.told[0]!, REAL_A);
  stranger.socket.send("stranger", seen[0]!, VIP);
  await until(() => counters.get("refused.wrong-address") === 2, "both are refused");
  media.socket.send("down", of.told[0]!, REAL_A);
  rtp.socket.send("up", seen[0]!, VIP);
  await until(() => rtp.said.length === 1 && media.said.length === 1, "the flow is open");
  stranger.socket.send("stranger", of.told[0]!, REAL_A);
  (await ear(t, CLIENT)).socket.send("second", seen[0]!, VIP);
  (await ear(t, REAL_A)).socket.send("second", of.told[0]!, REAL_A);
  await until(() => counters.get("refused.wrong-source") === 3, "all are refused");
  t.same([rtp.said, media.said], [["down"], ["up"]]);
});

for (const how of ["TEARDOWN", "the end of the control connection"]) {
  t.test(`${how} ends its flows`, async (t) => {
    const of = await farm(t);
    await setUp(of);
    const [rtp] = of.flows.player;
    const [media] = of.flows.server;
    media.socket.send("down", of.told[0]!, REAL_A);
    await until(() => rtp.said.length === 1, "the flow is open");
    if (how === "TEARDOWN") await of.ask("TEARDOWN rtsp://media/1 RTSP/1.0\r\nSession: 7\r\n");
    else of.player.destroy();
    // What is left is the control connection: this server keeps its side of it open.
    await until(() => of.live.path.open.connections === 1, "it is closed");
    const closed = of.live.of("closed").find(({ role }) => role === "related");
    const error = how === "TEARDOWN" ? null : "control-closed";
    t.match(closed, { original: 0, reply: "down".length, error }, "it is logged, with the bytes of each side");
    media.socket.send("late", of.told[0]!, REAL_A);
    await sleep(50);
    t.same(rtp.said, ["down"]);
  });
}

t.test("the ports are those that are configured; without any left SETUP is refused", async (t) => {
  const of = await farm(t, "related: { ports: 30311-30316, standing: 1 }\n");
  const seen = await setUp(of);
  for (const port of [...seen, ...of.told]) t.ok(port >= 30311 && port <= 30316, String(port));
  // VIP and realserver's side are two addresses, with two pairs each.
  const transports = [1, 2].map((i) => `Transport: RTP/AVP;unicast;client_port=${5000 + 2 * i}-${5001 + 2 * i}\r\n`);
  for (const [i, transport] of transports.entries()) {
    await of.ask(`SETUP rtsp://media/${i + 2} RTSP/1.0\r\n${transport}`);
  }
  t.match(of.live.of("refusal"), [{ reason: "unavailable" }]);
});
