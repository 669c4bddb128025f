/**
 * FTP on the packet path: every client in every mode, before two different servers at once, whose clients' addresses are
 * their clients' own.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Capture, type Segment } from "../capture.ts";
import { allClients, type Client, LISTING, transfersOf, type Variant } from "../clients.ts";
import { type Mode, proveDialogue } from "../dialogue.ts";
import { events, startDirector, untilReady } from "../director.ts";
import { FILES, proveSame, writeFiles } from "../files.ts";
import { type FtpFolders, ftpServers, makeFtpFolders } from "../ftp-servers.ts";
import type { Running } from "../process.ts";
import { makeRoutedFarm } from "../routed.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { type Family, type Farm, proveIsolation } from "../topology.ts";
import { FTP_PORT } from "../vsftpd.ts";
import { ftpService } from "./ftp-service.ts";

type ServerName = keyof typeof ftpServers;

const KINDS: Record<Mode, string> = { port: "ftp-active", eprt: "ftp-eprt", pasv: "ftp-passive", epsv: "ftp-epsv" };

async function transferAll(sandbox: Sandbox, family: Family, servers: readonly ServerName[]): Promise<string> {
  const farm = await makeRoutedFarm(sandbox, family, 1, servers.length);
  const folders = await makeFtpFolders(sandbox);
  for (const [i, name] of servers.entries()) {
    await ftpServers[name].start(sandbox, farm.realservers[i]!, family, folders);
  }
  const director = startDirector(sandbox, ftpService(farm), farm.director.start, { path: "tun" });
  await untilReady(director);
  await proveIsolation(farm, FTP_PORT);
  const behind = await Promise.all(
    farm.realservers.map((real) => Capture.start(sandbox, real, `tcp port ${FTP_PORT}`)),
  );
  writeFiles(folders.files);
  let runs = 0;
  for (const client of Object.values(allClients)) {
    // Twice: each server has its turn.
    for (const variant of client.variants.filter((variant) => variant.family === family)) {
      for (const _server of servers) await transferOnce(sandbox, farm, folders, director, client, variant, ++runs);
    }
  }
  const served = await Promise.all(behind.map((capture) => capture.segments()));
  for (const segments of served) proveClientSeen(segments, farm);
  const related = events(director).filter(({ event, kind }) => event === "related" && kind !== undefined);
  return `${runs} runs of ${Object.keys(allClients).join(", ")}, ${related.length} related connections; ${servers.join(" and ")} saw the client's own address`;
}

async function transferOnce(
  sandbox: Sandbox,
  farm: Farm,
  folders: FtpFolders,
  director: Running,
  client: Client,
  { mode, family, options }: Variant,
  run: number,
): Promise<void> {
  const [host] = farm.clients;
  const [downloads, outbox] = [sandbox.path(`downloads-${run}`), sandbox.path(`outbox-${run}`)];
  for (const folder of [downloads, outbox]) mkdirSync(folder);
  writeFiles(outbox);
  const before = relatedOf(director, mode);
  const capture = await Capture.start(sandbox, host!);
  await client.transfer({ host: host!, vip: farm.vip, family, downloads, outbox }, options);
  const segments = await capture.segments();

  proveSame(folders.files, downloads);
  if (client.readsOnly !== true) proveSame(outbox, folders.uploads);
  const listing = readFileSync(join(downloads, LISTING), "latin1");
  for (const name of Object.keys(FILES)) {
    if (!listing.includes(name)) throw new Error(`the listing lacks ${name}:\n${listing}`);
  }
  const [address, { vip, hidden }] = [host!.address, farm];
  const announced = proveDialogue(segments, { mode, client: address, vip, hidden, transfers: transfersOf(client) });
  await director.until(() => relatedOf(director, mode) - before >= announced, `aware of ${announced} × ${KINDS[mode]}`);
  for (const folder of [downloads, outbox]) rmSync(folder, { recursive: true });
  for (const name of Object.keys(FILES)) rmSync(join(folders.uploads, name), { force: true });
}

const relatedOf = (director: Running, mode: Mode): number =>
  events(director).filter(({ event, kind }) => event === "related" && kind === KINDS[mode]).length;

/** LVS-NAT: whoever talks to a realserver's port 21 has the client's address. */
function proveClientSeen(segments: readonly Segment[], { clients }: Farm): void {
  const own = clients[0]!.address;
  const served = segments.filter(({ toPort }) => toPort === FTP_PORT);
  if (served.length === 0) throw new Error("a realserver was never asked");
  const other = served.find(({ from }) => from !== own);
  if (other !== undefined) throw new Error(`a realserver saw ${other.from} instead of the client's ${own}`);
}

const scenario = (name: string, family: Family, servers: readonly ServerName[]): Scenario => ({
  name: `packet-ftp-${name}-ipv${family}`,
  about: `FTP through NAT on packets, IPv${family}, all modes of all clients, ${servers.join(" and ")} in one farm`,
  needs: ["tcpdump", "curl", "lftp", "wget", "python3", ...servers.map((server) => ftpServers[server].program)],
  run: (sandbox: Sandbox) => transferAll(sandbox, family, servers),
});

export const packetFtp: readonly Scenario[] = [
  scenario("vsftpd-proftpd", 4, ["vsftpd", "proftpd"]),
  scenario("vsftpd-proftpd", 6, ["vsftpd", "proftpd"]),
  scenario("pure-ftpd", 4, ["pure-ftpd"]),
];
