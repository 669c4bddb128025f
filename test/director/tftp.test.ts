/** TFTP through the socket path: scripted peers, real sockets, a port of its own for every transfer. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { freePort } from "../../tools/demo/realserver.ts";
import { CLIENT, Live, REAL_A, REAL_B, sha256, until, VIP } from "./live.ts";

const [RRQ, WRQ, DATA, ACK] = [1, 2, 3, 4];
const BLOCK = 512;
const STRANGER = "127.0.0.5";

const request = (opcode: number, name: string): Buffer =>
  Buffer.concat([Buffer.from([0, opcode]), Buffer.from(`${name}\0octet\0`)]);
const data = (block: number, bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0, DATA, block >> 8, block & 255]), bytes.subarray((block - 1) * BLOCK, block * BLOCK)]);
const ack = (block: number): Buffer => Buffer.from([0, ACK, block >> 8, block & 255]);
const opcodeOf = (message: Buffer): number => message.readUInt16BE(0);
const blockOf = (message: Buffer): number => message.readUInt16BE(2);

async function bound(t: Test, address: string, port = 0): Promise<Socket> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  t.teardown(() => void socket.close());
  socket.bind(port, address);
  await once(socket, "listening");
  return socket;
}

interface Server {
  readonly address: string;
  readonly port: number;
  /** Where each request came from. */
  readonly asked: RemoteInfo[];
  readonly stored: Buffer[];
  /** The sockets of its transfers. */
  readonly transfers: Socket[];
}

/** Sends `content` to whoever reads, keeps what is written; of `mute` it only hears. */
async function server(t: Test, address: string, content: Buffer, mute = false): Promise<Server> {
  const socket = await bound(t, address);
  const it: Server = { address, port: socket.address().port, asked: [], stored: [], transfers: [] };
  socket.on("message", async (message, from) => {
    it.asked.push(from);
    if (mute) return;
    const transfer = await bound(t, address);
    it.transfers.push(transfer);
    const answer = (bytes: Buffer) => transfer.send(bytes, from.port, from.address);
    const blocks: Buffer[] = [];
    transfer.on("message", (said) => {
      const block = blockOf(said);
      if (opcodeOf(said) === ACK && block * BLOCK <= content.length) answer(data(block + 1, content));
      if (opcodeOf(said) !== DATA) return;
      blocks[block - 1] = said.subarray(4);
      answer(ack(block));
      if (said.length < BLOCK + 4) it.stored.push(Buffer.concat(blocks));
    });
    answer(opcodeOf(message) === RRQ ? data(1, content) : ack(0));
  });
  return it;
}

/** A director in front of `servers`; what its clients ask. */
async function director(t: Test, servers: readonly Server[], rest = ""): Promise<Live> {
  const port = await freePort(VIP);
  const reals = servers.map((one) => `{ address: ${one.address}, port: ${one.port} }`).join(", ");
  const service = `{ name: boot, vip: ${VIP}, ports: [udp/${port}], helper: tftp, scheduler: rr, realservers: [${reals}] }`;
  const text = `services:\n  - ${service}\nhelpers:\n  tftp: { ports: [${port}] }\n${rest}`;
  return Live.start(t, text, port);
}

/** RFC 1350 §4: whoever answers first is the other end from then on. */
async function get(client: Socket, port: number): Promise<{ bytes: Buffer; from: RemoteInfo }> {
  client.send(request(RRQ, "file"), port, VIP);
  const blocks: Buffer[] = [];
  for (;;) {
    const [message, from] = (await once(client, "message")) as [Buffer, RemoteInfo];
    blocks[blockOf(message) - 1] = message.subarray(4);
    client.send(ack(blockOf(message)), from.port, from.address);
    if (message.length < BLOCK + 4) return { bytes: Buffer.concat(blocks), from };
  }
}

async function put(client: Socket, port: number, bytes: Buffer): Promise<void> {
  client.send(request(WRQ, "file"), port, VIP);
  for (let block = 0; block * BLOCK <= bytes.length; block++) {
    const [, from] = (await once(client, "message")) as [Buffer, RemoteInfo];
    client.send(data(block + 1, bytes), from.port, from.address);
  }
  await once(client, "message");
}

const content = Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * 7 + (i >> 8)) & 255));

t.test(
  "files are read and written byte for byte, on both realservers, from a port of the VIP of their own",
  async (t) => {
    const servers = [await server(t, REAL_A, content), await server(t, REAL_B, content)];
    const live = await director(t, servers);
    for (let i = 0; i < 4; i++) {
      const { bytes, from } = await get(await bound(t, CLIENT), live.port);
      t.equal(sha256(bytes), sha256(content));
      t.equal(from.address, VIP);
      t.not(from.port, live.port);
      await put(await bound(t, CLIENT), live.port, content);
    }
    t.same(
      servers.map(({ asked }) => asked.length),
      [4, 4],
    );
    await until(() => servers[0]!.stored.length + servers[1]!.stored.length === 4, "all files are stored");
    for (const { stored } of servers) for (const bytes of stored) t.equal(sha256(bytes), sha256(content));
    t.same(live.kinds, Array(8).fill("tftp"));
    t.equal(live.of("connection").filter(({ role }) => role === "related").length, 8);
    t.equal(live.path.counters.get("related.tftp"), 8);
  },
);

t.test("one client socket reads one file after the other", async (t) => {
  const live = await director(t, [await server(t, REAL_A, content)]);
  const client = await bound(t, CLIENT);
  const ports = new Set<number>();
  for (let i = 0; i < 3; i++) {
    const { bytes, from } = await get(client, live.port);
    t.equal(sha256(bytes), sha256(content));
    ports.add(from.port);
  }
  t.equal(ports.size, 3);
});

t.test("transfers are on the ports that are configured for what is announced", async (t) => {
  const live = await director(t, [await server(t, REAL_A, content)], "related: { ports: 30110-30117, standing: 1 }\n");
  for (let i = 0; i < 3; i++) {
    const { from } = await get(await bound(t, CLIENT), live.port);
    t.ok(from.port >= 30110 && from.port <= 30117, String(from.port));
  }
});

t.test("of strangers, and of ports that nobody waits for, nothing comes to the client", async (t) => {
  const real = await server(t, REAL_A, content);
  const live = await director(t, [real]);
  const client = await bound(t, CLIENT);
  const { from } = await get(client, live.port);
  const heard: Buffer[] = [];
  client.on("message", (message) => heard.push(message));
  const U = real.asked[0]!;
  (await bound(t, STRANGER)).send(data(1, content), U.port, U.address);
  await until(() => live.path.counters.get("refused.wrong-address") === 1, "another address is refused");
  // The entry was for one flow, and that has come.
  (await bound(t, REAL_A)).send(data(1, content), U.port, U.address);
  await until(() => live.path.counters.get("refused.no-related-entry") === 1, "a second flow is refused");
  const told: Buffer[] = [];
  real.transfers[0]!.on("message", (message) => told.push(message));
  (await bound(t, STRANGER)).send("stranger", from.port, VIP);
  client.send("client", from.port, VIP);
  await until(() => told.length > 0, "the client is heard");
  await sleep(50);
  t.same(told.map(String), ["client"], "only the client is heard where its transfer is");
  t.same(heard, []);
});

t.test("a realserver that says nothing is asked twice; the next request goes to another", async (t) => {
  const [dead, alive] = [await server(t, REAL_A, content, true), await server(t, REAL_B, content)];
  const live = await director(t, [dead, alive]);
  const client = await bound(t, CLIENT);
  for (const count of [1, 2]) {
    client.send(request(RRQ, "file"), live.port, VIP);
    await until(() => dead.asked.length === count, `request ${count} is there`);
  }
  const { bytes } = await get(client, live.port);
  t.equal(sha256(bytes), sha256(content));
  t.equal(dead.asked.length, 2);
  t.match(live.of("realserver-refused"), [{ service: "boot", reason: "silent" }]);
});

t.test("a silent realserver that is the only one is asked again", async (t) => {
  const only = await server(t, REAL_A, content, true);
  const live = await director(t, [only]);
  const client = await bound(t, CLIENT);
  for (const count of [1, 2, 3, 4]) {
    client.send(request(RRQ, "file"), live.port, VIP);
    await until(() => only.asked.length === count, `request ${count} is there`);
  }
  t.equal(only.asked.length, 4);
});

t.test("stopping ends transfers, and leaves nothing open", async (t) => {
  const live = await director(t, [await server(t, REAL_A, content)]);
  await get(await bound(t, CLIENT), live.port);
  t.equal(live.path.open.connections, 2, "the request's flow, and the transfer");
  await live.path.stop();
  t.equal(live.path.open.connections, 0);
});

t.test("a director that stops lets a transfer finish, and takes no new one", async (t) => {
  const one = await server(t, REAL_A, content);
  const live = await director(t, [one]);
  const client = await bound(t, CLIENT);
  client.send(request(RRQ, "file"), live.port, VIP);
  let [message, from] = (await once(client, "message")) as [Buffer, RemoteInfo];
  const stopped = live.path.stop();
  await live.untilEvent("draining");
  (await bound(t, CLIENT)).send(request(RRQ, "file"), live.port, VIP);
  const blocks: Buffer[] = [];
  for (;;) {
    blocks[blockOf(message) - 1] = message.subarray(4);
    client.send(ack(blockOf(message)), from.port, from.address);
    if (message.length < BLOCK + 4) break;
    [message, from] = (await once(client, "message")) as [Buffer, RemoteInfo];
  }
  t.equal(sha256(Buffer.concat(blocks)), sha256(content));
  await stopped;
  t.same(live.of("cut"), [], "nothing was left to be cut");
  t.equal(one.asked.length, 1, "the second request went nowhere");
});
