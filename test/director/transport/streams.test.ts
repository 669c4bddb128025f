/** What streams owe the socket path, whichever backend they are of. Their peers are sockets of Node's. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import type { Socket } from "node:net";
import fc from "fast-check";
import type { Test } from "tap";
import { ms } from "../../../core/units.ts";
import type { Backend, Stream } from "../../../director/datapath/transport.ts";
import { connected, connecting, endpoint, listening, onEach, Told } from "../backends.ts";
import { dial, endingOf, listen, readAll, until } from "../live.ts";

const HOST = "127.0.0.1";
const MEGA = 1024 * 1024;

/** A stream that was accepted, and its peer. */
async function accepted(t: Test, backend: Backend, host = HOST): Promise<{ stream: Stream; peer: Socket }> {
  const streams: Stream[] = [];
  const { at } = await listening(t, backend, (stream) => streams.push(stream), host);
  const peer = await dial(t, host, at.port);
  await until(() => streams.length > 0, "it is accepted");
  return { stream: streams[0]!, peer };
}

onEach("both ends of an accepted stream are known, and of one that connected", async (t, backend) => {
  for (const host of [HOST, "::1"]) {
    const { stream, peer } = await accepted(t, backend, host);
    t.same(stream.remote, endpoint(host, peer.localPort!));
    t.same(stream.local, endpoint(host, peer.remotePort!));
    const port = await listen(t, host, (socket) => void socket.resume());
    const out = await connected(backend, port, host);
    t.same(out.remote, endpoint(host, port));
    t.same(out.local?.address, endpoint(host, port).address);
  }
});

onEach("whatever is written in whatever pieces arrives as it was, both ways", async (t, backend) => {
  const sizes = fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(sizes, sizes, async (mine, theirs) => {
      const { stream, peer } = await accepted(t, backend);
      const told = new Told(stream);
      const got = readAll(peer);
      const [sent, back] = [mine.map((size) => randomBytes(size)), theirs.map((size) => randomBytes(size))];
      for (const piece of back) peer.write(piece);
      for (const piece of sent) stream.write(piece);
      stream.end();
      peer.end();
      t.ok((await got).equals(Buffer.concat(sent)), "to the peer");
      await until(() => told.what.includes("closed"), "it is closed");
      t.ok(told.bytes.equals(Buffer.concat(back)), "from the peer");
      t.same(
        told.what.filter((what) => what !== "drained"),
        ["ended", "closed"],
      );
    }),
    { numRuns: 15 },
  );
});

onEach("bytes that were lent can be written on, to a peer that does not read as well", async (t, backend) => {
  const { stream: from, peer: sender } = await accepted(t, backend);
  const { stream: to, peer: receiver } = await accepted(t, backend);
  const back = new Told(to);
  receiver.pause();
  let read = 0;
  from.read({
    data: (bytes) => {
      read += bytes.length;
      to.write(bytes);
    },
    drained: () => {},
    ended: () => {},
    failed: () => {},
    closed: () => {},
  });
  const content = randomBytes(16 * MEGA);
  sender.end(content);
  await until(() => read === content.length, "all is read");
  t.ok(to.congested);
  const got = readAll(receiver.resume());
  await until(() => back.what.includes("drained"), "there is room again");
  to.end();
  t.ok((await got).equals(content));
});

onEach("a stream that is paused is not read, and its peer has to wait", async (t, backend) => {
  const { stream, peer } = await accepted(t, backend);
  const told = new Told(stream);
  peer.write("first");
  await until(() => told.length === 5, "it is read");
  stream.pause();
  const content = randomBytes(16 * MEGA);
  peer.write(content);
  await new Promise((done) => setTimeout(done, 100));
  const before = told.length;
  await new Promise((done) => setTimeout(done, 100));
  t.equal(told.length, before, "nothing more comes");
  t.ok(peer.writableLength > 0, "the peer waits");
  peer.end();
  stream.resume();
  await until(() => told.what.includes("ended"), "all of it comes");
  t.ok(told.bytes.subarray(5).equals(content));
});

onEach("after its own end a stream still hears the other side", async (t, backend) => {
  const { stream, peer } = await accepted(t, backend);
  const told = new Told(stream);
  stream.write(Buffer.from("question"));
  stream.end();
  t.equal(String(await readAll(peer)), "question");
  t.ok(stream.write(Buffer.from("more")), "what comes after the end goes nowhere");
  peer.end("answer");
  await until(() => told.what.includes("closed"), "it is closed");
  t.equal(String(told.bytes), "answer");
  t.same(told.what, ["ended", "closed"]);
});

onEach("a reset is told as one, behind what came before it, and once", async (t, backend) => {
  const { stream, peer } = await accepted(t, backend);
  const told = new Told(stream);
  await new Promise((sent) => peer.write("cut of", sent));
  await until(() => told.length === 6, "it is read");
  peer.resetAndDestroy();
  await until(() => told.what.includes("closed"), "it is closed");
  t.same(told.what, ["ECONNRESET", "closed"]);
  t.ok(stream.gone && stream.ending);
  stream.resume();
  stream.reset();
  stream.end();
  stream.write(Buffer.from("late"));
  await new Promise((done) => setTimeout(done, 50));
  t.same(told.what, ["ECONNRESET", "closed"]);
});

onEach("resetting tells the peer, drops what waits, and tells of the close later", async (t, backend) => {
  const { stream, peer } = await accepted(t, backend);
  const told = new Told(stream);
  peer.pause();
  while (stream.write(randomBytes(MEGA)));
  stream.reset();
  t.same(told.what, [], "nothing is told from within the call");
  t.equal(await endingOf(peer.resume()), "ECONNRESET");
  await until(() => told.what.length > 0, "it is closed");
  t.same(told.what, ["closed"]);
});

onEach("a peer that left is found out by writing", async (t, backend) => {
  const { stream, peer } = await accepted(t, backend);
  const told = new Told(stream);
  stream.pause();
  peer.resetAndDestroy();
  await once(peer, "close");
  for (let i = 0; i < 100 && !told.what.includes("closed"); i++) {
    stream.write(randomBytes(1000));
    await new Promise((done) => setTimeout(done, 5));
  }
  t.match(told.what, [/ECONNRESET|EPIPE/, "closed"]);
});

for (const half of ["both ends", "one end, then the other"]) {
  onEach(`pumped bytes arrive as they are, with the end behind them: ${half}`, async (t, backend) => {
    const { stream: client, peer } = await accepted(t, backend);
    let server: Socket | undefined;
    const port = await listen(t, HOST, (socket) => {
      server = socket;
    });
    const real = await connected(backend, port);
    const [a, b] = [new Pumped(real), new Pumped(client)];
    client.pump(real, a);
    real.pump(client, b);
    await until(() => server !== undefined, "it is connected");
    const [up, down] = [randomBytes(5 * MEGA), randomBytes(7 * MEGA)];
    const first = readAll(server!);
    peer.end(up);
    if (half !== "both ends") t.ok((await first).equals(up), "upwards, alone");
    server!.end(down);
    const [gotUp, gotDown] = await Promise.all([first, readAll(peer)]);
    t.ok(gotUp.equals(up) && gotDown.equals(down));
    await until(() => a.what.length === 2 && b.what.length === 2, "both are closed");
    t.same([a.what, b.what], Array(2).fill(["ended", "closed"]));
    t.same([client.bytesRead, real.bytesRead], [up.length, down.length]);
    t.ok(a.moves > 0 && b.moves > 0, "and it was told that they move");
  });
}

class Pumped {
  readonly what: string[] = [];
  moves = 0;
  readonly #to: Stream;

  constructor(to: Stream) {
    this.#to = to;
  }

  moved(): void {
    this.moves++;
  }

  ended(): void {
    this.what.push("ended");
    this.#to.end();
  }

  failed(reason: string): void {
    this.what.push(reason);
    this.#to.reset();
  }

  closed(): void {
    this.what.push("closed");
  }
}

onEach("nobody listening, and a port that is taken, are told by name", async (t, backend) => {
  const listener = await listening(t, backend, () => {});
  const options = { backlog: 1, accepted: () => {}, failed: () => {} };
  t.equal(await backend.listen({ ...options, at: listener.at }), "EADDRINUSE");
  t.equal(await backend.listen({ ...options, at: endpoint("192.0.2.1", 0) }), "EADDRNOTAVAIL");
  listener.close();
  listener.close();
  t.equal(await connecting(backend, listener.at.port), "ECONNREFUSED");
  const from = { address: endpoint("192.0.2.1", 0).address, port: null };
  const told: string[] = [];
  backend.connect({ to: listener.at, from, timeout: ms(1000), bulk: false }, (_, reason) => told.push(reason));
  t.same(told, [], "nothing is told from within the call");
  await until(() => told.length > 0, "it failed");
  t.same(told, ["EADDRNOTAVAIL"]);
});

onEach("a connection leaves from the address and port that it was asked to leave from", async (t, backend) => {
  const seen: string[] = [];
  const port = await listen(t, HOST, (socket) => seen.push(`${socket.remoteAddress}:${socket.remotePort}`));
  for (const from of ["127.0.0.7", "127.0.0.8"]) {
    const { address } = endpoint(from, 0);
    await new Promise<void>((resolve, reject) =>
      backend.connect(
        { to: endpoint(HOST, port), from: { address, port: null }, timeout: ms(3000), bulk: false },
        (s, r) => (s === null ? reject(new Error(r)) : resolve()),
      ),
    );
  }
  await until(() => seen.length === 2, "both have come");
  t.match(seen, [/^127\.0\.0\.7:/, /^127\.0\.0\.8:/]);
});

onEach("streams that come and go in hundreds leave no descriptor behind, and mix nothing up", async (t, backend) => {
  const descriptors = () => readdirSync("/proc/self/fd").length;
  const echo = { data: (): void => {}, drained: (): void => {}, failed: (): void => {}, closed: (): void => {} };
  const listener = await listening(t, backend, (stream) =>
    stream.read({ ...echo, data: (bytes) => void stream.write(Buffer.from(bytes)), ended: () => stream.end() }),
  );
  const one = async (n: number): Promise<void> => {
    const stream = await connected(backend, listener.at.port);
    const told = new Told(stream);
    stream.write(Buffer.from(`I am ${n}`));
    await until(() => told.length >= `I am ${n}`.length, "its own words come back");
    if (String(told.bytes) !== `I am ${n}`) t.fail(`${n} was told ${told.bytes}`);
    if (n % 2 === 0) stream.reset();
    else stream.end();
    await until(() => told.what.includes("closed"), "it is closed");
  };
  await one(0);
  const before = descriptors();
  for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 50 }, (_, i) => one(50 * round + i)));
  await until(() => descriptors() <= before, "all are closed");
  t.pass();
});
