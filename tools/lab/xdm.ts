/**
 * Debian's xdm as a realserver: no display of its own, a login screen for whoever asks by XDMCP. The screen has a colour
 * by which a picture of it says whose it is; so has the session that a login starts, until it is told to end.
 */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Sandbox } from "./sandbox.ts";
import type { Colour } from "./terminal.ts";
import type { Host } from "./topology.ts";

export const XDMCP_PORT = 177;
/** Who logs in; its password is anything. */
export const USER = "nobody";

export interface Xdm {
  readonly login: Colour;
  readonly session: Colour;
  /** Ends the session that runs. */
  logOut(): void;
}

const hex = (colour: Colour): string => `#${colour.map((part) => part.toString(16).padStart(2, "0")).join("")}`;

export async function startXdm(
  sandbox: Sandbox,
  host: Host,
  { name, login, session }: { readonly name: string; readonly login: Colour; readonly session: Colour },
): Promise<Xdm> {
  const folder = sandbox.path(name);
  // The session runs as somebody else, who must come through to its program.
  chmodSync(sandbox.directory, 0o755);
  mkdirSync(folder);
  const at = (file: string): string => join(folder, file);
  mkdirSync(at("cookies"));
  chmodSync(at("cookies"), 0o1777);
  writeFileSync(at("config"), configuration(folder));
  writeFileSync(at("servers"), "");
  writeFileSync(at("access"), "*\n");
  writeFileSync(at("resources"), `xlogin*greeting: ${name}\nxlogin*background: ${hex(login)}\n`);
  writeFileSync(at("session"), program(hex(session), at("running")), { mode: 0o755 });
  writeFileSync(at("pam"), ["auth", "account", "session"].map((kind) => `${kind} required pam_permit.so\n`).join(""));
  // In the mount namespace that ip-netns(8) makes: nobody else sees it.
  const command = `mount --bind "$1" /etc/pam.d/xdm && exec xdm -nodaemon -config "$2"`;
  const server = host.start(["sh", "-c", command, "sh", at("pam"), at("config")]);
  await server.listening(XDMCP_PORT, "udp");
  writeFileSync(at("running"), "");
  return { login, session, logOut: () => rmSync(at("running")) };
}

const configuration = (folder: string): string => `
DisplayManager.requestPort: ${XDMCP_PORT}
DisplayManager.authDir: ${folder}
DisplayManager.pidFile: ${folder}/pid
DisplayManager.errorLogFile: ${folder}/log
DisplayManager.servers: ${folder}/servers
DisplayManager.accessFile: ${folder}/access
DisplayManager*resources: ${folder}/resources
DisplayManager*userAuthDir: ${folder}/cookies
DisplayManager*authorize: true
DisplayManager*setup:
DisplayManager*startup:
DisplayManager*reset:
DisplayManager*session: ${folder}/session
`;

const program = (colour: string, running: string): string => `#!/bin/sh
xsetroot -solid '${colour}'
xclock &
while [ -e ${running} ]; do sleep 0.1; done
kill $!
`;
