/** Real clients, through the director, to Debian's vsftpd: every mode of every client, one scenario each. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Capture } from "../capture.ts";
import { type Client, clients, LISTING, transfersOf, type Variant } from "../clients.ts";
import { type Mode, proveDialogue } from "../dialogue.ts";
import { proveRelated, startDirector, untilReady } from "../director.ts";
import { FILES, proveSame, writeFiles } from "../files.ts";
import type { Sandbox } from "../sandbox.ts";
import type { Scenario } from "../scenario.ts";
import { makeFarm, proveIsolation } from "../topology.ts";
import { FTP_PORT, startVsftpd } from "../vsftpd.ts";
import { ftpService } from "./ftp-service.ts";

/** As the director names them. */
const KINDS: Record<Mode, string> = { port: "ftp-active", eprt: "ftp-eprt", pasv: "ftp-passive", epsv: "ftp-epsv" };

async function transferAll(sandbox: Sandbox, client: Client, { mode, family, options }: Variant): Promise<string> {
  const farm = await makeFarm(sandbox, family, 1, 1);
  const [host] = farm.clients;
  const vsftpd = await startVsftpd(sandbox, farm.realservers[0]!, family);
  const director = startDirector(sandbox, ftpService(farm), farm.director.start);
  await untilReady(director);
  await proveIsolation(farm, FTP_PORT);

  const downloads = sandbox.path("downloads");
  const outbox = sandbox.path("outbox");
  for (const folder of [downloads, outbox]) mkdirSync(folder);
  writeFiles(vsftpd.files);
  writeFiles(outbox);
  const capture = await Capture.start(sandbox, host!);
  await client.transfer({ host: host!, vip: farm.vip, family, downloads, outbox }, options);
  const segments = await capture.segments();

  proveSame(vsftpd.files, downloads);
  proveSame(outbox, vsftpd.uploads);
  const listing = readFileSync(join(downloads, LISTING), "latin1");
  for (const name of Object.keys(FILES)) {
    if (!listing.includes(name)) throw new Error(`the listing lacks ${name}:\n${listing}`);
  }
  const announced = proveDialogue(segments, {
    mode,
    client: host!.address,
    vip: farm.vip,
    hidden: farm.hidden,
    transfers: transfersOf(client),
  });
  await proveRelated(director, KINDS[mode], announced);
  const files = Object.keys(FILES).length;
  return `1 listing, ${files} downloads, ${files} uploads; ${announced} × ${mode.toUpperCase()}, each connected to`;
}

export const ftpVsftpd: readonly Scenario[] = Object.entries(clients).flatMap(([name, client]) =>
  client.variants.map((variant) => ({
    name: `ftp-vsftpd-${name}-${variant.name}`,
    about: `${name} ${variant.options.join(" ")} on IPv${variant.family}: list, download, upload; no realserver address`,
    needs: ["vsftpd", "tcpdump", "curl", ...(client.program === null ? [] : [client.program])],
    run: (sandbox: Sandbox) => transferAll(sandbox, client, variant),
  })),
);
