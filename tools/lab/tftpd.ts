/** tftpd-hpa as a realserver: in the foreground, a folder that may be read and written. */
import { chmodSync, mkdirSync } from "node:fs";
import { locate, type Running } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Host } from "./topology.ts";

export const TFTP_PORT = 69;

/** The folder that it serves, once it listens. */
export async function startTftpd(sandbox: Sandbox, host: Host, name: string): Promise<string> {
  const folder = sandbox.path(name);
  mkdirSync(folder);
  // It runs as somebody else (nobody), who must come through to its folder.
  chmodSync(sandbox.directory, 0o755);
  chmodSync(folder, 0o777);
  const options = ["-4", "--foreground", "--create", "--user", "nobody", "--secure"];
  const server: Running = host.start([
    locate("in.tftpd") ?? "in.tftpd",
    ...options,
    "--address",
    `:${TFTP_PORT}`,
    folder,
  ]);
  await server.listening(TFTP_PORT, "udp");
  return folder;
}
