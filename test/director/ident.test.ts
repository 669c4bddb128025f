/** ident through the socket path: a realserver asks whose a connection is, and its client's host answers. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import t, { type Test } from "tap";
import { parseConfig } from "../../director/config.ts";
import { freePort } from "../../tools/demo/realserver.ts";
import { CLIENT, dial, ending, Live, listen, onBackend, REAL_A, until, VIP } from "./live.ts";

const IDENT = 113;
const skip = process.getuid?.() === 0 ? false : `needs root, to listen on port ${IDENT}`;

interface Farm {
  readonly live: Live;
  readonly client: Socket;
  /** The client's connection, as its realserver has it. */
  readonly real: Socket;
  /** What the client's host was asked, and by whom. */
  readonly asked: string[];
  readonly askers: string[];
  /** Realservers may ask no more. */
  readonly forbid: () => Promise<void>;
}

async function farm(t: Test, originates: string): Promise<Farm> {
  const accepted: Socket[] = [];
  const at = await listen(t, REAL_A, (socket) => accepted.push(socket));
  const [asked, askers]: string[][] = [[], []];
  const answers = (socket: Socket): void => {
    askers!.push(socket.remoteAddress!);
    socket.on("data", (query: Buffer) => {
      asked!.push(String(query).trim());
      socket.end(`${String(query).trim()} : USERID : UNIX : joe\r\n`);
    });
  };
  await listen(t, CLIENT, answers, IDENT);
  const port = await freePort(VIP);
  const reals = `realservers: [{ address: ${REAL_A}, port: ${at} }]`;
  const text = (what: string): string =>
    `groups: [{ name: talk, vip: ${VIP}, ports: [tcp/${port}], ${what} ${reals} }]\nservices: []\n`;
  const live = await Live.start(t, text(originates), port);
  const client = await dial(t, VIP, port, CLIENT);
  await until(() => accepted.length === 1, "the client is connected");
  const forbid = (): Promise<void> => live.path.operated.apply(parseConfig(onBackend(text("")), "test.yaml"));
  return { live, client, real: accepted[0]!, asked: asked!, askers: askers!, forbid };
}

/** The realserver asks whom it takes for its client. */
async function ask(t: Test, query: string): Promise<Socket> {
  const socket = connect({ host: REAL_A, port: IDENT, localAddress: REAL_A });
  t.teardown(() => socket.destroy());
  await once(socket, "connect");
  socket.on("error", () => {}).write(query);
  return socket;
}

t.test("each side names the connection by the ports that it knows", { skip }, async (t) => {
  const { live, client, real, asked, askers } = await farm(t, "originates: [tcp/113],");
  const query = `${real.remotePort} , ${real.localPort}`;
  const asking = await ask(t, `${query}\r\n`);
  const [answer] = await once(asking, "data");
  t.equal(String(answer), `${query} : USERID : UNIX : joe\r\n`, "the realserver hears of what it asked");
  t.same(asked, [`${client.localPort} , ${client.remotePort}`], "and the client of what it knows");
  t.same(askers, [VIP]);
  t.equal(live.path.counters.get("connections.originated"), 1);
});

t.test("a query in pieces is put together before anybody is asked", { skip }, async (t) => {
  const { real, asked, askers } = await farm(t, "originates: [tcp/113],");
  const query = `${real.remotePort} , ${real.localPort}`;
  const asking = await ask(t, query.slice(0, 3));
  const answered = once(asking, "data");
  t.same(askers, []);
  asking.write(`${query.slice(3)}\r\n`);
  await answered;
  t.equal(asked.length, 1);
});

t.test("who asks about no connection of its own is turned away, and nobody is asked", { skip }, async (t) => {
  const { live, client, real, askers } = await farm(t, "originates: [tcp/113],");
  const strangers = [
    [`${client.localPort} , ${client.remotePort}`, "no-connection"],
    [`${real.remotePort} , ${real.localPort! ^ 1}`, "no-connection"],
    ["GET / HTTP/1.0", "not-ident"],
    [`${real.remotePort} , ${real.localPort} : USERID : UNIX : x`, "unsolicited"],
  ] as const;
  for (const [query, reason] of strangers) {
    const before = live.path.counters.get(`refused.${reason}`);
    const asking = await ask(t, `${query}\r\n`);
    t.equal(await ending(asking.resume()), "ECONNRESET", query);
    t.equal(live.path.counters.get(`refused.${reason}`), before + 1, reason);
  }
  t.same(askers, []);
});

t.test("a service that does not let its realservers ask has nobody listen for them", { skip }, async (t) => {
  await farm(t, "");
  const asking = connect({ host: REAL_A, port: IDENT });
  t.equal(await ending(asking), "ECONNREFUSED");
});

t.test("where realservers may not ask any more nobody listens for them", { skip }, async (t) => {
  const { forbid } = await farm(t, "originates: [tcp/113],");
  (await dial(t, REAL_A, IDENT, REAL_A)).end();
  await forbid();
  t.equal(await ending(connect({ host: REAL_A, port: IDENT })), "ECONNREFUSED");
});
