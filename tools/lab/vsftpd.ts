/** Debian's vsftpd as a realserver: anonymous, with a directory to download from and one to upload to. */
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { locate, must, type Running } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Family, Host } from "./topology.ts";

export const FTP_PORT = 21;

export interface Vsftpd {
  readonly process: Running;
  /** Where the files are that clients fetch. */
  readonly files: string;
  /** Where the files land that clients send. */
  readonly uploads: string;
}

/** `passive`: the only port that it announces; without it, any. */
export async function startVsftpd(sandbox: Sandbox, host: Host, family: Family, passive?: number): Promise<Vsftpd> {
  const root = sandbox.path(`${host.name}-root`);
  const empty = sandbox.path(`${host.name}-empty`);
  const files = join(root, "files");
  const uploads = join(root, "uploads");
  // vsftpd runs its sessions as other users: they must be able to walk here, and the anonymous root must not be theirs.
  chmodSync(sandbox.directory, 0o755);
  for (const folder of [root, empty, files, uploads]) mkdirSync(folder);
  chownSync(uploads, Number(await must(["id", "-u", "ftp"])), statSync(uploads).gid);

  const config = sandbox.path(`${host.name}.conf`);
  writeFileSync(config, vsftpdConfig({ root, empty, family, passive }));
  const vsftpd = host.start([locate("vsftpd") ?? "vsftpd", config]);
  await vsftpd.listening(FTP_PORT);
  return { process: vsftpd, files, uploads };
}

interface Layout {
  readonly root: string;
  readonly empty: string;
  readonly family: Family;
  readonly passive: number | undefined;
  readonly more?: Readonly<Record<string, string | number>>;
}

export function vsftpdConfig({ root, empty, family, passive, more = {} }: Layout): string {
  const options: Record<string, string | number> = {
    [family === 6 ? "listen_ipv6" : "listen"]: "YES",
    // With the data connections from port 20 a director on the realserver's side would need that port for itself.
    connect_from_port_20: "NO",
    background: "NO",
    anonymous_enable: "YES",
    no_anon_password: "YES",
    anon_root: root,
    write_enable: "YES",
    anon_upload_enable: "YES",
    anon_umask: "022",
    anon_world_readable_only: "NO",
    pasv_enable: "YES",
    port_enable: "YES",
    secure_chroot_dir: empty,
    // The sandbox of 3.0.3 forbids calls that newer C libraries make.
    seccomp_sandbox: "NO",
    xferlog_enable: "NO",
  };
  if (passive !== undefined) Object.assign(options, { pasv_min_port: passive, pasv_max_port: passive });
  return Object.entries({ ...options, ...more })
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}
