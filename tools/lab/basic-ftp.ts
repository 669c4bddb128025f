/**
 * basic-ftp.js MODE HOST OUTBOX FILE...: what curl and lftp do by their options, for the library. Runs as a process of
 * its own, since a network namespace belongs to a process. Downloads into the working directory.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client, enterPassiveModeIPv4, enterPassiveModeIPv6 } from "basic-ftp";
import { LISTING } from "./clients.ts";

const [mode, host, outbox, ...names] = process.argv.slice(2);
/** Milliseconds of silence: generous, since a busy machine is no failure. */
const PATIENCE = 60_000;
const client = new Client(PATIENCE);
try {
  await client.access({ host: host! });
  // Instead of trying EPSV and falling back: the mode that was asked for.
  client.prepareTransfer = mode === "pasv" ? enterPassiveModeIPv4 : enterPassiveModeIPv6;
  const listing = await client.list("/files");
  writeFileSync(LISTING, listing.map(({ name }) => `${name}\n`).join(""));
  for (const name of names) await client.downloadTo(name, `/files/${name}`);
  for (const name of names) await client.uploadFrom(join(outbox!, name), `/uploads/${name}`);
} finally {
  client.close();
}
