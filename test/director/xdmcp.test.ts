/** XDMCP through the socket path: a scripted display and manager, real datagrams and X11 connections. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { Socket as Stream } from "node:net";
import t, { type Test } from "tap";
import type { ConnectionEntry } from "../../core/balancer.ts";
import type { Endpoint, Ms, Port } from "../../core/units.ts";
import { seconds } from "../../core/units.ts";
import { now } from "../../director/clock.ts";
import type { DatagramOwner } from "../../director/datapath/datagram-owner.ts";
import { DatagramPorts } from "../../director/datapath/datagram-ports.ts";
import { DatagramListener } from "../../director/datapath/datagrams.ts";
import { listenOn, socketFor } from "../../director/datapath/udp.ts";
import { xdmcp } from "../../helpers/xdmcp/helper.ts";
import { freePort } from "../../tools/demo/realserver.ts";
import { address } from "../addresses.ts";
import { makeBalancer, realserver, serviceFor } from "../conversation.ts";
import { CLIENT, dial, Live, listen, REAL_A, until, VIP } from "./live.ts";

const X11 = 6000;
const REQUEST = 7;
const KEEP_ALIVE = 13;

const u16 = (n: number): number[] => [n >>> 8, n & 255];
const message = (opcode: number, ...body: number[]): Uint8Array =>
  Uint8Array.from([...u16(1), ...u16(opcode), ...u16(body.length), ...body]);
const addresses = (...numbers: number[]): number[] => [1, ...u16(0), 1, ...u16(4), ...numbers];
const REST = [...u16(0), ...u16(0), 0, ...u16(0)];

const request = (display: number): Uint8Array =>
  message(REQUEST, ...u16(display), ...addresses(...CLIENT.split(".").map(Number)), ...REST);
const SESSION = [0, 0, 0, 77];
const ACCEPT = message(8, ...SESSION, ...u16(0), ...u16(0), ...u16(0), ...u16(0));
const keepAlive = (display: number): Uint8Array => message(KEEP_ALIVE, ...u16(display), ...SESSION);
const ALIVE = message(14, 1, ...SESSION);

async function bound(t: Test, host: string): Promise<Socket> {
  const socket = createSocket("udp4");
  t.teardown(() => void socket.close());
  socket.bind(0, host);
  await once(socket, "listening");
  return socket;
}

interface Session {
  readonly live: Live;
  readonly display: Socket;
  readonly number: number;
  /** Display numbers as the manager was told them: in a Request, in a KeepAlive. */
  readonly told: Map<number, number>;
  /** Opens a window: both ends of its connection. */
  window(): Promise<readonly [display: Stream, manager: Stream]>;
}

/** A manager that accepts everybody, and a display that was accepted. */
async function session(t: Test, rest: string): Promise<Session> {
  const manager = await bound(t, REAL_A);
  const told = new Map<number, number>();
  manager.on("message", (said, { port, address: from }) => {
    const opcode = said.readUInt16BE(2);
    told.set(opcode, said.readUInt16BE(6));
    manager.send(opcode === REQUEST ? ACCEPT : ALIVE, port, from);
  });
  const port = await freePort(VIP);
  const service = `{ name: logins, vip: ${VIP}, ports: [udp/${port}], helper: xdmcp, realservers: [{ address: ${REAL_A}, port: ${manager.address().port} }] }`;
  const live = await Live.start(t, `services: [${service}]\nhelpers: { xdmcp: { ports: [${port}] } }\n${rest}`, port);
  const windows: Stream[] = [];
  const number = (await listen(t, CLIENT, (window) => windows.push(window))) - X11;
  const display = await bound(t, CLIENT);
  const accepted = once(display, "message");
  display.send(request(number), port, VIP);
  await accepted;
  return {
    live,
    display,
    number,
    told,
    window: async () => {
      const before = windows.length;
      const opened = await dial(t, REAL_A, X11 + told.get(REQUEST)!);
      await until(() => windows.length > before, "the window arrives at the display");
      return [windows.at(-1)!, opened];
    },
  };
}

/** `from` says something, and `to` hears it. */
async function says(from: Stream, to: Stream, text: string): Promise<string> {
  const heard = once(to, "data");
  from.write(text);
  return String((await heard)[0]);
}

t.test("windows arrive at the display from the virtual address, as many as open", async (t) => {
  const { number, told, window } = await session(t, "");
  t.not(told.get(REQUEST), number, "the manager knows the display by another number");
  for (let i = 0; i < 3; i++) {
    const [display, manager] = await window();
    t.equal(display.remoteAddress, VIP);
    t.equal(await says(manager, display, `draw ${i}`), `draw ${i}`);
    t.equal(await says(display, manager, `key ${i}`), `key ${i}`);
  }
});

t.test("KeepAlive names the display by the number that the manager was told", async (t) => {
  const { live, display, number, told } = await session(t, "");
  const alive = once(display, "message");
  display.send(keepAlive(number), live.port, VIP);
  t.same((await alive)[0], Buffer.from(ALIVE));
  t.equal(told.get(KEEP_ALIVE), told.get(REQUEST));
});

t.test("a window may stand still for longer than other connections", async (t) => {
  const others = await listen(t, REAL_A, () => {});
  const port = await freePort(VIP);
  const plain = `groups: [{ name: plain, vip: ${VIP}, ports: [tcp/${port}], realservers: [{ address: ${REAL_A}, port: ${others} }] }]`;
  const { live, window } = await session(t, `${plain}\ntimeouts: { idle: 300ms }`);
  const [display, manager] = await window();
  // Opened later, and quiet for as long: it is ended.
  await dial(t, VIP, port);
  t.match(await live.untilEvent("closed"), { role: "plain", error: "idle" });
  t.equal(await says(manager, display, "draw"), "draw");
  t.equal(await says(display, manager, "key"), "key");
});

/** Displays' sockets at a listener of their own; `busy`: whose windows are open. */
async function listener(t: Test, most: number) {
  const manager = await bound(t, REAL_A);
  const port = (await freePort(VIP)) as Port;
  const at: Endpoint = { address: address(VIP), port };
  const balancer = makeBalancer([
    serviceFor(xdmcp, {
      address: at.address,
      ports: [{ transport: "udp", first: port, last: port }],
      controlPorts: [port],
      realservers: [realserver(REAL_A, { port: manager.address().port as Port })],
    }),
  ]);
  const busy = new Set<string>();
  const owner: DatagramOwner = {
    balancer,
    log: () => {},
    service: "logins",
    settings: { strict: false, hold: 0 },
    onRefuse: "refuse",
    onFailure: "open",
    ports: new DatagramPorts(null),
    count: () => {},
    id: () => 1,
    prepare: () => {},
    withdrawn: () => {},
    ended: () => {},
    release: () => {},
    opened: () => {},
    closed: () => {},
    busy: ({ client }: ConnectionEntry) => busy.has(String(client.port)),
  };
  const socket = socketFor(at.address);
  await listenOn(socket, at, () => {});
  const listening = new DatagramListener(at, () => xdmcp, owner, socket, most);
  t.teardown(() => {
    listening.end();
    socket.close();
  });
  const flows = (): string[] => [...balancer.connections].map(({ client }) => String(client.port));
  return {
    listening,
    busy,
    flows,
    /** The port of a new display's socket, which has a flow. */
    display: async (): Promise<string> => {
      const socket = await bound(t, CLIENT);
      const name = String(socket.address().port);
      socket.send("query", port, VIP);
      await until(() => flows().includes(name), "its flow is there");
      return name;
    },
  };
}

const after = (wait: number): Ms => (now() + seconds(wait)) as Ms;

t.test("a flow is not idle while its windows are open, nor at once when the last of them closes", async (t) => {
  const { listening, busy, flows, display } = await listener(t, 10);
  const name = await display();
  busy.add(name);
  listening.sweep(after(3600));
  t.same(flows(), [name], "an hour without a datagram");
  busy.clear();
  listening.sweep(after(3601));
  t.same(flows(), [name], "the log-out: the login screen is to open its window");
  listening.sweep(after(4000));
  t.same(flows(), [], "and nothing came for 300 s");
});

t.test("flows whose windows are open do not give way to newcomers", async (t) => {
  const { busy, flows, display } = await listener(t, 3);
  const [oldest, second, third] = [await display(), await display(), await display()];
  busy.add(oldest);
  const fourth = await display();
  t.same(new Set(flows()), new Set([oldest, third, fourth]), `${second} gave way`);
  busy.add(third);
  busy.add(fourth);
  const fifth = await display();
  t.equal(flows().length, 3);
  t.ok(flows().includes(fifth), "where all are in use, one of them has to");
});
