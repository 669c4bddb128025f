/** Port groups on the packet path, by every method: FTPS, whose control connection nobody reads, and 80 with 443. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startDirector, untilReady } from "../director.ts";
import { FILES, proveSame, writeFiles } from "../files.ts";
import { makeFtpFolders } from "../ftp-servers.ts";
import { locate } from "../process.ts";
import { prove } from "../prove.ts";
import { routed } from "../routed.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import type { FarmMaker, Host } from "../topology.ts";
import { FTP_PORT, vsftpdConfig } from "../vsftpd.ts";

const WAYS: Readonly<Record<string, FarmMaker>> = {
  nat: routed(["nat"]),
  dr: routed(["dr"]),
  tunnel: routed(["tunnel"]),
};

const PASSIVE = { first: 40_000, last: 40_100 };

async function startFtps(sandbox: Sandbox, host: Host, root: string): Promise<void> {
  const [key, certificate] = [sandbox.path(`${host.name}-key`), sandbox.path(`${host.name}-certificate`)];
  const subject = ["-days", "2", "-subj", "/CN=ftp.example"];
  const request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", ...subject];
  await host.must([...request, "-keyout", key, "-out", certificate]);
  const empty = sandbox.path(`${host.name}-empty`);
  mkdirSync(empty);
  const more = {
    ssl_enable: "YES",
    allow_anon_ssl: "YES",
    force_anon_data_ssl: "NO",
    force_anon_logins_ssl: "NO",
    require_ssl_reuse: "NO",
    ssl_tlsv1: "YES",
    rsa_cert_file: certificate,
    rsa_private_key_file: key,
    pasv_min_port: PASSIVE.first,
    pasv_max_port: PASSIVE.last,
  };
  const config = sandbox.path(`${host.name}-vsftpd.conf`);
  writeFileSync(config, vsftpdConfig({ root, empty, family: 4, passive: undefined, more }));
  await host.start([locate("vsftpd")!, config]).listening(FTP_PORT);
}

/** curl's own TLS, then without it: where nobody reads what is said in the clear either, the group serves that too. */
const SECURITY = [["--ssl-reqd", "--insecure"], []];

async function ftps(sandbox: Sandbox, make: FarmMaker): Promise<string> {
  const farm = await make(sandbox, 4, 2, 2);
  const folders = await makeFtpFolders(sandbox);
  for (const host of farm.realservers) await startFtps(sandbox, host, folders.root);
  const ports = `${PASSIVE.first}-${PASSIVE.last}`;
  const service = {
    name: "ftps",
    vip: farm.vip,
    ports: [`tcp/${FTP_PORT}`, `tcp/${ports}`],
    helper: "ftp",
    scheduler: "rr",
    realservers: farm.targets.map((target) => ({ ...target, passivePorts: ports })),
  };
  const config = { services: [service], log: { level: "info", format: "json" } };
  await untilReady(startDirector(sandbox, config, farm.director.start, { path: farm.path }));
  writeFiles(folders.files);
  let transfers = 0;
  for (const [i, client] of farm.clients.entries()) {
    for (const [n, security] of SECURITY.entries()) {
      const directory = sandbox.path(`downloads-${i}-${n}`);
      mkdirSync(directory);
      const targets = Object.keys(FILES).flatMap((name) => ["--output", name, `ftp://${farm.vip}/files/${name}`]);
      await client.must(["curl", "--silent", "--show-error", "--max-time", "90", ...security, ...targets], {
        directory,
      });
      proveSame(folders.files, directory);
      transfers += Object.keys(FILES).length;
    }
  }
  return `${transfers} transfers of two clients, encrypted and not, by passive ports ${ports}`;
}

const WEB_PORTS = [80, 443];
const ROUNDS = 10;

async function web(sandbox: Sandbox, make: FarmMaker): Promise<string> {
  const farm = await make(sandbox, 4, 2, 2);
  for (const [i, host] of farm.realservers.entries()) {
    const folder = sandbox.path(`web-${i}`);
    mkdirSync(folder);
    writeFileSync(join(folder, "name"), `real-${i}`);
    for (const port of WEB_PORTS) {
      await host.start(["python3", "-m", "http.server", String(port), "--directory", folder]).listening(port);
    }
  }
  const ports = WEB_PORTS.map((port) => `tcp/${port}`);
  const group = { name: "web", vip: farm.vip, ports, scheduler: "rr", realservers: farm.targets };
  const config = { groups: [group], log: { level: "info", format: "json" } };
  await untilReady(startDirector(sandbox, config, farm.director.start, { path: farm.path }));
  const met = new Map<string, Set<string>>(farm.clients.map(({ name }) => [name, new Set<string>()]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, must } of farm.clients) {
      const port = WEB_PORTS[round % WEB_PORTS.length]!;
      met.get(name)!.add(await must(["curl", "--silent", "--max-time", "60", `http://${farm.vip}:${port}/name`]));
    }
  }
  const servers = [...met.values()].map((names) => [...names].join(" and "));
  prove(new Set(servers).size === 2 && servers.every((name) => name.startsWith("real-")), `clients met ${servers}`);
  prove(
    [...met.values()].every(({ size }) => size === 1),
    `one client met several: ${servers}`,
  );
  return `${ROUNDS} connections of each client, to 80 and 443 in turn: ${servers.join(", the other ")}`;
}

export const packetGroups: readonly Scenario[] = Object.entries(WAYS).flatMap(([way, make]): Scenario[] => [
  {
    name: `packet-ftps-${way}`,
    about: `FTPS by a port group, by ${way}: curl and vsftpd, explicit TLS, passive`,
    needs: ["vsftpd", "curl", "openssl", "python3"],
    run: (sandbox) => ftps(sandbox, make),
  },
  {
    name: `packet-web-${way}`,
    about: `a persistent group of 80 and 443, by ${way}: each client has one realserver`,
    needs: ["python3", "curl"],
    run: (sandbox) => web(sandbox, make),
  },
]);
