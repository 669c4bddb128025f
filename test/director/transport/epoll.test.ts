/** What only an event loop of our own can get wrong, with peers made of bare system calls. */
import { randomBytes } from "node:crypto";
import t, { type Test } from "tap";
import { type Calls, loadCalls } from "../../../director/datapath/transport/epoll/calls.ts";
import { EpollBackend } from "../../../director/datapath/transport/epoll/epoll.ts";
import { Sockets } from "../../../director/datapath/transport/epoll/sockets.ts";
import { NetBackend } from "../../../director/datapath/transport/net/net.ts";
import type { Stream } from "../../../director/datapath/transport.ts";
import { connecting, endpoint, listening, Told } from "../backends.ts";
import { dial, until } from "../live.ts";

const calls = (await loadCalls()) as Calls | string;
const options = typeof calls === "string" ? { skip: calls } : {};
const HOST = "127.0.0.1";
const MSG_OOB = 1;

const backend = async (t: Test): Promise<EpollBackend> => {
  const loaded = await EpollBackend.load();
  if (typeof loaded === "string") throw new Error(loaded);
  t.teardown(() => loaded.abort());
  return loaded;
};

/** A blocking socket of our own, connected to `port`. */
function raw(t: Test, port: number): { say(text: string, flags?: number): void; fd: number; close(): void } {
  const sockets = new Sockets(calls as Calls);
  const fd = sockets.open(4);
  sockets.connect(fd, endpoint(HOST, port));
  let open = true;
  const close = (): void => {
    if (open) sockets.calls.close(fd);
    open = false;
  };
  t.teardown(close);
  return {
    fd,
    close,
    say: (text, flags = 0) => void sockets.calls.sendBytes(fd, Buffer.from(text), text.length, flags),
  };
}

t.test("urgent bytes come where they were said, and hold nothing up behind them", options, async (t) => {
  const streams: Stream[] = [];
  const { at } = await listening(t, await backend(t), (stream) => streams.push(stream));
  const peer = raw(t, at.port);
  await until(() => streams.length > 0, "it is accepted");
  const told = new Told(streams[0]);
  let expected = "";
  for (let round = 0; round < 20; round++) {
    // Telnet's Synch before ABOR (RFC 959 §4.1.3), all at once and byte for byte.
    peer.say("NOOP\r\n");
    peer.say("\x7f\x7f", MSG_OOB);
    peer.say("ABOR\r\n");
    expected += "NOOP\r\n\x7f\x7fABOR\r\n";
    if (round % 3 === 0) await new Promise((done) => setTimeout(done, 2));
  }
  await until(() => told.length >= expected.length, "all has come");
  t.equal(told.bytes.toString("latin1"), expected);
  peer.close();
  await until(() => told.what.length > 0, "its end comes");
  t.same(told.what, ["ended"]);
});

/** A port where nobody answers: its queue is full. */
async function silent(t: Test): Promise<number> {
  const sockets = new Sockets(calls as Calls);
  const fd = sockets.open(4);
  t.teardown(() => sockets.calls.close(fd));
  t.equal(sockets.bind(fd, endpoint(HOST, 0).address, 0), 0);
  t.equal(sockets.calls.listen(fd, 0), 0);
  const { port } = sockets.local(fd)!;
  for (let i = 0; i < 3; i++) raw(t, port);
  return port;
}

t.test("a host that does not answer is given up after the time that was set", options, async (t) => {
  const port = await silent(t);
  for (const one of [await backend(t), new NetBackend()]) {
    t.equal(await connecting(one, port, HOST, 150), "connect-timeout", one.name);
  }
});

t.test("events of streams that were closed in the same batch reach nobody else", options, async (t) => {
  const port = await silent(t);
  const streams: Stream[] = [];
  const one = await backend(t);
  const reasons: Promise<Stream | string>[] = [];
  const { at } = await listening(t, one, (stream) => {
    streams.push(stream);
    // All others are closed while their own bytes have been reported already; new ones take their descriptors.
    const data = (bytes: Uint8Array): void => {
      if (Buffer.from(bytes).toString() !== "killer") return;
      for (const other of streams) if (other !== stream) other.reset();
      for (let i = 0; i < 20; i++) reasons.push(connecting(one, port, HOST, 150));
    };
    stream.read({ data, drained: () => {}, ended: () => {}, failed: () => {}, closed: () => {} });
  });
  const killer = await dial(t, HOST, at.port);
  const victims = await Promise.all(Array.from({ length: 20 }, () => dial(t, HOST, at.port)));
  await until(() => streams.length === 21, "all are accepted");
  const ends = victims.map((victim) => new Promise((closed) => victim.resume().once("close", closed)));
  // All in one batch: nothing runs in between.
  killer.write("killer");
  for (const victim of victims) victim.write("victim");
  await Promise.all(ends);
  t.same(await Promise.all(reasons), Array(20).fill("connect-timeout"), "nobody takes their events for its own");
});

t.test("a stream that has more than its share leaves the others theirs", options, async (t) => {
  const streams: Stream[] = [];
  const { at } = await listening(t, await backend(t), (stream) => streams.push(stream));
  const [loud, quiet] = [await dial(t, HOST, at.port), await dial(t, HOST, at.port)];
  await until(() => streams.length === 2, "both are accepted");
  const [first, second] = streams.map((stream) => new Told(stream)) as [Told, Told];
  const content = randomBytes(32 * 1024 * 1024);
  loud.end(content);
  quiet.end("me too");
  await until(() => second.what.length > 0 && first.what.length > 0, "both have ended");
  t.equal(first.length + second.length, content.length + 6);
  t.ok([first, second].some((told) => told.bytes.equals(content)));
});
