/** The packet path watched while it forwards: realservers that die, lists and metrics. */
import { fileURLToPath } from "node:url";
import { Control, type Realserver } from "../control.ts";
import { downsOf, events, KINDRED, startDirector, untilReady } from "../director.ts";
import type { Running } from "../process.ts";
import { prove } from "../prove.ts";
import { makeRoutedFarm } from "../routed.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { settled } from "../settled.ts";
import type { Farm, Host } from "../topology.ts";

const LINES = fileURLToPath(new URL("../lines.js", import.meta.url));
const ASK = fileURLToPath(new URL("../ask.js", import.meta.url));
const PORT = 7000;

/** Servers of lines on each realserver. */
async function startLines(farm: Farm): Promise<Running[]> {
  const servers = farm.realservers.map((host, i) =>
    host.start([process.execPath, LINES, `real${i + 1}`, host.address, String(PORT)]),
  );
  for (const server of servers) {
    await server.listening(PORT);
    await server.listening(PORT, "udp");
  }
  return servers;
}

const ask = async (client: Host, what: string, vip: string, count: number): Promise<string[]> =>
  JSON.parse(await client.must([process.execPath, ASK, what, vip, String(PORT), String(count)])) as string[];

// --- realservers that die -------------------------------------------------------------------------------------------

/** Asks a port of the VIP again and again from one socket, and says who answered. */
export const DATAGRAMS = `
import socket, sys, time
one = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
one.connect((sys.argv[1], int(sys.argv[2])))
one.settimeout(0.1)
begun = time.monotonic()
while True:
    try:
        one.send(b"x")
        print(round((time.monotonic() - begun) * 1000), one.recv(100).split()[0].decode(), flush=True)
    except OSError: pass
    time.sleep(0.02)
`;

const INTERVAL = 1000;
const FALL = 2;

async function dead(sandbox: Sandbox): Promise<string> {
  const farm = await makeRoutedFarm(sandbox, 4, 1, 2);
  const [client] = farm.clients as [Host];
  const servers = await startLines(farm);
  const control = new Control(sandbox);
  const check = { kind: "tcp", port: PORT, interval: `${INTERVAL}ms`, rise: 1, fall: FALL, timeout: `${INTERVAL}ms` };
  const service = (transport: string): object => ({
    ...{ name: transport, vip: farm.vip, ports: [`${transport}/${PORT}`], scheduler: "rr", check: { ...check } },
    realservers: farm.targets.map((target) => ({ ...target })),
  });
  const config = { services: [service("tcp"), service("udp")], control: { socket: control.socket } };
  const director = startDirector(sandbox, config, farm.director.start, { path: "tun" });
  await untilReady(director);
  const asker = client.start(["python3", "-c", DATAGRAMS, farm.vip, String(PORT)]);
  await asker.until(() => asker.stdout.includes("real"), "answered");
  const first = asker.stdout.includes("real1") ? 0 : 1;
  const [gone, left] = [`real${first + 1}`, `real${2 - first}`];
  const begun = Date.now();
  await servers[first]!.end("SIGKILL");
  await asker.until(() => asker.stdout.includes(left), `served by ${left}`);
  const moved = Date.now() - begun;
  const host = farm.realservers[first]!;
  await director.until(() => downsOf(director, host.address) >= 2, "aware of it for both services");
  const answers = await ask(client, "tcp", farm.vip, 10);
  prove(
    answers.every((answer) => answer.startsWith(left)),
    `of 10 connections some reached ${gone}: ${answers.join("; ")}`,
  );
  const metrics = await control.text("/metrics");
  prove(/kindred_realserver_up\{[^}]*service="udp"[^}]*\} 0/.test(metrics), "metrics do not say that it is down");
  const again = host.start([process.execPath, LINES, gone, host.address, String(PORT)]);
  await again.listening(PORT);
  await director.until(() => events(director).filter(({ event }) => event === "realserver-up").length >= 2, "up again");
  const both = await ask(client, "tcp", farm.vip, 4);
  prove(
    both.filter((answer) => answer.startsWith(gone)).length === 2,
    `it is up, and gets nothing: ${both.join("; ")}`,
  );
  return `a socket of datagrams was served by the other after ${moved} ms (checks: ${FALL} x ${INTERVAL} ms); 10 connections too; up again, used again`;
}

// --- lists and metrics ----------------------------------------------------------------------------------------------

const COUNTERS = `
table inet seen {
  chain in { type filter hook input priority 0; meta l4proto { tcp, udp } th dport ${PORT} counter; }
  chain out { type filter hook output priority 0; meta l4proto { tcp, udp } th sport ${PORT} counter; }
}`;

type Ways = Readonly<Record<"original" | "reply", number>>;

interface Seen {
  readonly packets: Ways;
  readonly bytes: Ways;
}

/** What a realserver's kernel has counted. */
async function seenBy(host: Host): Promise<Seen> {
  const { nftables } = JSON.parse(await host.must(["nft", "-j", "list", "table", "inet", "seen"])) as {
    nftables: readonly {
      rule?: { chain: string; expr: readonly { counter?: { packets: number; bytes: number } }[] };
    }[];
  };
  const [original, reply] = ["in", "out"].map((chain) => {
    const { expr } = nftables.find(({ rule }) => rule?.chain === chain)!.rule!;
    return expr.find(({ counter }) => counter !== undefined)!.counter!;
  });
  return {
    packets: { original: original!.packets, reply: reply!.packets },
    bytes: { original: original!.bytes, reply: reply!.bytes },
  };
}

const ASKED = 30;

async function listed(sandbox: Sandbox): Promise<string> {
  const farm = await makeRoutedFarm(sandbox, 4, 1, 2);
  const [client] = farm.clients as [Host];
  await startLines(farm);
  for (const host of farm.realservers) await host.must(["nft", COUNTERS]);
  const control = new Control(sandbox);
  const ports = [`tcp/${PORT}`, `udp/${PORT}`];
  const lines = { name: "lines", vip: farm.vip, ports, scheduler: "rr", persistence: "1s", realservers: farm.targets };
  const config = { services: [lines], control: { socket: control.socket } };
  await untilReady(startDirector(sandbox, config, farm.director.start, { path: "tun" }));
  const stays = client.start(["python3", "-c", STAY, farm.vip]);
  await stays.until(() => stays.stdout.includes("connected"), "connected");
  await ask(client, "tcp", farm.vip, ASKED);
  await ask(client, "udp", farm.vip, ASKED);
  const ctl = async (...words: readonly string[]): Promise<string> =>
    farm.director.must([process.execPath, KINDRED, "ctl", ...words, "--socket", control.socket, "-o", "json"]);
  const count = async () => ({
    rows: JSON.parse(await ctl("realservers")) as readonly Realserver[],
    metrics: await control.text("/metrics"),
    seen: await Promise.all(farm.realservers.map(seenBy)),
  });
  const said = ({ traffic: { packets, bytes } }: Realserver): string => JSON.stringify({ packets, bytes });
  // The last packets of connections that end are on their way for a moment.
  const { rows, metrics, seen } = await settled(count, ({ rows, seen }) =>
    rows.every((row, i) => said(row) === JSON.stringify(seen[i])),
  );
  for (const [i, row] of rows.entries()) {
    const { realserver, traffic } = row;
    const { packets } = traffic;
    prove(
      said(row) === JSON.stringify(seen[i]),
      `${realserver}: ${said(row)}; nftables there: ${JSON.stringify(seen[i])}`,
    );
    for (const way of ["original", "reply"] as const) {
      const line = `kindred_realserver_packets_total{service="lines",realserver="${realserver}",way="${way}"} ${packets[way]}`;
      prove(metrics.includes(line), `the metrics lack ${line}`);
    }
  }
  const active = rows.map(({ active }) => active).reduce((sum, one) => sum + one, 0);
  prove(active >= 1, "nobody is connected");
  const connections = JSON.parse(await ctl("connections", "--client", client.address)) as readonly object[];
  prove(connections.length === 1 + 2 * ASKED, `${connections.length} connections are listed`);
  const whole = await control.text("/healthz");
  prove(whole.includes("ok"), `healthz: ${whole}`);
  const total = seen.reduce((sum, { packets }) => sum + packets.original + packets.reply, 0);
  return `${total} packets of ${connections.length} connections: the same in ctl, in the metrics and in nftables of both realservers`;
}

const STAY = `
import socket, sys
one = socket.create_connection((sys.argv[1], ${PORT}))
one.sendall(b"x\\n")
one.recv(100)
print("connected", flush=True)
sys.stdin.readline()
`;

export const packetWatched: readonly Scenario[] = [
  {
    name: "packet-dead",
    about: "a realserver is killed: who sends datagrams and who connects is served by the other in time",
    needs: ["python3"],
    run: dead,
  },
  {
    name: "packet-listed",
    about: "ctl's lists and the metrics say what nftables in the realservers has counted",
    needs: ["nft", "python3"],
    run: listed,
  },
];
