/** X11 over ssh: windows of programs on the realservers, each in its client's one connection to port 22. */

import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { events, startDirector, untilReady } from "../director.ts";
import type { Running } from "../process.ts";
import { prove } from "../prove.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { makeSshKeys, SSH_PORT, sshClient, startSshd } from "../sshd.ts";
import { Terminal } from "../terminal.ts";
import { type Farm, type FarmMaker, type Host, makeFarm } from "../topology.ts";

export const NEEDS = ["sshd", "ssh", "scp", "ssh-keygen", "xauth", "Xvfb", "xclock", "xwininfo", "mount"];

const CLIENTS = 4;
/** How long a window is waited for: generous, since a busy machine is no failure. */
const PATIENCE = 90_000;

/** What the remote program's window says of where it runs. */
interface Window {
  /** The client's file, which scp left there. */
  readonly note: string;
  readonly seenClient: string;
  readonly server: string;
  readonly display: string;
}

const sshService = (farm: Farm): object => ({
  services: [
    {
      name: "ssh",
      vip: farm.vip,
      ports: [`tcp/${SSH_PORT}`],
      scheduler: "rr",
      persistence: "300s",
      realservers: farm.targets,
    },
  ],
  log: { level: "info", format: "json" },
});

export async function windows(sandbox: Sandbox, make: FarmMaker): Promise<string> {
  const farm = await make(sandbox, 4, CLIENTS, 2);
  const keys = await makeSshKeys(sandbox);
  for (const host of farm.realservers) await startSshd(sandbox, host, keys);
  const director = startDirector(sandbox, sshService(farm), farm.director.start, { path: farm.path });
  await untilReady(director);
  const config = sshClient(sandbox, farm.vip, keys);

  const shown = await Promise.all(farm.clients.map((client) => windowOf(sandbox, client, farm.vip, config)));
  for (const [i, client] of farm.clients.entries()) proveWindow(shown[i]!, client, farm);
  const served = farm.realservers.map((real) => shown.filter(({ server }) => server === farm.servesAt(real)).length);
  prove(
    served.every((count) => count === CLIENTS / farm.realservers.length),
    `windows of the realservers: ${served.join(" and ")}`,
  );
  const related = events(director).filter(({ event }) => event === "related");
  prove(related.length === 0, `the director made ${related.length} related entries`);
  return `${CLIENTS} windows, ${served.join(" and ")} of each realserver, one host key, scp before on the same one; nothing but port ${SSH_PORT}`;
}

/** scp takes a file there; a second connection shows what is in it in the title of a clock. */
async function windowOf(sandbox: Sandbox, client: Host, vip: string, config: string): Promise<Window> {
  const note = `note-${client.name}`;
  writeFileSync(sandbox.path(note), client.name);
  const desk = await Terminal.start(sandbox, client);
  await client.must(["scp", "-q", "-F", config, sandbox.path(note), `${vip}:${note}`]);
  const clock = `exec xclock -title "clock $(cat ${note}) $SSH_CONNECTION $DISPLAY"`;
  const ssh = client.start([...desk.environment, "ssh", "-F", config, "-X", "-T", vip, clock]);
  return untilShown(desk, ssh);
}

/** SSH_CONNECTION is of four words (ssh(1)). */
const TITLE = /(0x[0-9a-f]+) "clock (\S*) (\S+) \d+ (\S+) \d+ (\S+)": \("xclock" "XClock"\)/;

async function untilShown({ host, environment }: Terminal, ssh: Running): Promise<Window> {
  let refused = "";
  // On a busy machine the display now and then cannot be opened, and a moment later it can.
  const ask = (...about: readonly string[]) =>
    host.must([...environment, "xwininfo", ...about]).catch((error: Error) => {
      refused = error.message;
      return "";
    });
  let ended = false;
  void ssh.exited.then(() => (ended = true));
  for (const deadline = Date.now() + PATIENCE; !ended && Date.now() < deadline; await sleep(50)) {
    const [, id, note, seenClient, server, display] = TITLE.exec(await ask("-root", "-tree")) ?? [];
    if (id === undefined) continue;
    if ((await ask("-id", id)).includes("IsViewable"))
      return { note: note!, seenClient: seenClient!, server: server!, display: display! };
  }
  throw new Error(`${host.name} shows no clock: ${ssh.stderr}${refused}`);
}

function proveWindow(
  { note, seenClient, server, display }: Window,
  client: Host,
  { realservers, ...farm }: Farm,
): void {
  prove(note === client.name, `${client.name} shows the clock of ${note}`);
  prove(seenClient === farm.seenAs(client), `the realserver saw ${seenClient} in ${client.name}'s place`);
  prove(
    realservers.some((real) => farm.servesAt(real) === server),
    `a clock came from ${server}`,
  );
  prove(/^localhost:1\d\.0$/.test(display), `DISPLAY was ${display} on the realserver`);
}

export const x11Ssh: Scenario = {
  name: "x11-ssh",
  about: "four clients' ssh -X show the windows of two OpenSSH servers; scp meets the same one, the host key is one",
  needs: NEEDS,
  run: (sandbox) => windows(sandbox, makeFarm),
};
