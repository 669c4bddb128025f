/** FTP on the packet path while its configuration changes: loaded again, and a realserver drained. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { Control, realserversOf } from "../control.ts";
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

export const packetChanged: readonly Scenario[] = [
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
];
