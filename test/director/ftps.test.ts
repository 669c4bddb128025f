/** FTP over TLS: nothing can be read, so a port group takes the data connections to the same realserver. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client, enterPassiveModeIPv6 } from "basic-ftp";
import t, { type Test } from "tap";
import { freePort, type Realserver, startRealserver } from "../../tools/demo/realserver.ts";
import { CLIENT, dial, folder, knock, Live, listen, REAL_A, REAL_B, readAll, sha256, until, VIP } from "./live.ts";

/** Below the ports that the kernel gives out. */
const PASSIVE = { first: 31_000, last: 31_010 };
const RANGE = `${PASSIVE.first}-${PASSIVE.last}`;

const run = promisify(execFile);
const openssl = await run("openssl", ["version"]).then(
  () => ({}),
  () => ({ skip: "needs openssl" }),
);

async function certificate(t: Test): Promise<{ key: string; cert: string }> {
  const [key, cert] = ["key.pem", "cert.pem"] as const;
  const home = await folder(t);
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await run("openssl", [...request, "-keyout", key, "-out", cert, "-days", "1", "-subj", "/CN=kindred"], {
    cwd: home,
  });
  return { key: await readFile(join(home, key), "utf8"), cert: await readFile(join(home, cert), "utf8") };
}

async function secured(t: Test, reals: readonly { address: string; port: number }[], rest = ""): Promise<Live> {
  const port = await freePort(VIP);
  const realservers = reals.map(
    ({ address, port }) => `      - { address: ${address}, port: ${port}, passivePorts: ${RANGE} }`,
  );
  const text = `
services:
  - name: ftps
    vip: ${VIP}
    ports: [tcp/${port}, tcp/${RANGE}]
    helper: ftp
    scheduler: rr
    realservers:
${realservers.join("\n")}
helpers:
  ftp: { ports: [${port}] }
${rest || "related: { standing: 4 }"}
`;
  return Live.start(t, text, port);
}

const roles = (live: Live): string[] =>
  live.of("connection").map(({ role, real }) => `${role} ${String(real).split(":")[0]}`);

t.test(
  "basic-ftp over TLS lists, downloads and uploads at the realserver of its control connection",
  openssl,
  async (t) => {
    const tls = await certificate(t);
    const reals: Realserver[] = [];
    for (const address of [REAL_A, REAL_B]) {
      const real = await startRealserver(address, address, 300_000, { passive: PASSIVE, tls });
      t.teardown(() => real.close());
      reals.push(real);
    }
    const live = await secured(t, [
      { address: REAL_A, port: reals[0]!.port },
      { address: REAL_B, port: reals[1]!.port },
    ]);
    t.equal(await knock(t, VIP, PASSIVE.first, "127.0.0.1"), "ECONNRESET", "before, the data ports refuse");
    t.match(live.of("refusal"), [{ reason: "no-control-connection", service: "ftps" }]);

    const client = new Client(30_000);
    t.teardown(() => client.close());
    client.prepareTransfer = enterPassiveModeIPv6;
    const secureOptions = { rejectUnauthorized: false };
    await client.access({ host: VIP, port: live.port, secure: true, secureOptions });
    t.match(live.of("group"), [{ reason: "tls", message: `port group (tls): tcp/${RANGE}` }]);
    const home = await folder(t);
    const chosen = String(live.of("connection")[0]?.real).startsWith(`${REAL_A}:`) ? reals[0]! : reals[1]!;

    t.match((await client.list()).map(({ name }) => name).sort(), ["data.bin", "hello.txt"]);
    await client.downloadTo(join(home, "hello.txt"), "hello.txt");
    t.equal(await readFile(join(home, "hello.txt"), "utf8"), `Hello from realserver ${chosen.name}.\n`);
    await client.downloadTo(join(home, "data.bin"), "data.bin");
    t.equal(sha256(await readFile(join(home, "data.bin"))), sha256(await readFile(join(chosen.root, "data.bin"))));
    const sent = randomBytes(300_000);
    await writeFile(join(home, "upload.bin"), sent);
    await client.uploadFrom(join(home, "upload.bin"), "upload.bin");
    t.equal(sha256(await readFile(join(chosen.root, "upload.bin"))), sha256(sent));
    t.same([...new Set(roles(live))], [`control ${chosen.name}`, `data ${chosen.name}`], "all at one realserver");
    t.same(live.of("related"), [], "without any announcement that could be read");

    t.equal(await knock(t, VIP, PASSIVE.first, CLIENT), "ECONNRESET", "another client may not use the data ports");
    t.match(live.of("refusal").at(-1), { reason: "no-control-connection", from: /^127\.0\.0\.3:/ });
  },
);

/** Talks TLS as far as anybody can see from outside. */
const RECORD = Buffer.from([22, 3, 1, 0, 2, 1, 1]);

async function sayingTls(t: Test, rest: string, answer = "234 go on\r\n") {
  const held: Socket[] = [];
  await listen(t, REAL_A, (socket) => void held.push(socket), PASSIVE.first);
  const controls: Socket[] = [];
  const port = await listen(t, REAL_A, (control) => {
    controls.push(control);
    control.write("220 hi\r\n");
    control.on("data", (chunk: Buffer) => control.write(chunk[0] === 22 ? RECORD : answer));
    control.on("end", () => control.end());
  });
  const live = await secured(t, [{ address: REAL_A, port }], rest);
  const client = await dial(t, VIP, live.port, CLIENT);
  await once(client, "data");
  client.write("AUTH TLS\r\n");
  await once(client, "data");
  return { live, client, held, control: controls[0]! };
}

t.test("a server that refuses TLS opens no data port", async (t) => {
  const { live } = await sayingTls(t, "", "502 no\r\n");
  t.equal(await knock(t, VIP, PASSIVE.first, CLIENT), "ECONNRESET");
  t.match(live.of("refusal"), [{ reason: "no-control-connection" }]);
  t.same(live.of("group"), []);
});

t.test("a data port of the group that nobody listens on is refused, and the realserver is not blamed", async (t) => {
  const { live, client } = await sayingTls(t, "");
  t.equal(await knock(t, VIP, PASSIVE.last, CLIENT), "ECONNRESET");
  t.match(live.of("realserver-refused"), [{ realserver: `${REAL_A}:${PASSIVE.last}`, reason: "ECONNREFUSED" }]);
  client.write(RECORD);
  t.same((await once(client, "data"))[0], RECORD, "the session goes on");
});

t.test("a control connection over TLS is not idle while its client's data connection is busy", async (t) => {
  const { live, client, held } = await sayingTls(t, "timeouts: { idle: 2s }");
  const data = await dial(t, VIP, PASSIVE.first, CLIENT);
  data.resume();
  const over = once(client.resume(), "end");
  await until(() => held.length === 1, "it reaches the realserver");
  for (let i = 0; i < 12; i++) {
    held[0]!.write("x");
    await new Promise((later) => setTimeout(later, 200));
  }
  t.notOk(client.readableEnded, "the control connection is still there");
  held[0]!.end();
  data.end();
  await over;
  t.match(await live.untilEvent("closed", 2), { role: "control", error: "idle" }, "but afterwards it is");
});

t.test("stopping waits for the data connection of a control connection over TLS", async (t) => {
  const { live, client, held, control } = await sayingTls(t, "");
  const data = await dial(t, VIP, PASSIVE.first, CLIENT);
  await until(() => held.length === 1, "it reaches the realserver");
  const got = readAll(data);
  const stopped = live.path.stop();
  await new Promise((later) => setTimeout(later, 1500));
  held[0]!.end("all of it");
  t.equal(String(await got), "all of it");
  data.end();
  const reply = Promise.race([once(client, "data"), once(client, "end")]);
  control.write(RECORD);
  t.same((await reply)[0], RECORD, "the reply arrives");
  await stopped;
  t.same(live.of("cut"), []);
});
