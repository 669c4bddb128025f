/** rsh through the socket path: a scripted client and server, on reserved ports where the protocol asks for them. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import t, { type Test } from "tap";
import { freePort } from "../../tools/demo/realserver.ts";
import { CLIENT, Live, listen, REAL_A, until, VIP } from "./live.ts";

const skip = process.getuid?.() === 0 ? false : "needs root, for reserved ports";

const isReserved = (port: number | undefined): boolean => port !== undefined && port >= 512 && port <= 1023;

/** From a port, or from the next below that is free. */
async function dialFrom(t: Test, host: string, port: number, from: { address: string; port: number }): Promise<Socket> {
  for (let localPort = from.port; localPort > from.port - 100; localPort--) {
    const socket = connect({ host, port, localAddress: from.address, localPort });
    t.teardown(() => socket.destroy());
    const how = await Promise.race([
      once(socket, "connect").then(() => "connected"),
      once(socket, "error").then(([{ code }]) => String(code)),
    ]).catch(({ code }) => String(code));
    if (how === "connected") return socket.on("error", () => {});
    if (how !== "EADDRINUSE" && how !== "EADDRNOTAVAIL") throw new Error(how);
  }
  throw new Error("no port is free");
}

/** The client's end for stderr: the highest reserved port that is free. */
async function listenReserved(t: Test, accept: (socket: Socket) => void, at = 1023): Promise<number> {
  return listen(t, CLIENT, accept, at).catch(() => listenReserved(t, accept, at - 1));
}

interface Farm {
  readonly live: Live;
  readonly client: Socket;
  /** How the server sees its client, and what that said. */
  readonly seen: { port: number | undefined; said: string };
  /** Connections that the client got for stderr. */
  readonly errors: Socket[];
  readonly announced: number;
}

/** `from`: the port that the client comes from. */
async function farm(t: Test, from = 1000): Promise<Farm> {
  const seen: Farm["seen"] = { port: undefined, said: "" };
  const real = await listen(t, REAL_A, (socket) => {
    seen.port = socket.remotePort;
    socket.on("data", (bytes: Buffer) => {
      seen.said += bytes.toString("latin1");
    });
  });
  const errors: Socket[] = [];
  const announced = await listenReserved(t, (socket) => errors.push(socket));
  const port = await freePort(VIP);
  const service = `{ name: shell, vip: ${VIP}, ports: [tcp/${port}], helper: rsh, realservers: [{ address: ${REAL_A}, port: ${real} }] }`;
  const live = await Live.start(t, `services:\n  - ${service}\nhelpers:\n  rsh: { ports: [${port}] }\n`, port);
  const client = await dialFrom(t, VIP, port, { address: CLIENT, port: from });
  client.write(`${announced}\0root\0root\0date\0`);
  await until(() => seen.said.endsWith("date\0"), "the command arrived");
  return { live, client, seen, errors, announced };
}

const announcedIn = ({ said }: Farm["seen"]): number => Number.parseInt(said, 10);

t.test("a client on a reserved port is relayed from one, and so is its stderr, both ways", { skip }, async (t) => {
  const of = await farm(t);
  t.equal(of.seen.port, of.client.localPort, "its own, which is free");
  const told = announcedIn(of.seen);
  t.ok(isReserved(told), `the server is told a reserved port: ${told}`);
  const stderr = await dialFrom(t, REAL_A, told, { address: REAL_A, port: 900 });
  await until(() => of.errors.length === 1, "stderr is connected");
  const [error] = of.errors;
  t.equal(error!.remoteAddress, VIP);
  t.ok(isReserved(error!.remotePort), `the client hears from a reserved port: ${error!.remotePort}`);
  stderr.write("err\n");
  t.equal(String((await once(error!, "data"))[0]), "err\n");
  t.same(of.live.kinds, ["rsh-stderr"]);
});

t.test("a second client on the same port is relayed from another reserved port", { skip }, async (t) => {
  const of = await farm(t);
  const other = await dialFrom(t, VIP, of.live.port, { address: "127.0.0.6", port: of.client.localPort! });
  t.equal(other.localPort, of.client.localPort);
  await until(() => of.live.of("connection").length === 2, "it is connected");
  t.ok(isReserved(of.seen.port), String(of.seen.port));
  t.not(of.seen.port, of.client.localPort);
});

t.test("a client on any other port is relayed from such a port: it proves nothing", { skip }, async (t) => {
  // Taken on the director's side, so that it needs another.
  const of = await farm(t, await listen(t, "127.0.0.7", () => {}));
  t.notOk(isReserved(of.seen.port), String(of.seen.port));
  t.ok(isReserved(announcedIn(of.seen)), "the end for stderr is as it was announced");
});

t.test("stderr from a port that is not reserved stays so", { skip }, async (t) => {
  const of = await farm(t);
  const taken = await listen(t, VIP, () => {});
  await dialFrom(t, REAL_A, announcedIn(of.seen), { address: REAL_A, port: taken });
  await until(() => of.errors.length === 1, "stderr is connected");
  t.notOk(isReserved(of.errors[0]!.remotePort), String(of.errors[0]!.remotePort));
});
