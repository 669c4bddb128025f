/** UDP services: real sockets on loopback, answers that find their way back. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import t, { type Test } from "tap";
import { parseConfig } from "../../director/config.ts";
import { type Libc, loadLibc } from "../../director/datapath/libc.ts";
import { planSockets } from "../../director/datapath/socket-plan.ts";
import { SocketPath } from "../../director/datapath/sockets.ts";
import { hear, type Sender } from "../../director/datapath/udp.ts";
import type { Fields } from "../../director/log.ts";

const bound = async (t: Test, address: string, port = 0): Promise<Socket> => {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  t.teardown(() => new Promise<void>((resolve) => socket.close(() => resolve())).catch(() => {}));
  socket.bind(port, address);
  await once(socket, "listening");
  return socket;
};

/** Answers each datagram with its name. */
async function realserver(t: Test, name: string, address = "127.0.0.1"): Promise<{ port: number; socket: Socket }> {
  const socket = await bound(t, address);
  socket.on("message", (message, from) => socket.send(`${name}:${message}`, from.port, from.address));
  return { port: socket.address().port, socket };
}

interface Event extends Fields {
  readonly event: string;
}

async function director(
  t: Test,
  realservers: string,
  options: string,
  vip = "127.0.0.1",
): Promise<[SocketPath, number, Event[]]> {
  const probe = await bound(t, vip);
  const { port } = probe.address();
  await new Promise<void>((resolve) => probe.close(resolve));
  const text = `services:\n  - { name: echo, vip: "${vip}", ports: [udp/${port}], ${options} realservers: [${realservers}] }\n`;
  const events: Event[] = [];
  const path = new SocketPath(await planSockets(parseConfig(text, "test.yaml")), (_level, event, fields) => {
    events.push({ event, ...fields });
  });
  await path.start();
  t.teardown(() => path.abort());
  return [path, port, events];
}

async function ask(client: Socket, text: string, port: number, address = "127.0.0.1"): Promise<string> {
  const answer = once(client, "message");
  client.send(text, port, address);
  return String((await answer)[0]);
}

for (const address of ["127.0.0.1", "::1"]) {
  t.test(`each client of ${address} gets its answers, from the realserver that it was given`, async (t) => {
    const [a, b] = [await realserver(t, "a", address), await realserver(t, "b", address)];
    const list = [a, b].map(({ port }) => `{ address: "${address}", port: ${port} }`).join(", ");
    const [path, port] = await director(t, list, "scheduler: rr,", address);
    const clients = [await bound(t, address), await bound(t, address)];
    const first = await Promise.all(clients.map((client) => ask(client, "x", port, address)));
    t.same(first.sort(), ["a:x", "b:x"], "round robin");
    const named = await ask(clients[0]!, "1", port, address);
    t.equal(await ask(clients[0]!, "1", port, address), named, "it stays there");
    t.equal(path.open.connections, 2);
  });
}

t.test("a client moves at once when its realserver does not listen any more", async (t) => {
  const [a, b] = [await realserver(t, "a"), await realserver(t, "b")];
  const list = [a, b].map(({ port }) => `{ address: 127.0.0.1, port: ${port} }`).join(", ");
  // By its hash the client belongs to the realserver that it had: only passing that one over brings it to the other.
  const [, port, events] = await director(t, list, "scheduler: sh,");
  const client = await bound(t, "127.0.0.1");
  const [name] = (await ask(client, "x", port)).split(":");
  (name === "a" ? a : b).socket.close();
  const other = name === "a" ? "b" : "a";
  let answer = "";
  client.on("message", (message) => {
    answer = String(message);
  });
  // The datagram that finds nobody is lost, as UDP has it; the next ones arrive.
  for (let i = 0; i < 3000 && answer === ""; i++) {
    client.send("again", port, "127.0.0.1");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  t.equal(answer, `${other}:again`);
  t.match(
    events.find(({ event }) => event === "realserver-refused"),
    { service: "echo" },
  );
});

t.test("with persistence all sockets of a client go to one realserver", async (t) => {
  const [a, b] = [await realserver(t, "a"), await realserver(t, "b")];
  const list = [a, b].map(({ port }) => `{ address: 127.0.0.1, port: ${port} }`).join(", ");
  const [, port] = await director(t, list, "persistence: 60s,");
  const answers = new Set<string>();
  for (let i = 0; i < 4; i++) answers.add(await ask(await bound(t, "127.0.0.1"), "x", port));
  t.equal(answers.size, 1);
});

t.test("a port that somebody else has is told, with the service that wants it", async (t) => {
  const taken = await bound(t, "127.0.0.1");
  const { port } = taken.address();
  const text = `services:\n  - { name: echo, vip: 127.0.0.1, ports: [udp/${port}], realservers: [{ address: 127.0.0.2 }] }\n`;
  const path = new SocketPath(await planSockets(parseConfig(text, "test.yaml")), () => {});
  await t.rejects(path.start(), {
    name: "ListenError",
    code: "EADDRINUSE",
    message: new RegExp(`service echo: .*:${port}`),
  });
});

const AF_INET = 2;
const SOCK_RAW = 3;
const IPPROTO_UDP = 17;

/** A datagram from port 0 of 127.0.0.1 to `port` there: nothing but a raw socket can send it. */
function sendFromNowhere(libc: Libc, text: string, port: number): void {
  const { socket, sendto, close } = libc.functions({
    socket: "int socket(int, int, int)",
    sendto: "intptr_t sendto(int, const void *, size_t, int, const void *, uint32_t)",
    close: "int close(int)",
  }) as Record<string, (...args: readonly unknown[]) => number>;
  const header = Buffer.alloc(8);
  header.writeUInt16BE(port, 2);
  header.writeUInt16BE(header.length + text.length, 4);
  const message = Buffer.concat([header, Buffer.from(text)]);
  const to = Buffer.alloc(16);
  to.writeUInt16LE(AF_INET, 0);
  to.set([127, 0, 0, 1], 4);
  const fd = socket!(AF_INET, SOCK_RAW, IPPROTO_UDP);
  const sent = sendto!(fd, message, message.length, 0, to, to.length);
  close!(fd);
  if (sent !== message.length) throw new Error("it was not sent");
}

/** A sender may be made up, and so may its port. The answer to port 0 ended the whole director (ERR_SOCKET_BAD_PORT). */
const libc = await loadLibc("a raw socket");
const raw = typeof libc === "string" ? libc : process.getuid?.() === 0 ? false : "a raw socket needs root";
t.test("a datagram from port 0 is for nobody, and the next client is served", { skip: raw }, async (t) => {
  const { port: real, socket } = await realserver(t, "a");
  const heard: string[] = [];
  socket.on("message", (message) => heard.push(String(message)));
  const [path, port] = await director(t, `{ address: 127.0.0.1, port: ${real} }`, "");
  sendFromNowhere(libc as Libc, "nobody", port);
  const client = await bound(t, "127.0.0.1");
  t.equal(await ask(client, "somebody", port), "a:somebody");
  t.same(heard, ["somebody"]);
  t.equal(path.open.connections, 1);
});

/** A client on the link, with an address of the link: Node tells it with its zone, which was no address, and the director ended. */
t.test("who sent a datagram is known without the zone of its address, and answered with it", async (t) => {
  const socket = await bound(t, "127.0.0.1");
  const heard: Sender[] = [];
  const stop = hear(socket, (_message, from) => heard.push(from));
  const comes = (address: string, port: number): boolean => socket.emit("message", Buffer.from("x"), { address, port });
  comes("fe80::ecf5:29ff:fec6:b431%eth0", 40_000);
  comes("2001:db8::7", 0);
  comes("192.0.2.7", 53);
  stop();
  comes("192.0.2.8", 53);
  t.same(
    heard.map(({ address, port, host }) => [String(address), port, host]),
    [
      ["fe80::ecf5:29ff:fec6:b431", 40_000, "fe80::ecf5:29ff:fec6:b431%eth0"],
      ["192.0.2.7", 53, "192.0.2.7"],
    ],
  );
});
