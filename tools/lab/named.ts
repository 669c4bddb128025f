/** BIND 9 as a realserver: one zone, and its own name as server identifier (NSID, RFC 5001). */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { locate, type Running } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Host } from "./topology.ts";

export const DNS_PORT = 53;
export const ZONE = "corp.test";

export async function startNamed(sandbox: Sandbox, host: Host, name: string): Promise<Running> {
  const folder = sandbox.path(name);
  mkdirSync(folder);
  chmodSync(folder, 0o755);
  const [zone, file] = [join(folder, "zone"), join(folder, "named.conf")];
  writeFileSync(zone, records);
  writeFileSync(file, configuration(folder, name, zone));
  const server = host.start([locate("named") ?? "named", "-f", "-c", file]);
  await server.listening(DNS_PORT);
  return server;
}

/** More than one datagram holds: 20 strings of 100 bytes under every name below `big`. */
const records = `$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.1
www A 192.0.2.2
*.big TXT ${Array.from({ length: 20 }, () => `"${"x".repeat(100)}"`).join(" ")}
`;

const configuration = (folder: string, name: string, zone: string): string => `
options {
  directory "${folder}";
  pid-file "${folder}/pid";
  session-keyfile "${folder}/session.key";
  listen-on { any; };
  listen-on-v6 { none; };
  recursion no;
  server-id "${name}";
};
controls { };
zone "${ZONE}" { type primary; file "${zone}"; };
`;
