/** DNS on the socket path: real sockets on loopback, over UDP and TCP. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Socket as TcpSocket } from "node:net";
import t, { type Test } from "tap";
import { parseConfig } from "../../director/config.ts";
import { planSockets } from "../../director/datapath/socket-plan.ts";
import { SocketPath } from "../../director/datapath/sockets.ts";
import { framed, message, NOTIFY, OPT, QR, TC, UPDATE } from "../helpers/dns/messages.ts";
import { until } from "./live.ts";

const VIP = "127.0.0.2";
const CLIENT = "127.0.0.3";

async function bound(t: Test, address: string, port = 0): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(port, address);
  await once(socket, "listening");
  t.teardown(() => new Promise<void>((resolve) => socket.close(() => resolve())).catch(() => {}));
  return socket;
}

/** One message of a TCP stream after the other. */
function messagesOf(socket: TcpSocket, got: (message: Buffer) => void): void {
  let held = Buffer.alloc(0);
  socket
    .on("error", () => {})
    .on("data", (chunk) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const end = 2 + held.readUInt16BE(0);
        got(held.subarray(2, end));
        held = held.subarray(end);
      }
    });
}

interface Real {
  readonly number: number;
  readonly asked: { readonly transport: "udp" | "tcp"; readonly message: Buffer }[];
  readonly tcpConnections: TcpSocket[];
}

/** Repeats the question with QR set, and its number as the last byte; with TC over UDP if the name begins with `big`. */
async function realserver(t: Test, number: number, port: number): Promise<Real> {
  const address = `127.0.0.${10 + number}`;
  const real: Real = { number, asked: [], tcpConnections: [] };
  const answer = (transport: "udp" | "tcp", message: Buffer): Buffer => {
    real.asked.push({ transport, message });
    const reply = Buffer.concat([message, Buffer.from([number])]);
    const truncated = transport === "udp" && message.includes("big") ? TC : 0;
    reply.writeUInt16BE(message.readUInt16BE(2) | QR | truncated, 2);
    return reply;
  };
  const socket = await bound(t, address, port);
  socket.on("message", (message, { port, address }) => socket.send(answer("udp", message), port, address));
  const server = createServer((client) => {
    real.tcpConnections.push(client);
    messagesOf(client, (message) => client.write(framed(answer("tcp", message))));
  });
  server.listen(port, address);
  await once(server, "listening");
  t.teardown(() => {
    server.close();
    for (const client of real.tcpConnections) client.destroy();
  });
  return real;
}

interface Farm {
  readonly path: SocketPath;
  readonly port: number;
  readonly reals: readonly Real[];
}

async function farm(t: Test, count: number, helpers = ""): Promise<Farm> {
  const probe = await bound(t, VIP);
  const { port } = probe.address();
  await new Promise<void>((resolve) => probe.close(resolve));
  const reals = await Promise.all(Array.from({ length: count }, (_, i) => realserver(t, i + 1, port)));
  const list = reals.map(({ number }) => `{ address: 127.0.0.${10 + number} }`).join(", ");
  const text = `services:
  - { name: dns, vip: ${VIP}, ports: [udp/${port}, tcp/${port}], helper: dns, scheduler: rr, realservers: [${list}] }
helpers: { dns: { ports: [${port}], ${helpers} } }
`;
  const path = new SocketPath(await planSockets(parseConfig(text, "test.yaml")), () => {});
  await path.start();
  t.teardown(() => path.abort());
  return { path, port, reals };
}

const numberIn = (answer: Buffer): number => answer.at(-1)!;

async function ask(socket: Socket, { port }: Farm, query: Uint8Array): Promise<Buffer> {
  const answer = once(socket, "message");
  socket.send(query, port, VIP);
  return (await answer)[0] as Buffer;
}

async function dial(t: Test, { port }: Farm, localAddress = CLIENT): Promise<{ socket: TcpSocket; answers: Buffer[] }> {
  const socket = connect({ host: VIP, port, localAddress });
  t.teardown(() => socket.destroy());
  const answers: Buffer[] = [];
  messagesOf(socket, (message) => answers.push(message));
  await once(socket, "connect");
  return { socket, answers };
}

/** The realserver that answers `query` on a TCP connection of its own. */
async function overTcp(t: Test, dns: Farm, query: Uint8Array): Promise<number> {
  const { socket, answers } = await dial(t, dns);
  socket.write(framed(query));
  await until(() => answers.length === 1, "the answer over TCP");
  socket.destroy();
  return numberIn(answers[0]!);
}

// The first, so that no socket of another test is counted.
t.test(
  "each client socket has an upstream port of its own, which is closed when its queries are answered",
  async (t) => {
    const dns = await farm(t, 1);
    const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "UDPWrap").length;
    const clients = await Promise.all(Array.from({ length: 20 }, () => bound(t, CLIENT)));
    const before = sockets();
    await Promise.all(clients.map((client, i) => ask(client, dns, message(i, 0, "a.example"))));
    t.ok(sockets() > before, "they are open");
    await until(() => sockets() === before, "they are closed");
  },
);

t.test("each query is scheduled by itself, also of one socket; bytes, ids and letters pass as they are", async (t) => {
  const dns = await farm(t, 2);
  const client = await bound(t, CLIENT);
  const numbers: number[] = [];
  for (let id = 0; id < 10; id++) {
    const query = message(0xbe00 + id, 0x0100, "wWw.ExAmPlE", OPT);
    const answer = await ask(client, dns, query);
    numbers.push(numberIn(answer));
    t.same(answer.subarray(4, -1), Buffer.from(query).subarray(4));
    t.equal(answer.readUInt16BE(0), 0xbe00 + id);
  }
  t.same(numbers, [1, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
  t.same(dns.reals[0]!.asked[0]!.message, Buffer.from(message(0xbe00, 0x0100, "wWw.ExAmPlE", OPT)));
});

t.test("the TCP retry of a truncated answer reaches the realserver that gave it, 100 of 100 times", async (t) => {
  const dns = await farm(t, 3);
  const client = await bound(t, CLIENT);
  let met = 0;
  for (let i = 0; i < 100; i++) {
    const query = message(i, 0x0100, `big${i}.example`);
    const truncated = await ask(client, dns, query);
    t.ok(truncated.readUInt16BE(2) & TC);
    // What others ask in between moves the scheduler on.
    for (let n = 0; n < i % 3; n++) await ask(client, dns, message(1000 + n, 0x0100, "small.example"));
    if ((await overTcp(t, dns, message(i + 1, 0x0100, `big${i}.EXAMPLE`))) === numberIn(truncated)) met++;
  }
  t.equal(met, 100);
});

t.test("truncated answers of several realservers to one client: each retry finds its own", async (t) => {
  const dns = await farm(t, 3);
  const client = await bound(t, CLIENT);
  const given: number[] = [];
  for (let i = 0; i < 6; i++) given.push(numberIn(await ask(client, dns, message(i, 0, `big${i}.example`))));
  t.same(given, [1, 2, 3, 1, 2, 3]);
  for (const i of [5, 0, 3, 1, 4, 2]) t.equal(await overTcp(t, dns, message(i, 0, `big${i}.example`)), given[i]);
});

t.test("pipelined queries of a TCP connection stay on one realserver, a byte at a time or all at once", async (t) => {
  const dns = await farm(t, 3);
  const { socket, answers } = await dial(t, dns);
  const queries = Array.from({ length: 20 }, (_, id) => Buffer.from(framed(message(id, 0x0100, `n${id}.example`))));
  socket.setNoDelay(true);
  for (const byte of queries[0]!) {
    socket.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.write(Buffer.concat(queries.slice(1)));
  await until(() => answers.length === 20, "all answers");
  t.equal(new Set(answers.map(numberIn)).size, 1);
  t.same(
    answers.map((answer) => answer.readUInt16BE(0)),
    queries.map((_, id) => id),
  );
});

t.test("what a client sends with its FIN behind it is answered all the same", async (t) => {
  const dns = await farm(t, 1);
  const { socket, answers } = await dial(t, dns);
  socket.end(framed(message(1, 0x0100, "a.example")));
  await until(() => answers.length === 1, "the answer");
  t.equal(numberIn(answers[0]!), 1);
});

t.test("a TCP connection that opens with no message is reset, and counted", async (t) => {
  const dns = await farm(t, 1);
  const { socket } = await dial(t, dns);
  socket.write(framed(new Uint8Array(12), 11));
  await new Promise((resolve) => socket.once("close", resolve));
  t.equal(dns.path.counters.get("refused.short-header"), 1);
  t.equal(dns.reals[0]!.tcpConnections.length, 0);
});

t.test("NOTIFY and UPDATE go to the primary, over both; queries to all", async (t) => {
  const dns = await farm(t, 3, "primary: 127.0.0.12");
  const client = await bound(t, CLIENT);
  for (const flags of [NOTIFY, UPDATE, NOTIFY, UPDATE]) {
    t.equal(numberIn(await ask(client, dns, message(flags, flags, "example"))), 2);
    t.equal(await overTcp(t, dns, message(flags, flags, "example")), 2);
  }
  const numbers = new Set<number>();
  for (let id = 0; id < 3; id++) numbers.add(numberIn(await ask(client, dns, message(id, 0, "example"))));
  t.equal(numbers.size, 3);
});

t.test("a retransmission goes where the query went; an answer to another question is dropped", async (t) => {
  const dns = await farm(t, 1);
  const silent = await bound(t, "127.0.0.99");
  const { port } = silent.address();
  const probe = await bound(t, VIP);
  const vipPort = probe.address().port;
  await new Promise<void>((resolve) => probe.close(resolve));
  const text = `services:
  - { name: dns, vip: ${VIP}, ports: [udp/${vipPort}], helper: dns, realservers: [{ address: 127.0.0.99, port: ${port} }] }
helpers: { dns: { ports: [${vipPort}] } }
`;
  const path = new SocketPath(await planSockets(parseConfig(text, "test.yaml")), () => {});
  await path.start();
  t.teardown(() => path.abort());
  const seen: { message: Buffer; port: number; address: string }[] = [];
  silent.on("message", (message, remote) => seen.push({ message, ...remote }));
  const client = await bound(t, CLIENT);
  const answers: Buffer[] = [];
  client.on("message", (answer) => answers.push(answer));
  for (let i = 0; i < 3; i++) client.send(message(7, 0, "a.example"), vipPort, VIP);
  await until(() => seen.length === 3, "all three have come");
  t.equal(new Set(seen.map(({ port }) => port)).size, 1, "from one socket");
  t.equal(path.counters.get("requests"), 1);
  const { port: to, address } = seen[0]!;
  for (const wrong of [message(7, QR, "b.example"), message(8, QR, "a.example")]) silent.send(wrong, to, address);
  await until(() => path.counters.get("dropped.unknown-request") === 2, "they are dropped");
  t.same(answers, []);
  silent.send(message(7, QR, "A.example"), to, address);
  await until(() => answers.length === 1, "the right one passes");
  t.equal(dns.reals.length, 1);
});
