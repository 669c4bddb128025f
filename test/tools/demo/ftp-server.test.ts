/** The demonstration's own FTP server, asked by the demonstration's client and by curl. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import t, { type Test } from "tap";
import { FtpClient, modes } from "../../../tools/demo/ftp-client.ts";
import { startFtpServer } from "../../../tools/demo/ftp-server.ts";
import { locate } from "../../../tools/lab/process.ts";
import { folder } from "../../director/live.ts";

const HOST = "127.0.0.1";
const content = randomBytes(300_000);

async function serving(t: Test): Promise<{ root: string; port: number }> {
  const root = await folder(t);
  await writeFile(join(root, "data.bin"), content);
  const server = await startFtpServer(HOST, root);
  t.teardown(() => server.close());
  return { root, port: server.port };
}

t.test("it lists, sends and takes files in every mode", async (t) => {
  const { root, port } = await serving(t);
  for (const mode of modes) {
    const client = await FtpClient.login(HOST, port);
    t.match(await client.list(mode), "data.bin", mode);
    t.ok((await client.download(mode, "data.bin")).equals(content), mode);
    await client.upload(mode, `up-${mode}`, content);
    t.ok((await readFile(join(root, `up-${mode}`))).equals(content), mode);
    await client.quit();
  }
});

t.test("it has no files but its own, and connects to nobody but its client", async (t) => {
  const { port } = await serving(t);
  const client = await FtpClient.login(HOST, port);
  await client.command("PASV", 227);
  await client.command("RETR ../../../../etc/hostname", 550);
  await client.command("PORT 127,0,0,9,200,10", 501);
  await client.command("EPRT |1|127.0.0.9|5001|", 501);
  await client.command("PORT nonsense", 501);
  await client.command("RETR data.bin", 425);
  await client.command("SITE EXEC", 502);
  await client.quit();
});

t.test("who leaves in the middle leaves it as it was", async (t) => {
  const { port } = await serving(t);
  const socket = connect(port, HOST, () => socket.end("USER a\r\nPASV\r\nRETR data.bin\r\n"));
  await new Promise((closed) =>
    socket
      .on("close", closed)
      .on("error", () => {})
      .resume(),
  );
  const client = await FtpClient.login(HOST, port);
  t.ok((await client.download("EPSV", "data.bin")).equals(content));
  await client.quit();
});

t.test("curl is served", locate("curl") === null ? { skip: "needs curl" } : {}, async (t) => {
  const { port } = await serving(t);
  for (const mode of [[], ["--disable-epsv"], ["--ftp-port", "-"], ["--ftp-port", "-", "--disable-eprt"]]) {
    const url = `ftp://${HOST}:${port}/data.bin`;
    const { stdout } = await promisify(execFile)("curl", ["-sS", ...mode, url], { encoding: "buffer" });
    t.ok(stdout.equals(content), mode.join(" "));
  }
});
