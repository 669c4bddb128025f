/**
 * slow-passive.js HOST FILE: a passive download with basic-ftp that stops between the 227 and the connection which that
 * announces: it says the port on standard output and waits for a line on standard input. So two clients can be made to
 * hold an announcement at the same time. Downloads into the working directory.
 */
import { once } from "node:events";
import { basename } from "node:path";
import { Client, enterPassiveModeIPv4, type FTPContext } from "basic-ftp";

const [host, file] = process.argv.slice(2);

/** basic-ftp asks and connects in one call; the answer to its question is where it can be made to wait. */
async function enterSlowly(ftp: FTPContext): ReturnType<typeof enterPassiveModeIPv4> {
  const request = ftp.request.bind(ftp);
  ftp.request = async (command) => {
    const reply = await request(command);
    console.log(reply.message);
    await once(process.stdin, "data");
    return reply;
  };
  try {
    return await enterPassiveModeIPv4(ftp);
  } finally {
    ftp.request = request;
  }
}

/** Milliseconds of silence, that of who waits to be told included: generous, since a busy machine is no failure. */
const PATIENCE = 60_000;
const client = new Client(PATIENCE);
try {
  await client.access({ host: host! });
  client.prepareTransfer = enterSlowly;
  await client.downloadTo(basename(file!), file!);
} finally {
  client.close();
  process.stdin.destroy();
}
