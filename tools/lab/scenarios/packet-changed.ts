/** FTP on the packet path while its configuration changes: loaded again, and a realserver drained. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { Control, type Realserver, realserversOf } from "../control.ts";
import { directorPid, events, KINDRED, startDirector, untilReady } from "../director.ts";
import { digest } from "../files.ts";
import { ftpServers, makeFtpFolders } from "../ftp-servers.ts";
import { HeldTransfers } from "../held.ts";
import type { Running } from "../process.ts";
import { prove } from "../prove.ts";
import { makeRoutedFarm, routed } from "../routed.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { settled } from "../settled.ts";
import type { Farm, Host, Target } from "../topology.ts";
import { ftpService } from "./ftp-service.ts";
import { both } from "./packet-hard.ts";

// --- reload ---------------------------------------------------------------------------------------------------------

const SESSIONS = 25;
const RELOADS = 10;

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
  const control = new Control(sandbox);
  const ftp = ftpService(farm) as { readonly services: readonly object[] };
  const config = { ...ftp, control: { socket: control.socket } };
  const director = startDirector(sandbox, config, farm.director.start, { path: "tun" });
  await untilReady(director);
  const routes = (): Promise<string> => waysOf(farm.director);
  const before = await routes();
  const transfers = await HeldTransfers.begin(farm.clients, farm.vip, folders, SESSIONS);

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
  const all = transfers.count;
  prove(held === all, `${held} of ${all} transfers are left after the reloads`);
  const good = await transfers.goOn();
  prove(good === 2 * all, `${2 * all - good} of ${2 * all} transfers were broken`);
  const left = await settled(routes, (now) => now === before);
  prove(left === before, `ways are left:\n${left}\nthere were before:\n${before}`);
  return `${all} transfers, each in its middle, through ${RELOADS} reloads, and ${all} after them: 0 broken; ways as before`;
}

const waysOf = async ({ must }: Host): Promise<string> =>
  (await must(["ip", "route", "show", "dev", "kin0"])) + (await must(["ip", "rule"]));

const changes = (director: Running): number => events(director).filter(({ event }) => event === "changed").length;

// --- tunnelled realservers are taken out ----------------------------------------------------------------------------

/** Of each client: two on each realserver. */
const TUNNELLED = 3;

/**
 * First one of two tunnels goes, then the last: what the device may leave to the engine changes with it, while flows of
 * all three realservers hang on it.
 */
async function tunnelsRemoved(sandbox: Sandbox): Promise<string> {
  const farm = await routed(["tunnel", "nat", "tunnel"])(sandbox, 4, 2, 3);
  const folders = await makeFtpFolders(sandbox);
  for (const host of farm.realservers) await ftpServers.vsftpd.start(sandbox, host, 4, folders);
  writeFileSync(join(folders.files, AFTER), randomBytes(AFTER_SIZE));
  const control = new Control(sandbox);
  const config = (targets: readonly Target[]) => ({
    ...ftpService({ ...farm, targets: targets.map((target) => ({ ...target })) }),
    control: { socket: control.socket },
  });
  const [one, nat, other] = farm.targets as [Target, Target, Target];
  const director = startDirector(sandbox, config([one, nat, other]), farm.director.start, { path: "tun" });
  await untilReady(director);
  const transfers = await HeldTransfers.begin(farm.clients, farm.vip, folders, TUNNELLED);
  /** The three, also when they are out of the configuration. */
  const known = async (): Promise<readonly (Realserver | undefined)[]> => {
    const all = await realserversOf(control, "ftp");
    return farm.targets.map(({ address }) => all.find(({ realserver }) => realserver.startsWith(address)));
  };
  const carried = async (): Promise<readonly number[]> => (await known()).map((one) => one?.flows["related"] ?? 0);
  const spread = await carried();
  const share = transfers.count / farm.targets.length;
  prove(
    spread.every((count) => count === share),
    `transfers of the three: ${spread.join(", ")}`,
  );
  const [client] = farm.clients as [Host];
  for (const [i, targets] of [[nat, other], [nat]].entries()) {
    await control.ask("POST", "/v1/config", { text: stringify(config(targets)) });
    await director.until(() => changes(director) === i + 1, `loaded ${i + 1} times`);
    // Whoever comes now is served by who is left, of a file of segments that are as large as they get.
    for (let round = 0; round < targets.length; round++) await both(client, farm.vip, folders, AFTER, []);
    prove(String(await carried()) === String(spread), `after ${i + 1} reloads: ${(await carried()).join(", ")}`);
  }
  const good = await transfers.goOn();
  const all = 2 * transfers.count;
  prove(good === all, `${all - good} of ${all} transfers were broken`);
  // What has ended is remembered for a while, as TCP has it, and the ways with it.
  for (const { realserver } of (await known()).flatMap((one) => one ?? [])) {
    await control.ask("POST", "/v1/drop", { service: "ftp", realserver });
  }
  const rule = `from ${farm.vip} `;
  const left = await settled(
    () => waysOf(farm.director),
    (ways) => !ways.includes(rule),
  );
  prove(!left.includes(rule), `the tunnels' way back is left:\n${left}`);
  await both(client, farm.vip, folders, AFTER, []);
  return `${transfers.count} transfers, ${share} on each, went on while one tunnel and then the last was taken out, and ${transfers.count} after them; the others' as well as theirs`;
}

const AFTER = "after.bin";
const AFTER_SIZE = 3_000_000;

// --- drain ----------------------------------------------------------------------------------------------------------

const DRAINED = "drained.bin";
const DRAINED_SIZE = 4_000_000;

/** Begins to fetch, lets its control connection go when it is told to, and fetches the rest when it is told that. */
const LEAVE = `
import ftplib, hashlib, socket, struct, sys
ftp = ftplib.FTP(sys.argv[1], timeout=60)
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
  for (let i = 0; i < 2; i++) await client.must(["curl", "--silent", "--max-time", "60", `ftp://${farm.vip}/files/`]);
  const between = (await realserversOf(control, "ftp")).find((one) => one.realserver === realserver)!;
  prove(
    between.traffic.connections === 2,
    `${between.traffic.connections} connections of a realserver that is drained`,
  );
  slow.write("leave\n");
  const left = async (): Promise<Drain> => (await control.ask("GET", at)) as Drain;
  await settled(left, ({ flows }) => flows["control"] === 0);
  const only = await left();
  prove(only.left === 1 && only.flows["related"] === 1, `in the kernel's hands: ${JSON.stringify(only)}`);
  const waits = farm.director.start([
    ...[process.execPath, KINDRED, "ctl", "drain", "ftp", realserver],
    ...["--wait", "--timeout", "60", "--socket", control.socket],
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

export const packetChanged: readonly Scenario[] = [
  {
    name: "packet-reload",
    about: "10 reloads, by request and by SIGHUP, in the middle of 50 FTP transfers, and 50 after them: none is broken",
    needs: ["vsftpd", "python3"],
    run: reloaded,
  },
  {
    name: "packet-tunnel-removed",
    about:
      "two tunnelled realservers are taken out in the middle of transfers, theirs and a third one's: none is broken",
    needs: ["vsftpd", "curl", "python3"],
    run: tunnelsRemoved,
  },
  {
    name: "packet-drain",
    about: "a realserver is drained: nobody new, and a transfer in the kernel's hands is waited for",
    needs: ["vsftpd", "curl", "python3", "nft"],
    run: drained,
  },
];
