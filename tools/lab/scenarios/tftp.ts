/** tftpd-hpa twice, behind one address: curl and tftp-hpa's client read and write. */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { startDirector, untilReady } from "../director.ts";
import { digest, writeFiles } from "../files.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { startTftpd, TFTP_PORT } from "../tftpd.ts";
import { type Farm, type FarmMaker, makeFarm } from "../topology.ts";

const FILE = "one.bin";
const COUNT = 4;

/** One transfer: `local` is a file of the client's. */
type Transfer = (farm: Farm, what: "get" | "put", remote: string, local: string) => Promise<string>;

export const withCurl: Transfer = ({ vip, clients }, what, remote, local) => {
  const url = `tftp://${vip}:${TFTP_PORT}/${remote}`;
  const rest = what === "get" ? ["--output", local, url] : ["--upload-file", local, url];
  return clients[0]!.must(["curl", "--silent", "--show-error", "--max-time", "90", ...rest]);
};

/** Its status says little (0 after an error that the server told): what counts is the file. */
const withTftp: Transfer = ({ vip, clients }, what, remote, local) => {
  const names = what === "get" ? [remote, local] : [local, remote];
  return clients[0]!.must(["tftp", "-4", "-m", "binary", vip, String(TFTP_PORT), "-c", what, ...names]);
};

/** Each file is read and written by one connection after the other, so that both realservers serve both. */
export async function transfers(sandbox: Sandbox, make: FarmMaker, transfer: Transfer, count = COUNT): Promise<string> {
  const farm = await make(sandbox, 4, 1, 2);
  const folders = await Promise.all(farm.realservers.map((host, i) => startTftpd(sandbox, host, `real-${i}`)));
  const service = {
    name: "boot",
    vip: farm.vip,
    ports: [`udp/${TFTP_PORT}`],
    helper: "tftp",
    scheduler: "rr",
    realservers: farm.targets,
  };
  const config = { services: [service], log: { level: "info", format: "json" } };
  await untilReady(startDirector(sandbox, config, farm.director.start, { path: farm.path }));
  const [sent, received] = [sandbox.path("sent"), sandbox.path("received")];
  for (const folder of [sent, received]) mkdirSync(folder);
  writeFiles(sent, [FILE]);
  for (let i = 0; i < count; i++) await transfer(farm, "put", `written-${i}`, join(sent, FILE));
  const whole = digest(sent, FILE);
  const written = folders.map((folder) => readdirSync(folder).filter((name) => digest(folder, name) === whole).length);
  if (written.some((files) => files !== count / 2)) throw new Error(`${count} files: ${written.join(" and ")} written`);
  // Of the same name, and each another: what arrives says who sent it.
  for (const folder of folders) writeFiles(folder, [FILE]);
  const got = [0, 0];
  for (let i = 0; i < count; i++) {
    await transfer(farm, "get", FILE, join(received, FILE));
    const came = digest(received, FILE);
    for (const [n, folder] of folders.entries()) if (digest(folder, FILE) === came) got[n]!++;
  }
  if (got.some((files) => files !== count / 2)) throw new Error(`${count} files: ${got.join(" and ")} read`);
  return `1 MiB byte for byte: ${written.join(" and ")} written, ${got.join(" and ")} read`;
}

export const tftp: readonly Scenario[] = [
  {
    name: "tftp-curl",
    about: "curl reads and writes files of both tftpd-hpa servers",
    needs: ["in.tftpd", "curl"],
    run: (sandbox) => transfers(sandbox, makeFarm, withCurl),
  },
  {
    name: "tftp-hpa",
    about: "tftp-hpa's client reads and writes files of both tftpd-hpa servers",
    needs: ["in.tftpd", "tftp"],
    run: (sandbox) => transfers(sandbox, makeFarm, withTftp),
  },
];
