/** RADIUS on the socket path: real sockets on loopback, each request scheduled by itself. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import t, { type Test } from "tap";
import { parseConfig } from "../../director/config.ts";
import { planSockets } from "../../director/datapath/socket-plan.ts";
import { SocketPath } from "../../director/datapath/sockets.ts";
import { type Attributes, accessRequest, packet } from "../helpers/radius/packets.ts";
import { until } from "./live.ts";

const VIP = "127.0.0.2";
const NAS = "127.0.0.3";

async function bound(t: Test, address: string, port = 0): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(port, address);
  await once(socket, "listening");
  t.teardown(() => new Promise<void>((resolve) => socket.close(() => resolve())).catch(() => {}));
  return socket;
}

interface Real {
  readonly name: string;
  readonly socket: Socket;
  readonly received: Buffer[];
  /** What a request is answered with; null: not at all. */
  answer: ((request: Buffer) => Uint8Array | null) | null;
}

/** Accepts everything, with its name as Reply-Message, unless told otherwise. */
async function realserver(t: Test, name: string, address: string, port: number): Promise<Real> {
  const socket = await bound(t, address, port);
  const real: Real = { name, socket, received: [], answer: (request) => packet(2, request[1]!, [[18, name]]) };
  socket.on("message", (message, { port, address }) => {
    real.received.push(message);
    const reply = real.answer?.(message);
    if (reply != null) socket.send(reply, port, address);
  });
  return real;
}

interface Farm {
  readonly path: SocketPath;
  readonly port: number;
  readonly reals: readonly Real[];
  readonly events: readonly unknown[];
}

/** A RADIUS service and `count` realservers, on the same port, at 127.0.0.11 and on. */
async function farm(t: Test, count: number, more = "", helpers = ""): Promise<Farm> {
  const probe = await bound(t, VIP);
  const { port } = probe.address();
  await new Promise<void>((resolve) => probe.close(resolve));
  const addresses = Array.from({ length: count }, (_, i) => `127.0.0.${11 + i}`);
  const reals = await Promise.all(addresses.map((address, i) => realserver(t, "abcd"[i]!, address, port)));
  const list = addresses.map((address) => `{ address: ${address} }`).join(", ");
  const text = `services:
  - { name: radius, vip: ${VIP}, ports: [udp/${port}], helper: radius, scheduler: rr, ${more} realservers: [${list}] }
helpers: { radius: { ports: [${port}], ${helpers} } }
`;
  const events: unknown[] = [];
  const path = new SocketPath(await planSockets(parseConfig(text, "test.yaml")), (...event) => events.push(event));
  await path.start();
  t.teardown(() => path.abort());
  return { path, port, reals, events };
}

/** A NAS: one socket, which keeps what it gets. */
class Nas {
  readonly socket: Socket;
  readonly received: Buffer[] = [];
  readonly #port: number;

  private constructor(socket: Socket, port: number) {
    this.socket = socket;
    this.#port = port;
    socket.on("message", (message) => this.received.push(message));
  }

  static async at(t: Test, { port }: Farm, address = NAS): Promise<Nas> {
    return new Nas(await bound(t, address), port);
  }

  send(bytes: Uint8Array): void {
    this.socket.send(bytes, this.#port, VIP);
  }

  async ask(bytes: Uint8Array): Promise<Buffer> {
    const before = this.received.length;
    this.send(bytes);
    await until(() => this.received.length > before, "the response");
    return this.received.at(-1)!;
  }

  /** The name of the realserver that answers. */
  async whoServes(bytes: Uint8Array): Promise<string> {
    return (await this.ask(bytes)).subarray(22).toString("latin1");
  }
}

/** Of 10,000 requests. */
const BURST = 100;

const count = ({ path }: Farm, name: string): number => path.counters.get(name);

t.test(
  "10,000 requests of one NAS socket: each of 4 realservers gets 25 % of them, and all are answered",
  async (t) => {
    const radius = await farm(t, 4);
    const nas = await Nas.at(t, radius);
    // At once: fewer than one socket has identifiers (256), and than a receive buffer may hold.
    for (let sent = 0; sent < 10_000; ) {
      for (let i = 0; i < BURST; i++, sent++) nas.send(accessRequest(i, [[1, `user${sent}`]], sent / BURST));
      await until(() => nas.received.length >= sent, `${sent} responses`);
    }
    t.equal(nas.received.length, 10_000);
    for (const { name, received } of radius.reals) {
      t.ok(received.length >= 2300 && received.length <= 2700, `${name} got ${received.length}`);
    }
    t.equal(count(radius, "requests"), 10_000);
    t.equal(count(radius, "replies"), 10_000);
  },
);

t.test("requests and responses pass to the byte", async (t) => {
  const radius = await farm(t, 1);
  const nas = await Nas.at(t, radius);
  const attributes: Attributes = [
    [80, "0123456789abcdef"],
    [79, "\x02\0\0\x05"],
    [33, "proxy"],
  ];
  const response = packet(11, 9, [
    [24, "\xff\0"],
    [80, "fedcba9876543210"],
  ]);
  radius.reals[0]!.answer = () => response;
  t.same(await nas.ask(accessRequest(9, attributes)), Buffer.from(response));
  t.same(radius.reals[0]!.received, [Buffer.from(accessRequest(9, attributes))]);
});

t.test("a retransmission goes where the request went, answered or not; the same identifier anew goes on", async (t) => {
  const radius = await farm(t, 2);
  const nas = await Nas.at(t, radius);
  for (const real of radius.reals) real.answer = null;
  nas.send(accessRequest(1, [], 1));
  nas.send(accessRequest(1, [], 1));
  await until(() => radius.reals.some(({ received }) => received.length === 2), "both are at one realserver");
  const first = radius.reals.find(({ received }) => received.length === 2)!;
  for (const real of radius.reals) real.answer = () => packet(2, 1, [[18, real.name]]);
  t.equal(await nas.whoServes(accessRequest(1, [], 1)), first.name);
  t.equal(await nas.whoServes(accessRequest(1, [], 1)), first.name, "its response got lost, say");
  t.not(await nas.whoServes(accessRequest(1, [], 2)), first.name, "another authenticator: round robin");
  t.equal(count(radius, "requests"), 2);
});

t.test("many NAS sockets with one identifier at once: each gets the response to its own request", async (t) => {
  const radius = await farm(t, 2);
  const sockets = await Promise.all(Array.from({ length: 50 }, () => Nas.at(t, radius)));
  // Answers come only when all requests are there, in the opposite order.
  const waiting: (() => void)[] = [];
  for (const { socket } of radius.reals) {
    socket.removeAllListeners("message");
    socket.on("message", (message, { port, address }) => {
      waiting.push(() => socket.send(packet(2, 7, [[18, message.subarray(22)]]), port, address));
    });
  }
  for (const [i, nas] of sockets.entries()) nas.send(accessRequest(7, [[1, `user${i}`]]));
  await until(() => waiting.length === 50, "all requests have come");
  for (const answer of waiting.reverse()) answer();
  await until(() => sockets.every(({ received }) => received.length > 0), "all are answered");
  t.same(
    sockets.map(({ received }) => received.map((one) => one.subarray(22).toString())),
    sockets.map((_, i) => [`user${i}`]),
  );
});

t.test("a Request with the State of a Challenge goes to whoever gave it, however many go in between", async (t) => {
  const radius = await farm(t, 4);
  const nas = await Nas.at(t, radius);
  for (const real of radius.reals) {
    real.answer = (request) =>
      request.includes("start")
        ? packet(11, request[1]!, [[24, `state-${real.name}`]])
        : packet(2, request[1]!, [[18, real.name]]);
  }
  for (let id = 0; id < 40; id += 2) {
    const challenge = await nas.ask(accessRequest(id, [[1, "start"]]));
    const state = challenge.subarray(22).toString();
    t.equal(`state-${await nas.whoServes(accessRequest(id + 1, [[24, state]]))}`, state);
    if (id % 3 === 0) nas.send(accessRequest(200, [], id));
  }
});

t.test("by key, authentication and accounting of a user meet at one realserver, from any NAS", async (t) => {
  const radius = await farm(t, 4, "", "key: [Calling-Station-Id]");
  const [nas, other] = [await Nas.at(t, radius), await Nas.at(t, radius, "127.0.0.4")];
  for (let i = 0; i < 12; i++) {
    const station: Attributes = [[31, `00-00-00-00-00-${i}`]];
    const name = await nas.whoServes(accessRequest(i, station));
    t.equal(await other.whoServes(packet(4, i, [[44, "s"], ...station])), name);
  }
  for (const { received } of radius.reals) t.equal(received.length, 6, "users are spread all the same");
});

t.test("a dead realserver loses its requests at once: what is sent again is served by another", async (t) => {
  const radius = await farm(t, 2);
  const nas = await Nas.at(t, radius);
  for (const real of radius.reals) real.answer = null;
  for (let id = 0; id < 20; id++) nas.send(accessRequest(id));
  await until(() => radius.reals.every(({ received }) => received.length === 10), "10 are at each");
  const [dead, alive] = radius.reals as [Real, Real];
  const lost = dead.received.map((request) => request[1]!);
  dead.socket.close();
  alive.answer = (request) => packet(2, request[1]!);
  // Whichever it is told for tells the director of all.
  nas.send(accessRequest(lost[0]!));
  await until(() => count(radius, "realserver-refused") === 1, "the director knows");
  t.equal(count(radius, "requests.purged"), 10);
  const before = alive.received.length;
  for (const id of lost) nas.send(accessRequest(id));
  await until(() => nas.received.length >= 10, "all are answered");
  t.same(
    alive.received.slice(before).map((request) => request[1]),
    lost,
  );
});

t.test("a realserver that says nothing at all is left when a request was sent it four times", async (t) => {
  const radius = await farm(t, 2);
  const nas = await Nas.at(t, radius);
  const first = await nas.whoServes(accessRequest(1));
  const silent = radius.reals.find(({ name }) => name !== first)!;
  silent.answer = null;
  for (let i = 0; i < 3; i++) nas.send(accessRequest(2));
  await until(() => silent.received.length === 3, "the realserver whose turn it is has it three times");
  t.equal(await nas.whoServes(accessRequest(2)), first);
  t.equal(silent.received.length, 3);
});

t.test("responses of a wrong realserver, or to nothing that was asked, are dropped", async (t) => {
  const radius = await farm(t, 2);
  const nas = await Nas.at(t, radius);
  const [a, b] = radius.reals as [Real, Real];
  const from: { port: number; address: string }[] = [];
  for (const real of [a, b]) {
    real.answer = null;
    real.socket.on("message", (_, remote) => from.push(remote));
  }
  nas.send(accessRequest(7));
  await until(() => from.length === 1, "the request has come");
  const [asked, other] = a.received.length === 1 ? [a, b] : [b, a];
  const { port, address } = from[0]!;
  // The other realserver, a third party, and the one that was asked from another port, to the socket that asked.
  other.socket.send(packet(2, 7, [[18, "wrong"]]), port, address);
  (await bound(t, "127.0.0.66")).send(packet(2, 7, [[18, "wrong"]]), port, address);
  (await bound(t, asked.socket.address().address)).send(packet(2, 7, [[18, "wrong"]]), port, address);
  // To the virtual service itself.
  other.socket.send(packet(2, 7, [[18, "wrong"]]), radius.port, VIP);
  await until(() => count(radius, "dropped.not-a-request") === 1, "that one is counted");
  // From whom was asked: another identifier, a code that is none, a length that is wrong.
  for (const bytes of [packet(2, 8), packet(1, 7), packet(2, 7).subarray(0, 19)])
    asked.socket.send(bytes, port, address);
  const reasons = ["unknown-request", "not-a-reply", "short-packet"].map((reason) => `dropped.${reason}`);
  await until(() => reasons.every((reason) => count(radius, reason) === 1), "those are counted");
  t.same(nas.received, []);
  asked.socket.send(packet(2, 7, [[18, "right"]]), port, address);
  await until(() => nas.received.length > 0, "the right one passes");
  asked.socket.send(packet(2, 7, [[18, "again"]]), port, address);
  await until(() => count(radius, "dropped.answered-already") === 1, "a second one does not");
  t.same(
    nas.received.map((one) => one.subarray(22).toString()),
    ["right"],
  );
});

t.test("what is malformed goes nowhere, and the rest is served", async (t) => {
  const radius = await farm(t, 1);
  const nas = await Nas.at(t, radius);
  const request = accessRequest(1);
  for (let length = 0; length < request.length; length++) nas.send(request.subarray(0, length));
  await nas.ask(accessRequest(2));
  t.equal(radius.reals[0]!.received.length, 1);
  t.equal(count(radius, "dropped.short-packet") + count(radius, "dropped.cut"), request.length);
});

t.test(
  "CoA and Disconnect of a realserver reach a NAS that has asked, from the VIP; its answer goes back",
  async (t) => {
    const radius = await farm(t, 2);
    const nas = await Nas.at(t, radius);
    const dynamic = await bound(t, NAS, radius.port);
    const heard: { message: Buffer; address: string }[] = [];
    dynamic.on("message", (message, { address, port }) => {
      heard.push({ message, address });
      dynamic.send(packet(44, message[1]!), port, address);
    });
    const coa = packet(43, 5, [
      [4, new Uint8Array([127, 0, 0, 3])],
      [44, "s1"],
    ]);
    const [real] = radius.reals as [Real, Real];
    real.answer = (request) => (request[0] === 1 ? packet(2, request[1]!) : null);
    real.socket.send(coa, radius.port, VIP);
    await until(() => count(radius, "dropped.unknown-client") === 1, "a NAS that never asked is left alone");
    await nas.ask(accessRequest(1));
    const before = real.received.length;
    real.socket.send(coa, radius.port, VIP);
    await until(() => real.received.length > before, "the answer is back");
    t.same(real.received.at(-1), Buffer.from(packet(44, 5)));
    t.same(heard, [{ message: Buffer.from(coa), address: VIP }]);
    nas.send(coa);
    await until(() => count(radius, "dropped.not-from-realserver") === 1, "a client may not");
  },
);

t.test("only a request that is not answered yet is a connection of its realserver's", async (t) => {
  const radius = await farm(t, 1);
  const nas = await Nas.at(t, radius);
  await nas.ask(accessRequest(1));
  t.equal(radius.path.open.connections, 0);
  radius.reals[0]!.answer = null;
  nas.send(accessRequest(2));
  await until(() => radius.reals[0]!.received.length === 2, "the second has come");
  t.equal(radius.path.open.connections, 1);
});

t.test("names, passwords and State are in no event and no counter, whatever becomes of the request", async (t) => {
  const radius = await farm(t, 2, "", "key: [User-Name]");
  const nas = await Nas.at(t, radius);
  const secrets: Attributes = [
    [1, "canary-name"],
    [2, "canary-password!"],
    [24, "canary-state"],
  ];
  for (const real of radius.reals) real.answer = (request) => packet(11, request[1]!, [[24, "canary-state"]]);
  const whole = accessRequest(1, secrets);
  await nas.ask(whole);
  await nas.ask(accessRequest(2, secrets).with(21, 0));
  for (const bad of [whole.subarray(0, -1), whole.with(0, 99), whole.with(0, 2)]) nas.send(bad);
  radius.reals[0]!.socket.send(packet(11, 9, secrets), radius.port, VIP);
  const dropped = () => [count(radius, "dropped.cut"), count(radius, "dropped.not-a-request")];
  await until(() => String(dropped()) === "1,3", "what is bad was dropped");
  for (const real of radius.reals) await new Promise<void>((closed) => real.socket.close(() => closed()));
  const before = radius.events.length;
  nas.send(accessRequest(3, secrets));
  await until(() => radius.events.length > before, "what became of it is told");
  t.notMatch(JSON.stringify([radius.events, radius.path.counters.all()]), "canary");
});
