/** The proxies that people use today, configured for the same work; each a process in front, as its users run it. */
import { writeFileSync } from "node:fs";
import { locate, type Running } from "../lab/process.ts";
import type { Sandbox } from "../lab/sandbox.ts";
import { HOST, MEASURED, pinned } from "./place.ts";

/** From `port` to `server`; null where it is not installed. */
export type StartPeer = (sandbox: Sandbox, port: number, server: number) => Promise<Running | null>;

/** SUSE's ftp-proxy 1.9, a daemon that forks for each session: reverse proxy to one server. */
export const startFtpProxy: StartPeer = async (sandbox, port, server) => {
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
};

/** HAProxy in TCP mode on one thread: with `splice-auto`, its fastest way to move bytes. */
export const startHaproxy: StartPeer = async (sandbox, port, server) => {
  const program = locate("haproxy");
  if (program === null) return null;
  const file = sandbox.path("haproxy.cfg");
  writeFileSync(
    file,
    `global
  nbthread 1
defaults
  mode tcp
  option splice-auto
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen bulk
  bind ${HOST}:${port}
  server one ${HOST}:${server}
`,
  );
  const proxy = sandbox.start([program, "-db", "-f", file], pinned(MEASURED));
  await proxy.listening(port);
  return proxy;
};
