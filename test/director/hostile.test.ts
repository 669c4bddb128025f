/** Peers that mean harm, or are broken: they harm themselves, and nobody beside them. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import t, { type Test } from "tap";
import { FtpClient } from "../../tools/demo/ftp-client.ts";
import { CLIENT, dial, ftpDirector, knock, type Live, listen, REAL_A, REAL_B, sha256, until, VIP } from "./live.ts";
import { announced, scripted } from "./scripted.ts";

const MEGA = 1024 * 1024;
const LINE = Buffer.alloc(10 * MEGA, "x");
const HOSTILE = "127.0.0.5";

/** Says `bytes` one by one, for as long as anybody listens. */
function drip(socket: Socket, bytes: string): void {
  let at = 0;
  const timer = setInterval(() => socket.write(bytes[at++ % bytes.length]!), 5);
  socket.once("close", () => clearInterval(timer));
}

function say(socket: Socket, ...pieces: (string | Buffer)[]): void {
  for (const piece of pieces) socket.write(piece);
}

/** The same client keeps its realserver: the hostile one comes first, and gets the bad one. */
const PERSISTENT = "    persistence: 300s";

/** Transfers of a client that has nothing to do with it. */
async function others(t: Test, live: Live, content: Buffer): Promise<void> {
  const client = await FtpClient.login(VIP, live.port, CLIENT);
  t.teardown(() => client.close());
  for (const mode of ["PASV", "EPSV", "PASV"] as const) {
    t.equal(sha256(await client.download(mode, "it")), sha256(content), "another session's transfer is right");
  }
  const sent = randomBytes(300_000);
  await client.upload("EPSV", "it", sent);
  await client.quit();
}

function memory(): number {
  global.gc?.();
  const { arrayBuffers, external } = process.memoryUsage();
  return arrayBuffers + external;
}

const bad: readonly [what: string, talk: (control: Socket) => void][] = [
  ["talks garbage", (control) => void control.write(randomBytes(200_000))],
  ["talks garbage after a greeting", (control) => say(control, "220 hi\r\n", randomBytes(99_999))],
  [
    "closes in the middle of a reply",
    (control) => void control.end("220 hi\r\n227 Entering Passive Mode (127,0,0,4,2"),
  ],
  ["resets in the middle of a reply", (control) => void control.write("220 h", () => control.resetAndDestroy())],
  ["never answers", () => {}],
  ["sends a line of 10 MB", (control) => say(control, "220 hi\r\n230-", LINE)],
  ["sends a 227 of 10 MB", (control) => say(control, "220 hi\r\n227 ", LINE)],
  ["begins with a line of 10 MB", (control) => void control.write(LINE)],
  ["drips", (control) => drip(control, "220-x\r\n")],
  ["drips a line without an end", (control) => drip(control, "2")],
];

for (const [what, talk] of bad) {
  t.test(`a realserver that ${what} harms its own session only`, async (t) => {
    const content = randomBytes(400_000);
    const port = await listen(t, REAL_B, (control) => {
      control.on("end", () => control.end()).resume();
      talk(control);
    });
    const good = await scripted(t, REAL_A, { content });
    const live = await ftpDirector(t, [{ address: REAL_B, port }, good], VIP, PERSISTENT);
    const before = memory();
    const victim = await dial(t, VIP, live.port, HOSTILE);
    victim.write("USER me\r\nPASV\r\n");
    await live.untilEvent("connection");
    await others(t, live, content);
    t.ok(memory() - before < 40 * MEGA, "and memory stays bounded, a client that does not read included");
    victim.resume();
    await others(t, live, content);
    victim.destroy();
    await until(() => live.path.open.controls === 0, "nothing is left of it");
    t.equal(live.path.balancer.related.size, 0);
  });
}

t.test("a realserver that does not close behind a client that has left does not keep the session open", async (t) => {
  const port = await listen(t, REAL_B, (control) => void control.resume().write("220 hi\r\n"));
  const live = await ftpDirector(t, [{ address: REAL_B, port }]);
  const client = await dial(t, VIP, live.port, CLIENT);
  await once(client, "data");
  client.destroy();
  t.match(await live.untilEvent("closed"), { role: "control", error: "half-closed" });
  t.same(live.path.open, { controls: 0, connections: 0 });
});

const hostile: readonly [what: string, talk: (control: Socket) => void][] = [
  ["talks garbage", (control) => void control.write(randomBytes(200_000))],
  ["talks garbage after a command", (control) => say(control, "NOOP\r\n", randomBytes(99_999))],
  ["leaves in the middle of a command", (control) => void control.end("USER me\r\nPORT 127,0,0,5,2")],
  ["resets in the middle of a command", (control) => void control.write("US", () => control.resetAndDestroy())],
  ["says nothing", () => {}],
  ["sends a line of 10 MB", (control) => say(control, "NOOP\r\nUSER ", LINE)],
  ["sends a PORT of 10 MB", (control) => say(control, "NOOP\r\nPORT ", LINE)],
  ["begins with a line of 10 MB", (control) => void control.write(LINE)],
  ["drips", (control) => drip(control, "NOOP\r\n")],
  ["drips a line without an end", (control) => drip(control, "U")],
  ["asks for a thousand passive ports and opens none", (control) => void control.write("PASV\r\n".repeat(1000))],
];

for (const [what, talk] of hostile) {
  t.test(`a client that ${what} harms its own session only`, async (t) => {
    const content = randomBytes(400_000);
    const live = await ftpDirector(t, [await scripted(t, REAL_A, { content })]);
    const before = memory();
    const client = await dial(t, VIP, live.port, HOSTILE);
    await once(client, "data");
    client.pause();
    talk(client);
    await others(t, live, content);
    t.ok(memory() - before < 40 * MEGA, "and memory stays bounded");
    t.ok(live.path.balancer.related.size <= 10, "its pending entries, too");
    client.destroy();
    await until(() => live.path.open.controls === 0, "nothing is left of it");
    t.equal(live.path.balancer.related.size, 0);
  });
}

t.test("1,000 PORTs and EPRTs to third parties make no entry, and few lines in the log", async (t) => {
  const answer = (line: string, control: Socket): boolean => {
    const [verb] = line.split(" ");
    if (verb !== "PORT" && verb !== "EPRT") return false;
    return control.write(line === "PORT 0,0,0,0,0,0" ? "501 no\r\n" : "200 PORT is fine\r\n");
  };
  const real = await scripted(t, REAL_A, { answer });
  const live = await ftpDirector(t, [real]);
  const client = await FtpClient.login(VIP, live.port, HOSTILE);
  t.teardown(() => client.close());
  for (let i = 0; i < 500; i++) {
    await client.command(`PORT 10,0,${i >> 8},${i & 255},200,10`, 501);
    await client.command(`EPRT |1|10.1.${i >> 8}.${i & 255}|51210|`, 501);
  }
  t.same(live.of("related"), []);
  t.equal(live.path.balancer.related.size, 0);
  t.equal(live.path.counters.get("refused.bounce"), 1000);
  t.ok(
    real.commands.slice(3).every((line) => line === "PORT 0,0,0,0,0,0"),
    "the realserver sees none of the addresses",
  );
  t.equal(live.of("refusal").length, 10);
  t.match(live.of("log-limited"), [{ of: "refused", control: 1 }]);
  t.match(await client.command("NOOP", 200), /200/);
});

t.test("strangers who try the pool's ports get nothing, and fill no log", async (t) => {
  const live = await ftpDirector(t, [await scripted(t, REAL_A, { content: Buffer.from("mine") })]);
  const client = await FtpClient.login(VIP, live.port, CLIENT);
  t.teardown(() => client.close());
  const { port } = announced(await client.command("PASV", 227));
  for (let i = 0; i < 10; i++) {
    await Promise.all(Array.from({ length: 30 }, () => knock(t, VIP, port, HOSTILE)));
  }
  t.equal(live.path.counters.get("refused.wrong-address"), 300, "each is counted");
  const limited = await live.untilEvent("log-limited");
  t.match(limited, { level: "warn", of: "refusal", reason: "wrong-address" });
  t.ok(live.of("refusal").length + Number(limited.suppressed) <= 300);
  t.ok(live.of("refusal").length < 100);
  const data = await dial(t, VIP, port, CLIENT);
  await client.command("RETR it", 150);
  t.equal(String(await once(data, "data")), "mine", "who was meant gets in");
});
