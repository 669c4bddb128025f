/** Debian's Samba as a realserver: nmbd under the name that all share, smbd with a share of its own for guests. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { locate } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Host } from "./topology.ts";

export const NETBIOS_NAME = "FARM";
export const WORKGROUP = "LAB";
export const SHARE = "files";
export const SMB_PORTS = { name: 137, datagram: 138, session: 139, direct: 445 } as const;

/** The folder of the share, once both listen. `at`: the address that it is to tell those who ask for the name. */
export async function startSamba(sandbox: Sandbox, host: Host, name: string, at: string): Promise<string> {
  const folder = sandbox.path(name);
  const share = join(folder, "share");
  const config = writeConfig(
    folder,
    NETBIOS_NAME,
    `[${SHARE}]\n  path = ${share}\n  guest ok = yes\n`,
    at === host.address ? "" : `interfaces = ${at}/32`,
  );
  mkdirSync(share);
  // It reads the share as somebody else (nobody), who must come through to it.
  for (const path of [sandbox.directory, folder, share]) chmodSync(path, 0o755);
  const smbd = startDaemon(host, "smbd", config);
  const nmbd = startDaemon(host, "nmbd", config);
  for (const port of [SMB_PORTS.session, SMB_PORTS.direct]) await smbd.listening(port);
  for (const port of [SMB_PORTS.name, SMB_PORTS.datagram]) await nmbd.listening(port, "udp");
  return share;
}

/** nmbd at a client, which tells the browser at `address` (the datagram service) that it is there. */
export function startAnnouncer(sandbox: Sandbox, host: Host, address: string): void {
  const config = writeConfig(
    sandbox.path(`${host.name}-nmbd`),
    "CLIENT",
    "",
    `remote announce = ${address}/${WORKGROUP}`,
  );
  startDaemon(host, "nmbd", config);
}

/** Where smbclient and nmblookup find nothing of the machine's own. */
export const writeClientConfig = (sandbox: Sandbox): string => writeConfig(sandbox.path("smbclient"), "CLIENT", "");

/** Without `--daemon` they take a standard input that is a socket for a client of inetd's. What they say is kept for the one who asks why one ended. */
const startDaemon = (host: Host, program: "smbd" | "nmbd", config: string) =>
  host.start([
    locate(program) ?? program,
    ...["--daemon", "--foreground", "--no-process-group", "--debug-stdout", "--configfile", config],
  ]);

function writeConfig(folder: string, name: string, shares: string, more = ""): string {
  mkdirSync(folder);
  const directories = ["private", "lock", "state", "cache", "pid", "ncalrpc"];
  for (const directory of directories) mkdirSync(join(folder, directory), { mode: 0o700 });
  const lines = directories.map(
    (directory) => `  ${directory} ${directory === "ncalrpc" ? "dir" : "directory"} = ${folder}/${directory}`,
  );
  // nmbd's socket would be in /run/samba, of which it makes only the last folder, and which all would share.
  lines.push(`  nmbd:socket dir = ${folder}/nmbd`);
  const file = join(folder, "smb.conf");
  writeFileSync(
    file,
    `[global]
  netbios name = ${name}
  workgroup = ${WORKGROUP}
  server role = standalone server
  map to guest = bad user
  guest account = nobody
  load printers = no
  disable spoolss = yes
  ${more}
${lines.join("\n")}
${shares}`,
  );
  return file;
}
