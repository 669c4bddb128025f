/** The proxies that people use today, configured for the same work; each a process in front, as its users run it. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { locate, type Running } from "../lab/process.ts";
import type { Sandbox } from "../lab/sandbox.ts";
import { HOST, MEASURED, pinned } from "./place.ts";

/** SUSE's ftp-proxy 1.9, a daemon that forks for each session: reverse proxy to one server. Null: not installed. */
export async function startFtpProxy(sandbox: Sandbox, port: number, server: number): Promise<Running | null> {
  const program = locate("ftp-proxy");
  if (program === null) return null;
  const options: Record<string, string | number> = {
    ServerType: "standalone",
    Listen: HOST,
    Port: port,
    DestinationAddress: HOST,
    DestinationPort: server,
    // It counts connections a minute, and clients; neither is what is measured.
    ForkLimit: 1_000_000,
    MaxClients: 1_000,
    LogDestination: sandbox.path("ftp-proxy.log"),
    LogLevel: "FLT",
    PidFile: sandbox.path("ftp-proxy.pid"),
  };
  const file = sandbox.path("ftp-proxy.conf");
  const lines = Object.entries(options).map(([name, value]) => `${name} ${value}\n`);
  writeFileSync(file, `[-Global-]\n${lines.join("")}`);
  const proxy = sandbox.start([program, "-d", "-n", "-f", file], pinned(MEASURED));
  await proxy.listening(port);
  return proxy;
}

/** The least that a program on Node's `net` can do (bare-net.ts). */
export async function startBareNet(sandbox: Sandbox, port: number, server: number): Promise<Running> {
  const program = fileURLToPath(new URL("./bare-net.js", import.meta.url));
  const bare = sandbox.start([process.execPath, program, HOST, String(port), String(server)], pinned(MEASURED));
  await bare.listening(port);
  return bare;
}

/**
 * HAProxy in TCP mode on one thread, twice: at `port` as it is after installation, at `spliced` with
 * `option splice-request` and `splice-response`, which move bytes within the kernel.
 */
export async function startHaproxy(
  sandbox: Sandbox,
  port: number,
  spliced: number,
  server: number,
): Promise<Running | null> {
  const program = locate("haproxy");
  if (program === null) return null;
  const file = sandbox.path("haproxy.cfg");
  writeFileSync(
    file,
    `global
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen copying
  bind ${HOST}:${port}
  server one ${HOST}:${server}
listen splicing
  option splice-request
  option splice-response
  bind ${HOST}:${spliced}
  server one ${HOST}:${server}
`,
  );
  const proxy = sandbox.start([program, "-db", "-f", file], pinned(MEASURED));
  await proxy.listening(spliced);
  return proxy;
}
