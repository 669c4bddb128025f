/**
 * OpenSSH's sshd as a realserver, and its client. One key for all hosts, one for the user: who comes in is asked for
 * nothing. The user is known on the realserver only, and has a home there that is no other realserver's.
 */
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { locate, must } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Host } from "./topology.ts";

export const SSH_PORT = 22;

const USER = "visitor";
/** Nobody's on the machine, and not root's. */
const ID = 64_022;

export interface SshKeys {
  /** The file of the key by which all realservers are known. */
  readonly host: string;
  /** The file of the user's key. */
  readonly user: string;
}

export async function makeSshKeys(sandbox: Sandbox): Promise<SshKeys> {
  const keys = { host: sandbox.path("ssh-host-key"), user: sandbox.path("ssh-user-key") };
  for (const file of Object.values(keys)) await must(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file]);
  return keys;
}

export async function startSshd(sandbox: Sandbox, host: Host, keys: SshKeys): Promise<void> {
  // The session runs as the user, who must come through to the home.
  chmodSync(sandbox.directory, 0o755);
  const at = (name: string): string => sandbox.path(`${host.name}-${name}`);
  mkdirSync(at("home"));
  chownSync(at("home"), ID, ID);
  writeFileSync(at("sshd.conf"), serverConfiguration(keys));
  writeFileSync(at("passwd"), passwords(at("home")));
  // In mounts of its own, as `ip netns exec` gives each command: the machine's users and files stay as they are.
  const script = [
    `mount --bind ${at("passwd")} /etc/passwd`,
    "mount --bind /dev/null /etc/shadow",
    "mount -t tmpfs -o mode=755 tmpfs /run",
    "mkdir /run/sshd",
    `exec ${locate("sshd") ?? "sshd"} -D -e -f ${at("sshd.conf")}`,
  ];
  await host.start(["sh", "-c", script.join(" && ")]).listening(SSH_PORT);
}

const serverConfiguration = ({ host, user }: SshKeys): string => `
Port ${SSH_PORT}
HostKey ${host}
AuthorizedKeysFile ${user}.pub
PasswordAuthentication no
StrictModes no
UsePAM no
UseDNS no
PidFile none
Subsystem sftp internal-sftp
X11Forwarding yes
XAuthLocation ${locate("xauth")}
`;

/** passwd(5): sshd's own two, and the user, whose password fits nothing. */
const passwords = (home: string): string => `root:*:0:0::/nonexistent:/bin/sh
sshd:*:64021:65534::/run/sshd:/usr/sbin/nologin
${USER}:*:${ID}:${ID}::${home}:/bin/sh
`;

/** A client's configuration file, for `ssh -F`: it knows one key at `vip`, and goes nowhere that has another. */
export function sshClient(sandbox: Sandbox, vip: string, { host, user }: SshKeys): string {
  const known = sandbox.path("ssh-known-hosts");
  writeFileSync(known, `${vip} ${readFileSync(`${host}.pub`, "utf8")}`);
  const file = sandbox.path("ssh.conf");
  const settings = [
    `User ${USER}`,
    `IdentityFile ${user}`,
    "IdentitiesOnly yes",
    `UserKnownHostsFile ${known}`,
    "GlobalKnownHostsFile /dev/null",
    "StrictHostKeyChecking yes",
    "BatchMode yes",
    `XAuthLocation ${locate("xauth")}`,
  ];
  writeFileSync(file, `${settings.join("\n")}\n`);
  return file;
}
