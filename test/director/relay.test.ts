/** Bytes between two sockets: none more in memory than can go on, and each end as it was meant. */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import t, { type Test } from "tap";
import { Relay } from "../../director/datapath/relay.ts";
import { reset, wasReset } from "../../director/datapath/transport/net/reset.ts";
import { NetStream } from "../../director/datapath/transport/net/stream.ts";
import {
  CLIENT,
  dial,
  ending,
  endingOf,
  type Live,
  listen,
  plainDirector,
  REAL_A,
  readAll,
  until,
  VIP,
} from "./live.ts";

/** A client and its realserver, joined by a director. */
async function pair(t: Test): Promise<{ live: Live; client: Socket; server: Socket }> {
  let server: Socket | undefined;
  const port = await listen(t, REAL_A, (socket) => {
    server = socket;
  });
  const live = await plainDirector(t, [{ address: REAL_A, port }]);
  const client = await dial(t, VIP, live.port, CLIENT);
  await until(() => server !== undefined, "the realserver is connected");
  return { live, client, server: server! };
}

const MEGA = 1024 * 1024;
const CHUNK = randomBytes(MEGA);
const SIZE = 64;

/** Writes 64 MB as the socket takes them; `written` so far. */
function pour(socket: Socket): { readonly hash: string; written: () => number } {
  let chunks = 0;
  const hash = createHash("sha256");
  for (let i = 0; i < SIZE; i++) hash.update(CHUNK);
  const more = (): void => {
    while (chunks < SIZE) {
      chunks++;
      if (!socket.write(CHUNK)) return void socket.once("drain", more);
    }
    socket.end();
  };
  more();
  return { hash: hash.digest("hex"), written: () => socket.bytesWritten - socket.writableLength };
}

async function untilStill(value: () => number): Promise<void> {
  let last = -1;
  let since = Date.now();
  await until(() => {
    if (value() !== last) [last, since] = [value(), Date.now()];
    return Date.now() - since > 500;
  }, "it stands still");
}

for (const towards of ["client", "realserver"] as const) {
  t.test(`64 MB to a ${towards} that does not read wait where they are, and all arrive when it does`, async (t) => {
    const { client, server } = await pair(t);
    const [from, to] = towards === "client" ? [server, client] : [client, server];
    to.pause();
    await until(() => to.isPaused(), "nobody reads");
    global.gc?.();
    const before = process.memoryUsage();
    const { hash, written } = pour(from);
    await untilStill(written);
    const after = process.memoryUsage();
    t.ok(written() < (SIZE * MEGA) / 2, `the sender stands still at ${(written() / MEGA).toFixed(1)} MB`);
    const grown = (after.arrayBuffers + after.external - before.arrayBuffers - before.external) / MEGA;
    t.ok(grown < 16, `and the process has grown by ${grown.toFixed(1)} MB of buffers`);

    const got = createHash("sha256");
    let length = 0;
    to.on("data", (chunk: Buffer) => {
      length += chunk.length;
      got.update(chunk);
    });
    const ended = once(to, "end");
    to.resume();
    await ended;
    t.equal(length, SIZE * MEGA);
    t.equal(got.digest("hex"), hash);
  });
}

t.test("a client that has said all still hears the answer", async (t) => {
  const { live, client, server } = await pair(t);
  client.end("question");
  t.equal((await readAll(server)).toString(), "question");
  server.end("answer");
  t.equal((await readAll(client)).toString(), "answer");
  t.match(await live.untilEvent("closed"), { original: 8, reply: 6, error: null });
});

t.test("a realserver that has said all still hears the client", async (t) => {
  const { live, client, server } = await pair(t);
  server.end("speech");
  t.equal((await readAll(client)).toString(), "speech");
  client.end("comment");
  t.equal((await readAll(server)).toString(), "comment");
  t.match(await live.untilEvent("closed"), { original: 7, reply: 6, error: null });
});

for (const [who, whom] of [
  ["client", "realserver"],
  ["realserver", "client"],
] as const) {
  const sides = async (t: Test): Promise<{ live: Live; from: Socket; to: Socket }> => {
    const { live, client, server } = await pair(t);
    return { live, ...(who === "client" ? { from: client, to: server } : { from: server, to: client }) };
  };

  t.test(`a reset by the ${who} reaches the ${whom} as a reset`, async (t) => {
    const { live, from, to } = await sides(t);
    const end = endingOf(to.resume());
    from.resetAndDestroy();
    t.equal(await end, "ECONNRESET");
    t.match(await live.untilEvent("closed"), { error: "ECONNRESET" });
  });

  t.test(`also when the ${whom} had not read what came before it`, async (t) => {
    const { live, from, to } = await sides(t);
    to.pause();
    for (let i = 0; i < 20; i++) from.write(CHUNK);
    await untilStill(() => from.bytesWritten - from.writableLength);
    from.resetAndDestroy();
    const end = endingOf(to);
    to.resume();
    t.equal(await end, "ECONNRESET", "a cut transfer is not taken for a whole one");
    t.match(await live.untilEvent("closed"), { error: /ECONNRESET|EPIPE/ });
  });

  t.test(`also when the ${whom} had already ended its side`, async (t) => {
    const { from, to } = await sides(t);
    to.end();
    await once(from.resume(), "end");
    const end = endingOf(to.resume());
    from.resetAndDestroy();
    t.equal(await end, "ECONNRESET");
  });
}

/** Two connected sockets of this process. */
async function ends(t: Test): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, REAL_A);
  await once(server, "listening");
  const coming = once(server, "connection");
  const a = connect({ host: REAL_A, port: (server.address() as { port: number }).port, allowHalfOpen: true });
  const [[b]] = (await Promise.all([coming, once(a, "connect")])) as [[Socket], unknown];
  server.close();
  for (const socket of [a, b]) t.teardown(() => socket.on("error", () => {}).destroy());
  return [a, b];
}

t.test("a reset that comes while a FIN is on its way closes the socket all the same", async (t) => {
  const [a] = await ends(t);
  a.on("error", ({ message }) => t.fail(message));
  const closed = once(a, "close");
  a.end();
  reset(a);
  await closed;
  t.pass("libuv refuses to reset it there and then, and Node would never close it");
});

t.test("an end is told from a reset that looks like one", async (t) => {
  const [a, b] = await ends(t);
  b.end("bye");
  await once(a.resume(), "end");
  t.notOk(wasReset(a), "a FIN");
  const [c, d] = await ends(t);
  c.pause();
  await new Promise((sent) => d.write(CHUNK.subarray(0, 100_000), sent));
  d.resetAndDestroy();
  await once(d, "close");
  const end = ending(c);
  c.resume();
  if ((await end) === "end") t.ok(wasReset(c), "a reset");
  else t.pass("this Node tells it itself");
});

t.test("a relay is done once, however it ends", async (t) => {
  const [client, a] = await ends(t);
  const [b, real] = await ends(t);
  client.on("error", () => {}).resume();
  real.on("error", () => {}).resume();
  let done = 0;
  const relay = new Relay(new NetStream(a), new NetStream(b), () => done++);
  relay.cut("idle");
  relay.cut("again");
  await until(() => done > 0, "it is done");
  t.equal(relay.error, "idle");
  await untilStill(() => done);
  t.equal(done, 1);
});
