/** Debian's FTP servers as realservers, anonymous, all before the same folders. */
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { locate, must, type Running } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Family, Host } from "./topology.ts";
import { FTP_PORT, vsftpdConfig } from "./vsftpd.ts";

export interface FtpFolders {
  readonly root: string;
  /** Where the files are that clients fetch. */
  readonly files: string;
  /** Where the files land that clients send. */
  readonly uploads: string;
}

/** As vsftpd wants it: the anonymous root must not be the anonymous user's. */
export async function makeFtpFolders(sandbox: Sandbox): Promise<FtpFolders> {
  const root = sandbox.path("ftp-root");
  const [files, uploads] = [join(root, "files"), join(root, "uploads")];
  chmodSync(sandbox.directory, 0o755);
  for (const folder of [root, files, uploads]) mkdirSync(folder);
  chownSync(uploads, Number(await must(["id", "-u", "ftp"])), statSync(uploads).gid);
  return { root, files, uploads };
}

export interface FtpServer {
  /** The program that must be installed. */
  readonly program: string;
  start(sandbox: Sandbox, host: Host, family: Family, folders: FtpFolders): Promise<Running>;
}

const vsftpd: FtpServer = {
  program: "vsftpd",
  async start(sandbox, host, family, { root }) {
    const empty = sandbox.path(`${host.name}-empty`);
    mkdirSync(empty);
    const config = sandbox.path(`${host.name}-vsftpd.conf`);
    writeFileSync(config, vsftpdConfig({ root, empty, family, passive: undefined }));
    return listening(host.start([locate("vsftpd")!, config]));
  },
};

/** Its active data connections come from port 20. */
const proftpd: FtpServer = {
  program: "proftpd",
  async start(sandbox, host, family, { root }) {
    const config = sandbox.path(`${host.name}-proftpd.conf`);
    writeFileSync(config, proftpdConfig(sandbox, host, family, root));
    return listening(host.start([locate("proftpd")!, "--nodaemon", "--config", config]));
  },
};

const proftpdConfig = (sandbox: Sandbox, { name, address }: Host, family: Family, root: string): string => `
ServerType standalone
ServerName lab
ServerIdent on FTP
DefaultServer on
DefaultAddress ${address}
UseIPv6 ${family === 6 ? "on" : "off"}
Port ${FTP_PORT}
User nobody
Group nogroup
AuthPAM off
DelayEngine off
UseReverseDNS off
WtmpLog off
TransferLog none
SystemLog ${sandbox.path(`${name}-proftpd.log`)}
PidFile ${sandbox.path(`${name}-proftpd.pid`)}
ScoreboardFile ${sandbox.path(`${name}-proftpd.scoreboard`)}
<Anonymous ${root}>
  User ftp
  Group nogroup
  UserAlias anonymous ftp
  RequireValidShell off
  AllowOverwrite on
</Anonymous>
`;

/**
 * Its anonymous root is the home of the user "ftp": the folders are mounted there, in its own mounts' namespace. Where its
 * standard input is a socket it takes that for a client's.
 */
const pureFtpd: FtpServer = {
  program: "pure-ftpd",
  async start(sandbox, host, family, { root }) {
    const home = (await must(["getent", "passwd", "ftp"])).split(":")[5]!;
    const options = ["--anonymousonly", "--dontresolve", `--ipv${family}only`, "--bind", String(FTP_PORT)];
    options.push("--pidfile", sandbox.path(`${host.name}-pure-ftpd.pid`));
    const script = 'mount --bind "$1" "$2" && shift 2 && exec "$@" < /dev/null';
    return listening(host.start(["sh", "-c", script, "sh", root, home, locate("pure-ftpd")!, ...options]));
  },
};

async function listening(server: Running): Promise<Running> {
  await server.listening(FTP_PORT);
  return server;
}

export const ftpServers = { vsftpd, proftpd, "pure-ftpd": pureFtpd };
