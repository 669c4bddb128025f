/** rsh-redone's in.rshd as a realserver, behind inetd. It lets in whoever comes from a reserved port, and nobody else. */
import { writeFileSync } from "node:fs";
import { locate } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Family, Host } from "./topology.ts";

export const RSH_PORT = 514;
/** Its service for PAM, which the package brings. */
export const PAM = "/etc/pam.d/rsh";

/** `known`: addresses that it is to know by a name; it speaks with no others. The host's own name is told by `/etc/hosts`. */
export async function startRshd(sandbox: Sandbox, host: Host, family: Family, known: readonly string[]): Promise<void> {
  const write = (name: string, lines: readonly string[]): string => {
    const file = sandbox.path(`${host.name}-${name}`);
    writeFileSync(file, `${lines.join("\n")}\n`);
    return file;
  };
  const pam = write("pam", [
    "auth required pam_permit.so",
    "account required pam_permit.so",
    "session required pam_permit.so",
  ]);
  const hosts = write("hosts", [...known.map((address, i) => `${address} peer${i}`), `${host.address} ${host.name}`]);
  const protocol = family === 6 ? "tcp6" : "tcp";
  const rshd = locate("in.rshd") ?? "in.rshd";
  const config = write("inetd.conf", [`shell stream ${protocol} nowait root ${rshd} in.rshd`]);
  // In mounts of its own, as `ip netns exec` gives each command: the machine's files stay as they are.
  const inetd = `exec ${locate("inetd") ?? "inetd"} -i ${config}`;
  const script = `mount --bind ${pam} ${PAM} && mount --bind ${hosts} /etc/hosts && ${inetd}`;
  await host.start(["sh", "-c", script]).listening(RSH_PORT);
}
