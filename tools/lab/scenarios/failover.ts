/**
 * Two directors and keepalived: the active one is killed, and the client's next transfer goes through the other.
 *
 *   client ─ front ─┬─ director a ─┬─ back ─ realserver      the VIP is with one of them, by VRRP
 *                   └─ director b ─┘
 *
 * keepalived's configuration is the one in docs/failover.md.
 */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { events, startDirector, untilReady } from "../director.ts";
import { digest, writeFiles } from "../files.ts";
import { locate, type Running } from "../process.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { addAddress, type Host, makeNamespace, makeSwitch, plug } from "../topology.ts";
import { FTP_PORT, startVsftpd } from "../vsftpd.ts";

/** It is not compiled into dist/; from there it is a folder further up. */
const UP = import.meta.url.includes("/dist/") ? "../../../../" : "../../../";
const DOCUMENT = new URL(`${UP}docs/failover.md`, import.meta.url);
const FRONT = "10.77.1.";
const BACK = "10.77.2.";
const VIP = `${FRONT}100`;
const FILE = "five.bin";
/** For VRRP to settle. */
const PATIENCE = 60_000;

interface Twin {
  readonly host: Host;
  readonly folder: string;
  director: Running;
}

/** What the document has in its block of `language`, with `own` in place of what it names. */
function documented(language: string, own: Readonly<Record<string, string>>): string {
  const fence = "`".repeat(3);
  const text = readFileSync(DOCUMENT, "utf8").split(`\n${fence}${language}\n`)[1]!.split(`\n${fence}`)[0]!;
  return Object.entries(own).reduce((all, [from, to]) => {
    if (!all.includes(from)) throw new Error(`docs/failover.md does not say ${from}`);
    return all.replaceAll(from, to);
  }, `${text}\n`);
}

async function startTwin(host: Host, folder: string, sandbox: Sandbox, real: Host): Promise<Running> {
  const service = { name: "ftp", vip: VIP, ports: [`tcp/${FTP_PORT}`], helper: "ftp" };
  const config = {
    services: [{ ...service, realservers: [{ address: real.address }] }],
    control: { socket: `${folder}/kindred.sock` },
    log: { level: "info", format: "json" },
  };
  const director = startDirector(sandbox, config, host.start);
  await untilReady(director);
  return director;
}

async function startKeepalived(twin: Twin, priority: number): Promise<void> {
  const { host, folder } = twin;
  const notify = `${folder}/notify`;
  writeFileSync(notify, documented("sh", { "/run/kindred": folder }));
  chmodSync(notify, 0o755);
  const file = `${folder}/keepalived.conf`;
  const own = {
    "203.0.113.10": VIP,
    "/run/kindred": folder,
    "/etc/keepalived/kindred-notify": notify,
    "priority 101": `priority ${priority}`,
    // A director that is dead refuses at once; one on a busy machine may take longer than it does on its own.
    "-m 1 ": "-m 60 ",
    "timeout 2": "timeout 60",
    // Its scripts lie in a folder below /tmp, where others may write.
    "    enable_script_security\n": "",
  };
  writeFileSync(file, documented("keepalived", own));
  const pids = ["-p", `${folder}/keepalived.pid`, "-r", `${folder}/vrrp.pid`];
  host.start([locate("keepalived")!, "--dont-fork", "--log-console", "--vrrp", "-f", file, ...pids]);
}

const hasVip = async ({ host }: Twin): Promise<boolean> => (await host.must(["ip", "address"])).includes(`${VIP}/32`);

const stateOf = ({ folder }: Twin): string => {
  try {
    return readFileSync(`${folder}/vrrp`, "utf8").trim();
  } catch {
    return "none";
  }
};

async function until(holds: () => Promise<boolean>, what: string): Promise<number> {
  const begun = Date.now();
  while (!(await holds())) {
    if (Date.now() - begun > PATIENCE) throw new Error(`${what}: not in ${PATIENCE / 1000} s`);
    await sleep(50);
  }
  return Date.now() - begun;
}

const hardwareOf = async ({ must }: Host): Promise<string> =>
  (JSON.parse(await must(["ip", "-j", "link", "show", "dev", "eth0"])) as [{ address: string }])[0].address;

/** Where the client sends what is for the VIP, without asking anew. */
async function knownTo({ must }: Host): Promise<string> {
  const [entry] = JSON.parse(await must(["ip", "-j", "neigh", "show", "to", VIP])) as [{ lladdr?: string }?];
  return entry?.lladdr ?? "nobody";
}

const relatedOf = ({ director }: Twin): number => events(director).filter(({ event }) => event === "related").length;

async function makeTwins(sandbox: Sandbox, ground: string, real: Host): Promise<[Twin, Twin]> {
  const twins: Twin[] = [];
  for (const [i, name] of ["a", "b"].entries()) {
    const namespace = await makeNamespace(sandbox, `${ground}-${name}`);
    const host = await plug(sandbox, namespace, ground, "front", `${FRONT}${1 + i}`, 4);
    const back = ["type", "veth", "peer", "name", `back-${name}`, "netns", ground];
    await host.must(["ip", "link", "add", "eth1", ...back]);
    await sandbox.must(["ip", "-n", ground, "link", "set", `back-${name}`, "master", "back", "up"]);
    await addAddress(namespace, "eth1", `${BACK}${1 + i}`, 4);
    await host.must(["ip", "link", "set", "eth1", "up"]);
    await host.must(["sysctl", "-q", "-w", "net.ipv4.ip_nonlocal_bind=1", "net.ipv4.ip_forward=0"]);
    const folder = sandbox.path(name);
    mkdirSync(folder);
    twins.push({ host, folder, director: await startTwin(host, folder, sandbox, real) });
  }
  return twins as [Twin, Twin];
}

async function run(sandbox: Sandbox): Promise<string> {
  const ground = await makeSwitch(sandbox, ["front", "back"]);
  const client = await plug(sandbox, await makeNamespace(sandbox, `${ground}-client`), ground, "front", `${FRONT}9`, 4);
  const real = await plug(sandbox, await makeNamespace(sandbox, `${ground}-real`), ground, "back", `${BACK}9`, 4);
  const vsftpd = await startVsftpd(sandbox, real, 4);
  writeFiles(vsftpd.files, [FILE]);
  const wanted = digest(vsftpd.files, FILE);
  const [a, b] = await makeTwins(sandbox, ground, real);
  for (const twin of [a, b]) if (await hasVip(twin)) throw new Error("a director took the VIP by itself");

  const fetch = async (through: Twin, other: Twin): Promise<void> => {
    const [made, others] = [relatedOf(through), relatedOf(other)];
    const to = sandbox.path(FILE);
    await client.must(["curl", "-sS", "--max-time", "60", "-o", to, `ftp://${VIP}/files/${FILE}`]);
    if (digest(sandbox.directory, FILE) !== wanted) throw new Error("the file did not arrive as it was sent");
    // What a director says comes a moment after what it does.
    await through.director.until(() => relatedOf(through) > made, "aware of the transfer");
    if (relatedOf(through) !== made + 1 || relatedOf(other) !== others) throw new Error("not through who has the VIP");
  };

  await startKeepalived(a, 101);
  await until(async () => (await hasVip(a)) && stateOf(a) === "MASTER", "the first takes the VIP");
  await startKeepalived(b, 100);
  await until(async () => stateOf(b) === "BACKUP", "the second is its backup");
  await fetch(a, b);

  await a.director.end("SIGKILL");
  const moved = await until(() => hasVip(b), "the second takes the VIP");
  const hardware = await hardwareOf(b.host);
  await until(async () => (await knownTo(client)) === hardware, "the client hears of it");
  if (await hasVip(a)) throw new Error("both have the VIP");
  await fetch(b, a);

  a.director = await startTwin(a.host, a.folder, sandbox, real);
  await until(async () => stateOf(a) === "BACKUP", "who came back is the backup");
  if (!(await hasVip(b)) || (await hasVip(a))) throw new Error("who came back took the VIP");
  await fetch(b, a);
  return `killed, and ${(moved / 1000).toFixed(1)} s later the VIP is with the other; who came back left it there`;
}

export const failover: Scenario = {
  name: "failover",
  about: "keepalived moves the VIP from a director that is killed to the other, as docs/failover.md says",
  needs: ["vsftpd", "curl", "keepalived"],
  run,
};
