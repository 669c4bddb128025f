/** Related connections as the peers see them: where they lead, when they may come, who may open them. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import t, { type Test } from "tap";
import { FtpClient } from "../../tools/demo/ftp-client.ts";
import { freePort } from "../../tools/demo/realserver.ts";
import {
  CLIENT,
  dial,
  ftpConfig,
  ftpDirector,
  knock,
  Live,
  listen,
  REAL_A,
  REAL_B,
  readAll,
  sha256,
  until,
  VIP,
} from "./live.ts";
import { announced, scripted } from "./scripted.ts";

const STRANGER = "127.0.0.9";

async function login(t: Test, live: Live, from = CLIENT): Promise<FtpClient> {
  const client = await FtpClient.login(VIP, live.port, from);
  t.teardown(() => client.close());
  return client;
}

/** A free port of both addresses. */
async function portOfBoth(a: string, b: string): Promise<number> {
  for (;;) {
    const port = await freePort(a);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false)).listen(port, b, () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

for (const mode of ["PASV", "EPSV"]) {
  t.test(`two realservers that announce the same port at once in ${mode} mode are not crossed`, async (t) => {
    const passivePort = await portOfBoth(REAL_A, REAL_B);
    const contents = [randomBytes(500_000), randomBytes(500_000)];
    const a = await scripted(t, REAL_A, { passivePort, content: contents[0]! });
    const b = await scripted(t, REAL_B, { passivePort, content: contents[1]! });
    const live = await ftpDirector(t, [a, b]);
    const clients = [await login(t, live), await login(t, live, "127.0.0.5")];
    const replies = await Promise.all(clients.map((client) => client.command(mode, mode === "PASV" ? 227 : 229)));
    t.same(
      live
        .of("related")
        .map(({ to }) => String(to))
        .sort(),
      [`${REAL_A}:${passivePort}`, `${REAL_B}:${passivePort}`].sort(),
      "both were announced before either was opened",
    );
    const ports = replies.map((reply) => announced(reply).port);
    t.not(ports[0], ports[1], "the clients are told two ports");
    // The later announcement is opened first.
    const second = await dial(t, VIP, ports[1]!, "127.0.0.5");
    const first = await dial(t, VIP, ports[0]!, CLIENT);
    await Promise.all(clients.map((client) => client.command("RETR it", 150)));
    const [gotFirst, gotSecond] = await Promise.all([readAll(first), readAll(second)]);
    const servers = live
      .of("connection")
      .filter(({ role }) => role === "control")
      .map(({ real }) => real);
    const expected = servers[0] === `${a.address}:${a.port}` ? contents : contents.toReversed();
    t.equal(sha256(gotFirst!), sha256(expected[0]!), "the first client has its own realserver's file");
    t.equal(sha256(gotSecond!), sha256(expected[1]!), "and so has the second");
  });
}

t.test("a client that connects the moment it reads the 227 finds a listener", async (t) => {
  const real = await scripted(t, REAL_A);
  // One listener stands, so that most have to be opened first.
  const live = await ftpDirector(t, [real], VIP, "", "related: { standing: 1 }");
  const open = async (): Promise<string> => {
    const control = await dial(t, VIP, live.port, CLIENT);
    await once(control, "data");
    control.write("PASV\r\n");
    const data = await new Promise<Socket>((resolve) => {
      control.on("data", (chunk: Buffer) => {
        const text = chunk.toString("latin1");
        if (!text.startsWith("227")) return;
        const { port } = announced(text);
        resolve(connect({ host: VIP, port, localAddress: CLIENT }));
      });
    });
    const outcome = await new Promise<string>((resolve) => {
      data.once("connect", () => resolve("connected")).once("error", (error) => resolve(error.message));
    });
    data.destroy();
    control.destroy();
    return outcome;
  };
  const outcomes = await Promise.all(Array.from({ length: 40 }, open));
  t.same(
    outcomes,
    outcomes.map(() => "connected"),
  );
});

t.test("without a port for it the client gets 425, and the session goes on", async (t) => {
  const real = await scripted(t, REAL_A, { content: Buffer.from("at last") });
  const only = await freePort(VIP);
  const foreign = createServer().listen(only, VIP);
  await once(foreign, "listening");
  t.teardown(() => foreign.close());
  const live = await ftpDirector(t, [real], VIP, "", `related: { ports: ${only}-${only} }`);
  t.match(live.of("few-listeners"), [{ level: "warn", ports: `${only}-${only}`, listening: 0, wanted: 1 }]);
  const client = await login(t, live);
  t.match(await client.command("PASV", 425), /refused by the director \(unavailable\)/);
  t.match(await client.command("EPSV", 425), /unavailable/);
  t.match(await client.command("NOOP", 200), /200 ok/);
  t.match(live.of("refusal"), [{ reason: "unavailable" }, { reason: "unavailable" }]);

  foreign.close();
  await once(foreign, "close");
  t.equal((await client.download("PASV", "x")).toString(), "at last", "as soon as the port is free it is used");

  const other = await login(t, live);
  await client.command("PASV", 227);
  t.match(await other.command("PASV", 425), /unavailable/, "the only port is promised to another");
});

t.test("a connection from another address is refused and does not use the entry up", async (t) => {
  const real = await scripted(t, REAL_A, { content: Buffer.from("mine") });
  const live = await ftpDirector(t, [real]);
  const client = await login(t, live);
  const { port } = announced(await client.command("PASV", 227));
  for (let i = 0; i < 5; i++) {
    t.equal(await knock(t, VIP, port, STRANGER), "ECONNRESET");
  }
  t.equal(live.of("refusal").filter(({ reason }) => reason === "wrong-address").length, 5);
  const data = await dial(t, VIP, port, CLIENT);
  await client.command("RETR it", 150);
  t.equal((await readAll(data)).toString(), "mine");
  await client.reply(226);
  t.equal(await knock(t, VIP, port, CLIENT), "ECONNRESET", "and one connection does");
  t.match(live.of("refusal").at(-1), { reason: "no-related-entry", seen: `${VIP}:${port}` });
});

t.test("the port that was idle longest is announced next", async (t) => {
  const real = await scripted(t, REAL_A);
  const live = await ftpDirector(t, [real], VIP, "", "related: { standing: 4 }");
  const client = await login(t, live);
  for (let i = 0; i < 8; i++) await client.download(i % 2 === 0 ? "PASV" : "EPSV", "x");
  const seen = live.of("related").map((entry) => entry.seen);
  t.equal(new Set(seen.slice(0, 4)).size, 4);
  t.same(seen.slice(4), seen.slice(0, 4));
});

const ends: readonly [how: string, end: (client: Socket, server: Socket) => void, silent?: boolean][] = [
  ["the client's FIN", (client) => client.end()],
  ["the client's FIN, which the realserver does not answer,", (client) => client.end(), true],
  ["the client's RST", (client) => client.resetAndDestroy()],
  ["the realserver's FIN", (_client, server) => server.end()],
  ["the realserver's RST", (_client, server) => server.resetAndDestroy()],
];
for (const [how, end, silent] of ends) {
  t.test(`after ${how} nothing that was announced can be opened`, async (t) => {
    let server: Socket | undefined;
    const port = await listen(t, REAL_A, (control) => {
      server = control;
      control.write("220 hello\r\n");
      control.on("data", () => control.write("227 Entering Passive Mode (127,0,0,1,200,10).\r\n"));
      if (silent !== true) control.on("end", () => control.end());
    });
    const live = await ftpDirector(t, [{ address: REAL_A, port }]);
    const control = await dial(t, VIP, live.port, CLIENT);
    await once(control, "data");
    control.write("PASV\r\n");
    const [reply] = (await once(control, "data")) as [Buffer];
    const told = announced(reply.toString());
    t.equal(live.path.balancer.related.size, 1);
    control.resume();
    end(control, server!);
    await until(() => live.path.balancer.related.size === 0, "the entry is gone");
    t.match(live.of("related-gone"), [{ reason: "control-closed" }]);
    if (silent === true) t.equal(live.path.open.controls, 1, "before the half-closed session itself ends");
    t.equal(await knock(t, VIP, told.port, CLIENT), "ECONNRESET");
    t.match(live.of("refusal"), [{ reason: "no-related-entry" }]);
  });
}

t.test("a data connection that was let in outlives its control connection", async (t) => {
  const real = await scripted(t, REAL_A, { answer: (line) => line.startsWith("RETR") });
  const live = await ftpDirector(t, [real]);
  const client = await login(t, live);
  const { port } = announced(await client.command("PASV", 227));
  const data = await dial(t, VIP, port, CLIENT);
  await until(() => live.of("connection").some(({ role }) => role === "related"), "it is relayed");
  client.close();
  await until(() => live.path.open.controls === 0, "the control connection is gone");
  t.equal(live.path.open.connections, 1);
  data.end();
});

/** A port of the VIP below which another is free. */
async function controlPort(): Promise<number> {
  for (;;) {
    const port = await freePort(VIP);
    const below = createServer();
    const free = await new Promise<boolean>((resolve) => {
      below.once("error", () => resolve(false)).listen(port - 1, VIP, () => below.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/** Where the realserver's data connections come from, as the client sees it. */
async function sources(t: Test, live: Live, verb: "PORT" | "EPRT"): Promise<string[]> {
  const client = await login(t, live);
  const came: string[] = [];
  const port = await listen(t, CLIENT, (socket) => {
    came.push(`${socket.remoteAddress}:${socket.remotePort}`);
    socket.resume();
  });
  const argument = verb === "PORT" ? `127,0,0,3,${port >> 8},${port & 255}` : `|1|${CLIENT}|${port}|`;
  await client.command(`${verb} ${argument}`, 200);
  await until(() => came.length === 1, "the data connection comes");
  return came;
}

const SAYS: Readonly<Record<string, string>> = { USER: "331 go on", PASS: "230 in" };

/** Connects to where it is told at once. */
async function activeServer(t: Test): Promise<number> {
  return listen(t, REAL_A, (control) => {
    control.write("220 hello\r\n");
    control.on("data", (chunk: Buffer) => {
      const [verb = "", argument = ""] = chunk.toString().trim().split(" ");
      const port = portIn(verb, argument);
      if (port !== null) {
        const data = connect({ host: REAL_A, port, localAddress: REAL_A }).on("error", () => {});
        t.teardown(() => data.destroy());
      }
      control.write(`${SAYS[verb] ?? "200 ok"}\r\n`);
    });
  });
}

function portIn(verb: string, argument: string): number | null {
  if (verb === "EPRT") return Number(argument.split("|")[3]);
  if (verb !== "PORT") return null;
  const [high, low] = argument.split(",").slice(4).map(Number);
  return high! * 256 + low!;
}

for (const verb of ["PORT", "EPRT"] as const) {
  t.test(
    `after ${verb} the data connection reaches the client from the VIP, from the port before the control port`,
    async (t) => {
      const real = { address: REAL_A, port: await activeServer(t) };
      const port = await controlPort();
      const live = await Live.start(t, ftpConfig(VIP, port, [real]), port);
      t.same(await sources(t, live, verb), [`${VIP}:${port - 1}`]);
      t.same(await sources(t, live, verb), [`${VIP}:${port - 1}`], "a second one beside it, too");
    },
  );

  t.test(`after ${verb} it comes from another port of the VIP where somebody else has that one`, async (t) => {
    const real = { address: REAL_A, port: await activeServer(t) };
    const port = await controlPort();
    await listen(t, VIP, () => {}, port - 1);
    const live = await Live.start(t, ftpConfig(VIP, port, [real]), port);
    const [source] = await sources(t, live, verb);
    t.ok(source?.startsWith(`${VIP}:`));
    t.not(source, `${VIP}:${port - 1}`);
  });
}

t.test("a client that does not listen where it said is told by a reset, and the operator by a line", async (t) => {
  const real = { address: REAL_A, port: await activeServer(t) };
  const live = await ftpDirector(t, [real]);
  const client = await login(t, live);
  const closed = await freePort(CLIENT);
  await client.command(`EPRT |1|${CLIENT}|${closed}|`, 200);
  t.match(await live.untilEvent("related-failed"), { to: `${CLIENT}:${closed}`, reason: "ECONNREFUSED" });
  t.match(await client.command("NOOP", 200), /200/, "the session goes on");
});
