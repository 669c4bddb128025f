/** What goes wrong around the packet path: bad wires, a pending entry among thousands of connections, kill -9. */

import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BadWire } from "../bad-wire.ts";
import { Control, realserversOf } from "../control.ts";
import { events, startDirector, untilReady } from "../director.ts";
import { digest } from "../files.ts";
import { type FtpFolders, ftpServers, makeFtpFolders } from "../ftp-servers.ts";
import type { Running } from "../process.ts";
import { prove } from "../prove.ts";
import { makeRoutedFarm, routed } from "../routed.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import type { Host } from "../topology.ts";
import { ftpService } from "./ftp-service.ts";

export const MODES: Readonly<Record<string, readonly string[]>> = {
  port: ["--ftp-port", "-", "--disable-eprt"],
  eprt: ["--ftp-port", "-"],
  pasv: ["--disable-epsv", "--no-ftp-skip-pasv-ip"],
  epsv: [],
};

/** Fetches and sends `file`, and proves that it arrived. */
export async function both(
  client: Host,
  vip: string,
  folders: FtpFolders,
  file: string,
  options: readonly string[],
): Promise<void> {
  const directory = join(folders.root, "..", `own-${Math.random()}`);
  mkdirSync(directory);
  const common = ["curl", "--silent", "--show-error", "--max-time", "100", ...options];
  await client.must([...common, "--output", file, `ftp://${vip}/files/${file}`], { directory });
  prove(digest(directory, file) === digest(folders.files, file), `${file} did not arrive as it was sent`);
  const name = `${file}-${Math.random()}`;
  await client.must([...common, "--upload-file", file, `ftp://${vip}/uploads/${name}`], { directory });
  prove(digest(folders.uploads, name) === digest(folders.files, file), `${file} was not received as it was sent`);
}

const FAULTS = { lost: 20, repeated: 10, late: 50 };
const FILE = "small.bin";
const SIZE = 100_000;
const ROUNDS = 2;
/** Segments so small that every command and reply is several. */
const TINY = 64;

async function badWire(sandbox: Sandbox): Promise<string> {
  const farm = await makeRoutedFarm(sandbox, 4, 1, 1);
  const [client, real] = [farm.clients[0]!, farm.realservers[0]!];
  const folders = await makeFtpFolders(sandbox);
  await ftpServers.vsftpd.start(sandbox, real, 4, folders);
  writeFileSync(join(folders.files, FILE), randomBytes(SIZE));
  await untilReady(startDirector(sandbox, ftpService(farm), farm.director.start, { path: "tun" }));
  const wire = await BadWire.lay(sandbox, farm, FAULTS);
  let transfers = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const options of Object.values(MODES)) {
      await both(client, farm.vip, folders, FILE, options);
      transfers += 2;
    }
  }
  const whole = `${transfers} transfers of ${SIZE} bytes in every mode`;
  const [front] = farm.vip.split("100");
  await client.must(["ip", "route", "change", `${front}0/24`, "dev", "eth0", "advmss", String(TINY)]);
  await real.must(["ip", "route", "change", "default", "via", farm.director.address, "advmss", String(TINY)]);
  await Promise.all(Object.values(MODES).map((options) => both(client, farm.vip, folders, FILE, options)));
  return `${whole}, and ${Object.keys(MODES).length * 2} in segments of ${TINY}; of frames: ${wire.told}`;
}

const SLOW_FILE = "slow.bin";
const SLOW_SIZE = 8_000_000;
const CONNECTIONS = 10_000;

/** The IPVS bug of 2005: a pending entry was met by connections that had nothing to do with it. */
const MANY = `
import socket, sys
vip, count, ports = sys.argv[1], int(sys.argv[2]), [int(port) for port in sys.argv[3].split(",")]
good = 0
for i in range(count):
    with socket.create_connection((vip, ports[i % len(ports)]), timeout=60) as one:
        one.sendall(b"%d\\n" % i)
        good += one.recv(64) == b"%d %d\\n" % (ports[i % len(ports)], i)
print(good)
`;

const ECHO = `
import socket, sys, threading
def serve(port):
    server = socket.create_server(("", port), backlog=512)
    print("ready", flush=True)
    while True:
        one, _ = server.accept()
        with one:
            one.sendall(b"%d " % port + one.recv(64))
for port in sys.argv[1:]:
    threading.Thread(target=serve, args=(int(port),)).start()
`;
const PORTS = [7001, 7002];

/** Asks for a passive port, says so, and connects when it is told to. */
const PENDING = `
import ftplib, sys
ftp = ftplib.FTP(sys.argv[1], timeout=60)
ftp.login()
host, port = ftp.makepasv()
print("pending", port, flush=True)
sys.stdin.readline()
import socket
with socket.create_connection((sys.argv[1], port), timeout=60) as data:
    ftp.sendcmd("RETR files/${FILE}")
    size = 0
    while block := data.recv(65536): size += len(block)
print("got", size, flush=True)
`;

async function pendingAmongMany(sandbox: Sandbox): Promise<string> {
  const farm = await makeRoutedFarm(sandbox, 4, 2, 1);
  const [one, other] = farm.clients as [Host, Host];
  const [real] = farm.realservers as [Host];
  const folders = await makeFtpFolders(sandbox);
  await ftpServers.vsftpd.start(sandbox, real, 4, folders);
  writeFileSync(join(folders.files, FILE), randomBytes(SIZE));
  const echo = real.start(["python3", "-c", ECHO, ...PORTS.map(String)]);
  await echo.until(() => echo.stdout.split("ready").length > PORTS.length, "listening");
  const second = farm.vip.replace(/100$/, "101");
  const others = PORTS.map((port, i) => ({
    name: `echo-${port}`,
    vip: i === 0 ? farm.vip : second,
    ports: [`tcp/${port}`],
    scheduler: "wlc",
    persistence: "300s",
    // Each its own: what is the same twice is written as an alias, which no configuration may have.
    realservers: farm.targets.map((target) => ({ ...target })),
  }));
  const service = ftpService(farm) as { services: object[] };
  // It waits for as long as all the others take, on any machine.
  const helpers = { ftp: { limits: { ttl: "300s" } } };
  const config = { ...service, helpers, services: [...service.services, ...others] };
  const director = startDirector(sandbox, config, farm.director.start, { path: "tun" });
  await untilReady(director);
  const waiting = one.start(["python3", "-c", PENDING, farm.vip]);
  await waiting.until(() => waiting.stdout.includes("pending"), "told a port");
  const runs = await Promise.all([
    ...[one, other].map((client) =>
      client.must(["python3", "-c", MANY, farm.vip, String(CONNECTIONS / 4), String(PORTS[0])]),
    ),
    ...[one, other].map((client) =>
      client.must(["python3", "-c", MANY, second, String(CONNECTIONS / 4), String(PORTS[1])]),
    ),
  ]);
  const good = runs.reduce((sum, text) => sum + Number(text), 0);
  prove(good === CONNECTIONS, `${CONNECTIONS - good} of ${CONNECTIONS} connections were disturbed`);
  waiting.write("go\n");
  await waiting.until(() => waiting.stdout.includes(`got ${SIZE}`), "served");
  return `${good} connections to two VIPs, none disturbed; then the pending passive entry was met`;
}

/** Everything that setting up the packet path may leave on a host. */
const TRACES: readonly (readonly string[])[] = [
  ["ip", "rule"],
  ["ip", "-6", "rule"],
  ["ip", "-4", "route", "show", "table", "all"],
  ["ip", "neigh", "show", "proxy"],
  ["ip", "-o", "link", "show", "type", "tun"],
  ["sysctl", "net.ipv4.ip_forward", "net.ipv4.neigh.front.proxy_delay", "net.ipv4.conf.all.src_valid_mark"],
  ...["rp_filter", "src_valid_mark", "accept_local"].map((name) => [
    "sysctl",
    ...["front", "back"].map((device) => `net.ipv4.conf.${device}.${name}`),
  ]),
];

async function tracesOf(host: Host): Promise<string> {
  const found: string[] = [];
  for (const command of TRACES) found.push(await host.must(command));
  return found.join("");
}

const CAP_NET_ADMIN = 1n << 12n;

/** proc_pid_status(5), of every thread: nobody's, and no capability but the one in the main thread. */
function proveConfined({ pid }: Running): void {
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const status = readFileSync(`/proc/${pid}/task/${task}/status`, "latin1");
    const field = (name: string): string => new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(status)![1]!;
    const allowed = Number(task) === pid ? CAP_NET_ADMIN : 0n;
    prove(field("Uid") !== "0", `thread ${task} still runs as root`);
    for (const set of ["CapEff", "CapPrm"]) {
      const capabilities = BigInt(`0x${field(set)}`);
      prove((capabilities & ~allowed) === 0n, `thread ${task} has ${set} ${field(set)}`);
    }
  }
}

async function killed(sandbox: Sandbox): Promise<string> {
  const farm = await routed(["nat", "dr"])(sandbox, 4, 1, 2);
  const folders = await makeFtpFolders(sandbox);
  for (const host of farm.realservers) await ftpServers.vsftpd.start(sandbox, host, 4, folders);
  const before = await tracesOf(farm.director);
  const start = async (): Promise<Running> => {
    const director = startDirector(sandbox, ftpService(farm), farm.director.start, { path: "tun" });
    await untilReady(director);
    return director;
  };
  const first = await start();
  proveConfined(first);
  const second = startDirector(sandbox, ftpService(farm), farm.director.start, { path: "tun" });
  prove((await second.exited) === 2, "a second director did not refuse to start");
  prove(second.stderr.includes("another director runs"), `it said: ${second.stderr}`);
  await first.end("SIGKILL");
  const left = await tracesOf(farm.director);
  prove(left !== before, "nothing was left by the one that was killed: then this shows nothing");
  const third = await start();
  prove(
    events(third).some(({ event }) => event === "cleaned-up"),
    "the next one did not say that it cleaned up",
  );
  await third.end();
  const after = await tracesOf(farm.director);
  prove(after === before, `left behind:\n${after}\nthere was before:\n${before}`);
  return `no thread is root's; a second director refused; after kill -9 and a restart and its end, rules, routes, devices and settings are as before`;
}

/** Reads its data slowly, whatever becomes of the control connection, and says what came. */
const SLOW = `
import ftplib, hashlib, socket, sys, time
ftp = ftplib.FTP(sys.argv[1], timeout=60)
ftp.login()
host, port = ftp.makepasv()
with socket.create_connection((sys.argv[1], port), timeout=60) as data:
    ftp.sendcmd("RETR files/${SLOW_FILE}")
    digest, size = hashlib.sha256(), 0
    while block := data.recv(65536):
        digest.update(block)
        size += len(block)
        if size < 3_000_000: time.sleep(0.05)
        print("at", size, flush=True)
print("got", digest.hexdigest(), flush=True)
`;

const PAGES = 5;
/** A VIP on no network of the director's: a router leads to it. */
const ROUTED_VIP = "203.0.113.10";

/** One realserver of two services: the kernel's connections are counted for the service that they are of. */
async function provenOwners(control: Control, connections: Readonly<Record<string, number>>): Promise<void> {
  for (const [service, wanted] of Object.entries(connections)) {
    const [one] = await realserversOf(control, service);
    const { connections: counted, bytes } = one!.traffic;
    prove(counted === wanted, `${counted} connections of ${service} are counted, ${wanted} there were`);
    const least = service === "web" ? wanted * SLOW_SIZE : 0;
    prove(bytes["reply"]! > least, `${bytes["reply"]} bytes of ${service} are counted`);
  }
}

async function offloaded(sandbox: Sandbox): Promise<string> {
  const farm = await makeRoutedFarm(sandbox, 4, 1, 1);
  const [client] = farm.clients as [Host];
  const folders = await makeFtpFolders(sandbox);
  await ftpServers.vsftpd.start(sandbox, farm.realservers[0]!, 4, folders);
  writeFileSync(join(folders.files, SLOW_FILE), randomBytes(SLOW_SIZE));
  await farm.realservers[0]!.start(["python3", "-m", "http.server", "80", "--directory", folders.files]).listening(80);
  await farm.director.must(["sysctl", "-q", "-w", "net.ipv4.conf.front.rp_filter=1"]);
  const before = await tracesOf(farm.director);
  const control = new Control(sandbox);
  const ftp = ftpService(farm) as { services: object[] };
  const realservers = farm.targets.map((target) => ({ ...target }));
  await client.must(["ip", "route", "add", ROUTED_VIP, "via", farm.vip.replace(/\d+$/, "1")]);
  const web = { name: "web", vip: ROUTED_VIP, ports: ["tcp/80"], scheduler: "rr", realservers };
  const config = { ...ftp, services: [...ftp.services, web], offload: "nftables", control: { socket: control.socket } };
  const start = async (): Promise<Running> => {
    const director = startDirector(sandbox, config, farm.director.start, { path: "tun" });
    await untilReady(director);
    return director;
  };
  const first = await start();
  for (const options of Object.values(MODES)) await both(client, farm.vip, folders, SLOW_FILE, options);
  const used = (): number => events(first).filter(({ event }) => event === "offloaded").length;
  // PASV and EPSV, each there and back; the client opens no others.
  await first.until(() => used() === 4, "told of four connections that the kernel had");
  const page = ["curl", "--silent", "--show-error", "--output", "/dev/null", `http://${ROUTED_VIP}/${SLOW_FILE}`];
  for (let i = 0; i < PAGES; i++) await client.must(page);
  // Each transfer has a control connection of its own.
  const transfers = 2 * Object.keys(MODES).length;
  await provenOwners(control, { ftp: 2 * transfers, web: PAGES });

  const slow = client.start(["python3", "-c", SLOW, farm.vip]);
  await slow.until(() => slow.stdout.includes("at "), "fetching");
  await first.end("SIGKILL");
  const second = await start();
  await slow.until(() => slow.stdout.includes("got "), "served to the end");
  prove(slow.stdout.includes(digest(folders.files, SLOW_FILE)), "what came is not what was sent");
  await second.end();
  prove((await tracesOf(farm.director)) === before, "rules, routes, devices or settings were left behind");
  const tables = await farm.director.must(["nft", "list", "tables"]);
  prove(tables.trim() === "", `left in nftables: ${tables}`);
  return "PASV, EPSV and a web service of a routed VIP beside them in the kernel's hands, past a strict rp_filter, each counted for its own, PORT and EPRT not; a transfer went on through kill -9 and a restart";
}

export const packetHard: readonly Scenario[] = [
  {
    name: "packet-offload",
    about:
      "passive data connections and a web service translated by nftables; a transfer survives kill -9 of the director",
    needs: ["vsftpd", "curl", "python3", "nft"],
    run: offloaded,
  },
  {
    name: "packet-ftp-bad-wire",
    about: "FTP in every mode over a wire that loses, repeats and reorders, whole and in segments of 64 bytes",
    needs: ["vsftpd", "curl", "python3", "ethtool"],
    run: badWire,
  },
  {
    name: "packet-pending-among-many",
    alone: true,
    about: "a pending passive entry while 10,000 ordinary connections to other services run: none disturbed",
    needs: ["vsftpd", "python3"],
    run: pendingAmongMany,
  },
  {
    name: "packet-killed",
    about: "kill -9 of the director: the next one takes back what it left, a second one refuses to start",
    needs: ["vsftpd", "curl"],
    run: killed,
  },
];
