/** The packet path operated while it forwards: loaded again, listed, counted; realservers that die. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { Control } from "../control.ts";
import { events, KINDRED, startDirector, untilReady } from "../director.ts";
import { digest } from "../files.ts";
import { ftpServers, makeFtpFolders } from "../ftp-servers.ts";
import type { Running } from "../process.ts";
import { prove } from "../prove.ts";
import { makeRoutedFarm } from "../routed.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import type { Farm, Host, Target } from "../topology.ts";
import { ftpService } from "./ftp-service.ts";

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

interface Realserver {
  readonly realserver: string;
  readonly condition: string;
  readonly active: number;
  readonly inactive: number;
  readonly flows: Readonly<Record<string, number>>;
  readonly traffic: {
    readonly connections: number;
    readonly packets: Readonly<Record<string, number>>;
    readonly bytes: Readonly<Record<string, number>>;
  };
}

async function realserversOf(control: Control, service: string): Promise<readonly Realserver[]> {
  const { items } = (await control.ask("GET", "/v1/services")) as {
    items: readonly { name: string; realservers: readonly Realserver[] }[];
  };
  return items.filter(({ name }) => name === service).flatMap(({ realservers }) => realservers);
}

// --- reload ---------------------------------------------------------------------------------------------------------

const SESSIONS = 25;
const RELOADS = 10;
const FILE = "file.bin";
const SIZE = 512 * 1024;

/** Sessions that have each begun a transfer, wait with it until they are told to go on, and then make another one. */
const HOLD = `
import ftplib, hashlib, socket, sys, threading
vip, count = sys.argv[1], int(sys.argv[2])
go, held, lock, good = threading.Event(), 0, threading.Lock(), 0
def fetch(ftp, hold):
    global held
    host, port = ftp.makepasv()
    data = socket.socket()
    data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    data.settimeout(20)
    data.connect((vip, port))
    ftp.sendcmd("RETR files/${FILE}")
    digest = hashlib.sha256(data.recv(1000))
    if hold:
        with lock:
            held += 1
            if held == count: print("held", flush=True)
        go.wait()
    while block := data.recv(65536): digest.update(block)
    data.close()
    ftp.voidresp()
    return digest.hexdigest() == sys.argv[3]
def session():
    global good
    with ftplib.FTP(vip, timeout=20) as ftp:
        ftp.login()
        for hold in (True, False):
            if fetch(ftp, hold):
                with lock: good += 1
threads = [threading.Thread(target=session) for _ in range(count)]
for thread in threads: thread.start()
sys.stdin.readline()
go.set()
for thread in threads: thread.join()
print("good", good, flush=True)
`;

/** What is loaded, in turn: a realserver goes, is quiesced, comes; a service and its VIP come and go. */
function variants({ targets, vip }: Farm, service: { readonly services: readonly object[] }): readonly object[] {
  const [one, two] = targets as [Target, Target];
  const ftp = (realservers: readonly object[], more: object = {}): object => ({
    ...service,
    services: [{ ...service.services[0], realservers: realservers.map((real) => ({ ...real })), ...more }],
  });
  const other = { name: "other", vip: vip.replace(/100$/, "101"), ports: ["tcp/80"], realservers: [{ ...one }] };
  const more = ftp([one, two]) as { services: object[] };
  return [
    ftp([one]),
    ftp([one, { ...two, weight: 0 }], { scheduler: "wlc" }),
    { ...more, services: [...more.services, other] },
    ftp([two]),
    ftp([one, two]),
  ];
}

async function reloaded(sandbox: Sandbox): Promise<string> {
  const farm = await makeRoutedFarm(sandbox, 4, 2, 2);
  const folders = await makeFtpFolders(sandbox);
  for (const host of farm.realservers) await ftpServers.vsftpd.start(sandbox, host, 4, folders);
  writeFileSync(join(folders.files, FILE), randomBytes(SIZE));
  const control = new Control(sandbox);
  const ftp = ftpService(farm) as { readonly services: readonly object[] };
  const config = { ...ftp, control: { socket: control.socket } };
  const director = startDirector(sandbox, config, farm.director.start, { path: "tun" });
  await untilReady(director);
  const routes = async (): Promise<string> =>
    (await farm.director.must(["ip", "route", "show", "dev", "kin0"])) + (await farm.director.must(["ip", "rule"]));
  const before = await routes();
  const options = [farm.vip, String(SESSIONS), digest(folders.files, FILE)];
  const clients = farm.clients.map((client) => client.start(["python3", "-c", HOLD, ...options]));
  for (const client of clients) await client.until(() => client.stdout.includes("held"), "in the middle of transfers");

  const loaded = variants(farm, config);
  for (let i = 0; i < RELOADS; i++) {
    const text = stringify(loaded[i % loaded.length]);
    if (i % 2 === 0) await control.ask("POST", "/v1/config", { text });
    else {
      writeFileSync(sandbox.path("director.yaml"), text);
      process.kill(directorPid(director), "SIGHUP");
    }
    await director.until(() => changes(director) === i + 1, `loaded ${i + 1} times`);
  }
  const carried = await realserversOf(control, "ftp");
  const held = carried.reduce((sum, { flows }) => sum + flows["related"]!, 0);
  const all = SESSIONS * clients.length;
  prove(held === all, `${held} of ${all} transfers are left after the reloads`);
  for (const client of clients) client.write("go\n");
  for (const client of clients) await client.until(() => client.stdout.includes("good"), "done");
  const good = clients.reduce((sum, { stdout }) => sum + Number(/good (\d+)/.exec(stdout)![1]), 0);
  prove(good === 2 * all, `${2 * all - good} of ${2 * all} transfers were broken`);
  let left = await routes();
  for (let tries = 0; tries < 50 && left !== before; tries++) {
    await sleep(100);
    left = await routes();
  }
  prove(left === before, `ways are left:\n${left}\nthere were before:\n${before}`);
  return `${all} transfers, each in its middle, through ${RELOADS} reloads, and ${all} after them: 0 broken; ways as before`;
}

const changes = (director: Running): number => events(director).filter(({ event }) => event === "changed").length;

const directorPid = (director: Running): number => {
  const ready = events(director).find(({ event }) => event === "ready");
  return Number(ready!["pid"]);
};

// --- drain ----------------------------------------------------------------------------------------------------------

const DRAINED = "drained.bin";
const DRAINED_SIZE = 4_000_000;

/** Begins to fetch, lets its control connection go when it is told to, and fetches the rest when it is told that. */
const LEAVE = `
import ftplib, hashlib, socket, struct, sys
ftp = ftplib.FTP(sys.argv[1], timeout=20)
ftp.login()
host, port = ftp.makepasv()
data = socket.socket()
data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
data.connect((sys.argv[1], port))
ftp.sendcmd("RETR files/${DRAINED}")
digest = hashlib.sha256(data.recv(1000))
print("began", flush=True)
sys.stdin.readline()
ftp.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
ftp.file.close()
ftp.sock.close()
sys.stdin.readline()
while block := data.recv(65536): digest.update(block)
print("got", digest.hexdigest(), flush=True)
`;

interface Drain {
  readonly flows: Readonly<Record<string, number>>;
  readonly left: number;
}

async function drained(sandbox: Sandbox): Promise<string> {
  const farm = await makeRoutedFarm(sandbox, 4, 1, 2);
  const [client] = farm.clients as [Host];
  const folders = await makeFtpFolders(sandbox);
  for (const host of farm.realservers) await ftpServers.vsftpd.start(sandbox, host, 4, folders);
  writeFileSync(join(folders.files, DRAINED), randomBytes(DRAINED_SIZE));
  const control = new Control(sandbox);
  const config = { ...ftpService(farm), offload: "nftables", control: { socket: control.socket } };
  await untilReady(startDirector(sandbox, config, farm.director.start, { path: "tun" }));
  const slow = client.start(["python3", "-c", LEAVE, farm.vip]);
  await slow.until(() => slow.stdout.includes("began"), "fetching");
  const before = await realserversOf(control, "ftp");
  const { realserver } = before.find(({ flows }) => flows["control"] === 1)!;
  const at = `/v1/services/ftp/realservers/${encodeURIComponent(realserver)}/drain`;
  const first = (await control.ask("POST", at)) as Drain;
  prove(first.flows["control"] === 1 && first.flows["related"] === 1, `of two flows: ${JSON.stringify(first)}`);
  // By rr the second of them would be its.
  for (let i = 0; i < 2; i++) await client.must(["curl", "--silent", "--max-time", "20", `ftp://${farm.vip}/files/`]);
  const between = (await realserversOf(control, "ftp")).find((one) => one.realserver === realserver)!;
  prove(
    between.traffic.connections === 2,
    `${between.traffic.connections} connections of a realserver that is drained`,
  );
  slow.write("leave\n");
  const left = async (): Promise<Drain> => (await control.ask("GET", at)) as Drain;
  await settledAt(left, ({ flows }) => flows["control"] === 0);
  const only = await left();
  prove(only.left === 1 && only.flows["related"] === 1, `in the kernel's hands: ${JSON.stringify(only)}`);
  const waits = farm.director.start([
    ...[process.execPath, KINDRED, "ctl", "drain", "ftp", realserver],
    ...["--wait", "--timeout", "20", "--socket", control.socket],
  ]);
  slow.write("go\n");
  await slow.until(() => slow.stdout.includes("got "), "served to the end");
  prove(slow.stdout.includes(digest(folders.files, DRAINED)), "what came is not what was sent");
  prove((await waits.exited) === 0, `drain --wait: ${waits.stdout}${waits.stderr}`);
  const after = (await realserversOf(control, "ftp")).find((one) => one.realserver === realserver)!;
  const bytes = after.traffic.bytes["reply"]!;
  prove(bytes > DRAINED_SIZE, `${bytes} bytes are counted of ${DRAINED_SIZE}`);
  return `nobody new; drain waited for a transfer that only the kernel still knew, and ended after it; ${bytes} bytes counted`;
}

async function settledAt<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<void> {
  for (let tries = 0; tries < 100 && !holds(await ask()); tries++) await sleep(50);
}

// --- realservers that die -------------------------------------------------------------------------------------------

/** Asks again and again from one socket, and says who answered. */
const DATAGRAMS = `
import socket, sys, time
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.connect((sys.argv[1], ${PORT}))
one.settimeout(0.1)
begun = time.monotonic()
while True:
    one.send(b"x")
    try: print(round((time.monotonic() - begun) * 1000), one.recv(100).split()[0].decode(), flush=True)
    except OSError: pass
    time.sleep(0.02)
`;

const INTERVAL = 300;
const FALL = 2;

async function dead(sandbox: Sandbox): Promise<string> {
  const farm = await makeRoutedFarm(sandbox, 4, 1, 2);
  const [client] = farm.clients as [Host];
  const servers = await startLines(farm);
  const control = new Control(sandbox);
  const check = { kind: "tcp", port: PORT, interval: `${INTERVAL}ms`, rise: 1, fall: FALL, timeout: "200ms" };
  const service = (transport: string): object => ({
    ...{ name: transport, vip: farm.vip, ports: [`${transport}/${PORT}`], scheduler: "rr", check: { ...check } },
    realservers: farm.targets.map((target) => ({ ...target })),
  });
  const config = { services: [service("tcp"), service("udp")], control: { socket: control.socket } };
  const director = startDirector(sandbox, config, farm.director.start, { path: "tun" });
  await untilReady(director);
  const asker = client.start(["python3", "-c", DATAGRAMS, farm.vip]);
  await asker.until(() => asker.stdout.includes("real"), "answered");
  const first = asker.stdout.includes("real1") ? 0 : 1;
  const [gone, left] = [`real${first + 1}`, `real${2 - first}`];
  const begun = Date.now();
  await servers[first]!.end("SIGKILL");
  await asker.until(() => asker.stdout.includes(left), `served by ${left}`);
  const moved = Date.now() - begun;
  const down = events(director).filter(({ event }) => event === "realserver-down");
  prove(down.length >= 1, "it was not found to be down");
  await director.until(() => downs(director) === 2, "aware of it for both services");
  const answers = await ask(client, "tcp", farm.vip, 10);
  prove(
    answers.every((answer) => answer.startsWith(left)),
    `of 10 connections some reached ${gone}: ${answers.join("; ")}`,
  );
  const metrics = await control.text("/metrics");
  prove(/kindred_realserver_up\{[^}]*service="udp"[^}]*\} 0/.test(metrics), "metrics do not say that it is down");
  const host = farm.realservers[first]!;
  const again = host.start([process.execPath, LINES, gone, host.address, String(PORT)]);
  await again.listening(PORT);
  await director.until(
    () => events(director).filter(({ event }) => event === "realserver-up").length === 2,
    "up again",
  );
  const both = await ask(client, "tcp", farm.vip, 4);
  prove(
    both.filter((answer) => answer.startsWith(gone)).length === 2,
    `it is up, and gets nothing: ${both.join("; ")}`,
  );
  return `a socket of datagrams was served by the other after ${moved} ms (checks: ${FALL} x ${INTERVAL} ms); 10 connections too; up again, used again`;
}

const downs = (director: Running): number => events(director).filter(({ event }) => event === "realserver-down").length;

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
  const rows = JSON.parse(await ctl("realservers")) as readonly Realserver[];
  const metrics = await control.text("/metrics");
  const seen = await Promise.all(farm.realservers.map(seenBy));
  for (const [i, { realserver, traffic }] of rows.entries()) {
    const { packets, bytes } = traffic;
    const said = JSON.stringify({ packets, bytes });
    prove(said === JSON.stringify(seen[i]), `${realserver}: ${said}; nftables there: ${JSON.stringify(seen[i])}`);
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

export const packetOperated: readonly Scenario[] = [
  {
    name: "packet-reload",
    about: "10 reloads, by request and by SIGHUP, in the middle of 50 FTP transfers, and 50 after them: none is broken",
    needs: ["vsftpd", "python3"],
    run: reloaded,
  },
  {
    name: "packet-drain",
    about: "a realserver is drained: nobody new, and a transfer in the kernel's hands is waited for",
    needs: ["vsftpd", "curl", "python3", "nft"],
    run: drained,
  },
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
