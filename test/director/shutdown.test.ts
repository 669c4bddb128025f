/** How a director ends: what runs may finish, nothing new begins. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import t, { type Test } from "tap";
import { parseConfig } from "../../director/config.ts";
import { Director } from "../../director/director.ts";
import { FtpClient } from "../../tools/demo/ftp-client.ts";
import { freePort, startRealserver } from "../../tools/demo/realserver.ts";
import {
  CLIENT,
  dial,
  ending,
  folder,
  ftpConfig,
  ftpDirector,
  knock,
  listen,
  onBackend,
  plainConfig,
  plainDirector,
  REAL_A,
  readAll,
  sha256,
  until,
  VIP,
} from "./live.ts";
import { built, Process } from "./process.ts";
import { announced, scripted } from "./scripted.ts";

const SIZE = 20_000_000;

// SIGTERM found nobody who would have heard it, once in some hundred runs: on the packet path, routes and rules stayed.
t.test("whoever is told that it is ready can end it at once", async (t) => {
  const socket = `${await folder(t)}/control.sock`;
  const text = plainConfig(
    VIP,
    await freePort(VIP),
    [{ address: REAL_A, port: 9 }],
    "",
    `control: { socket: ${socket} }`,
  );
  const deaf = process.listenerCount("SIGTERM");
  let heard = false;
  const log = (_level: string, event: string): void => {
    if (event !== "ready") return;
    heard = process.listenerCount("SIGTERM") > deaf;
    setImmediate(() => process.emit("SIGTERM"));
  };
  const director = new Director(parseConfig(onBackend(text), "test.yaml"), { log });
  t.equal(await director.run(), 0);
  t.ok(heard);
});

t.test(
  "SIGTERM lets a transfer finish, ends idle control connections, takes nothing new, and exits 0",
  built,
  async (t) => {
    const content = randomBytes(SIZE);
    const real = await scripted(t, REAL_A, { content });
    const port = await freePort(VIP);
    const director = await Process.start(t, ftpConfig(VIP, port, [real]));
    await director.untilEvent("ready");

    const idle = await dial(t, VIP, port, "127.0.0.5");
    await once(idle, "data");
    const idleEnd = ending(idle.resume());
    const client = await FtpClient.login(VIP, port, CLIENT);
    const data = await dial(t, VIP, announced(await client.command("PASV", 227)).port, CLIENT);
    data.pause();
    await client.command("RETR it", 150);
    await until(() => data.bytesRead > 0 || director.of("connection").length === 3, "the transfer runs");

    director.child.kill("SIGTERM");
    await director.untilEvent("draining");
    t.equal(await idleEnd, "end", "the idle control connection is closed in order");
    t.equal(await knock(t, VIP, port, CLIENT), "ECONNREFUSED", "nobody listens any more");
    const got = await readAll(data.resume());
    data.end();
    t.equal(sha256(got), sha256(content), `${SIZE} bytes arrived as they are`);
    t.match(await client.reply(226), /226/, "and so did the reply");
    t.equal(await director.exited, 0);
    t.match(
      director.of("closed").find(({ error }) => error === "draining"),
      { role: "control" },
    );
    t.same(director.of("cut"), []);
    t.equal(director.stderr, "");
    client.close();
  },
);

t.test("an upload finishes, too, and its reply is waited for", built, async (t) => {
  const content = randomBytes(SIZE);
  const real = await startRealserver("A", REAL_A, 10);
  t.teardown(() => real.close());
  const port = await freePort(VIP);
  const director = await Process.start(t, ftpConfig(VIP, port, [{ address: REAL_A, port: real.port }]));
  await director.untilEvent("ready");
  const client = await FtpClient.login(VIP, port, CLIENT);
  const upload = client.upload("EPSV", "upload.bin", content);
  await until(() => director.of("connection").length === 2, "it runs");
  director.child.kill("SIGINT");
  await upload;
  t.equal(await director.exited, 0);
  client.close();
});

t.test("a second signal ends it at once, and what ran is told by a reset", built, async (t) => {
  const server = await listen(t, REAL_A, (socket) => void socket.write("begun"));
  const port = await freePort(VIP);
  const director = await Process.start(t, plainConfig(VIP, port, [{ address: REAL_A, port: server }]));
  await director.untilEvent("ready");
  const client = await dial(t, VIP, port, CLIENT);
  await once(client, "data");
  const end = ending(client.resume());
  director.child.kill("SIGTERM");
  await director.untilEvent("draining");
  director.child.kill("SIGTERM");
  t.equal(await director.exited, 1);
  t.equal(await end, "ECONNRESET");
  t.match(director.of("cut"), [{ level: "warn", connections: 1 }]);
});

t.test("what is not finished after the drain time is cut, and both sides know it", async (t) => {
  let server: Socket | undefined;
  const port = await listen(t, REAL_A, (socket) => {
    server = socket.resume();
  });
  const live = await plainDirector(t, [{ address: REAL_A, port }], VIP, "", "timeouts: { drain: 300ms }");
  const client = await dial(t, VIP, live.port, CLIENT);
  client.write("part of a file");
  await until(() => server !== undefined, "it is connected");
  const both = Promise.all([ending(client.resume()), ending(server!)]);
  await live.path.stop();
  t.same(await both, ["ECONNRESET", "ECONNRESET"]);
  t.match(live.of("cut"), [{ connections: 1, controls: 0 }]);
  t.match(await live.untilEvent("closed"), { error: "stopped" });
});

t.test("without connections it stops at once, and can be stopped twice", async (t) => {
  const live = await ftpDirector(t, [await scripted(t, REAL_A)]);
  await live.path.stop();
  t.equal(await knock(t, VIP, live.port, CLIENT), "ECONNREFUSED");
  await live.path.stop();
});

/** A session whose data connection is open while its control connection is quiet. */
async function transferring(t: Test, timeouts: string) {
  const held: Socket[] = [];
  const passive = await listen(t, REAL_A, (socket) => void held.push(socket));
  const answer = (line: string, control: Socket): boolean => {
    if (line !== "PASV") return line === "RETR it";
    return control.write(`227 Entering Passive Mode (127,0,0,1,${passive >> 8},${passive & 255}).\r\n`);
  };
  const real = await scripted(t, REAL_A, { answer });
  const live = await ftpDirector(t, [real], VIP, "", `timeouts: ${timeouts}`);
  const client = await FtpClient.login(VIP, live.port, CLIENT);
  t.teardown(() => client.close());
  const data = await dial(t, VIP, announced(await client.command("PASV", 227)).port, CLIENT);
  await until(() => held.length === 1, "the data connection is there");
  return { live, client, data, held: held[0]!, control: real.controls[0]! };
}

t.test("a control connection is not idle while its data connection is busy", async (t) => {
  const { live, client, data, held, control } = await transferring(t, "{ idle: 2s }");
  data.resume();
  for (let i = 0; i < 12; i++) {
    held.write("x".repeat(1000));
    await new Promise((done) => setTimeout(done, 200));
  }
  held.end();
  await once(data, "end");
  t.equal(data.bytesRead, 12_000);
  data.end();
  control.write("226 done\r\n");
  t.match(await client.reply(226), /226/);
  t.match(await live.untilEvent("closed", 2), { role: "control", error: "idle" }, "but afterwards it is");
});

t.test("a data connection that stands still is idle like any other, and is reset", async (t) => {
  const { live, data, held } = await transferring(t, "{ idle: 2s }");
  t.same(await Promise.all([ending(data.resume()), ending(held.resume())]), ["ECONNRESET", "ECONNRESET"]);
  t.match(await live.untilEvent("closed"), { role: "related", error: "idle" });
  t.match(await live.untilEvent("closed", 2), { role: "control", error: "idle" });
});

t.test("a connection that no helper reads is idle after the same time", async (t) => {
  const port = await listen(t, REAL_A, (socket) => void socket.resume());
  const live = await plainDirector(t, [{ address: REAL_A, port }], VIP, "", "timeouts: { idle: 300ms }");
  const client = await dial(t, VIP, live.port, CLIENT);
  t.equal(await ending(client.resume()), "ECONNRESET");
  t.match(await live.untilEvent("closed"), { role: "plain", error: "idle" });
});

t.test("stopping waits for the transfer of a control connection that is quiet, and for its reply", async (t) => {
  const { live, client, data, held, control } = await transferring(t, "{ drain: 20s }");
  data.resume();
  const stopped = live.path.stop();
  held.write("half");
  await new Promise((done) => setTimeout(done, 1800));
  held.end("half");
  await once(data, "end");
  data.end();
  await new Promise((done) => setTimeout(done, 1500));
  control.write("226 done\r\n");
  t.match(await client.reply(226), /226/);
  await stopped;
  t.equal(data.bytesRead, 8);
  t.same(live.of("cut"), []);
});
