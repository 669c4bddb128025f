/** Two realservers that announce one and the same passive port at the same time, to two clients. */
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Capture } from "../capture.ts";
import { controlLines } from "../dialogue.ts";
import { startDirector, untilReady } from "../director.ts";
import { digest, writeFiles } from "../files.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { type Farm, type Host, makeFarm } from "../topology.ts";
import { startVsftpd } from "../vsftpd.ts";
import { ftpService } from "./ftp-service.ts";

const SCRIPT = fileURLToPath(new URL("../slow-passive.js", import.meta.url));
const PASSIVE = 50_000;
const FILE = "five.bin";

/** Both hold their 227 before either connects. Returns what each of them got. */
async function downloadAtOnce(sandbox: Sandbox, farm: Farm): Promise<string[]> {
  const downloads = farm.clients.map((host) => {
    const directory = sandbox.path(`${host.name}-downloads`);
    mkdirSync(directory);
    const command = [process.execPath, SCRIPT, farm.vip, `/files/${FILE}`];
    return { directory, process: host.start(command, { directory }) };
  });
  for (const { process } of downloads) await process.until(() => process.stdout.includes("227 "), "told a port");
  for (const { process } of downloads) process.write("connect\n");
  for (const { process } of downloads) {
    if ((await process.exited) !== 0) throw new Error(`the download failed: ${process.stderr}`);
  }
  return downloads.map(({ directory }) => digest(directory, FILE));
}

/** The realservers' own announcements, on their wires. */
function proveAnnounced(lines: readonly string[], real: Host): void {
  const announced = `${real.address.replaceAll(".", ",")},${PASSIVE >> 8},${PASSIVE & 255}`;
  if (!lines.some((line) => line.startsWith("227 ") && line.includes(announced))) {
    throw new Error(`${real.address} did not announce port ${PASSIVE}:\n${lines.join("\n")}`);
  }
}

async function run(sandbox: Sandbox): Promise<string> {
  const farm = await makeFarm(sandbox, 4, 2, 2);
  const files: string[] = [];
  for (const real of farm.realservers) {
    const vsftpd = await startVsftpd(sandbox, real, 4, PASSIVE);
    // The same name, other bytes: a crossed connection shows.
    writeFiles(vsftpd.files, [FILE]);
    files.push(digest(vsftpd.files, FILE));
  }
  await untilReady(startDirector(sandbox, ftpService(farm), farm.director.start));
  const captures = await Promise.all(farm.realservers.map((real) => Capture.start(sandbox, real)));

  const got = await downloadAtOnce(sandbox, farm);
  for (const [i, capture] of captures.entries()) {
    proveAnnounced(controlLines(await capture.segments()), farm.realservers[i]!);
  }
  if (got.toSorted().join() !== files.toSorted().join()) throw new Error("a client got another realserver's bytes");
  return `both realservers announced ${PASSIVE} at once, both clients got their own realserver's 5 MiB`;
}

export const ftpSamePort: Scenario = {
  name: "ftp-vsftpd-same-passive-port",
  about: "two realservers announce the same passive port at once to two clients; both transfers are right",
  needs: ["vsftpd", "tcpdump"],
  run,
};
