/** Somebody holds all the connections that the control interface has: an operator gets in all the same, at once. */
import { once } from "node:events";
import { request } from "node:http";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import t, { type Test } from "tap";
import { freePort } from "../../../tools/demo/realserver.ts";
import { plainConfig, until, VIP } from "../live.ts";
import { ask, operated, TOKEN } from "./operated.ts";

/** More than it has, and still fewer than the kernel lets wait. */
const MANY = 300;

const config = async (): Promise<string> =>
  plainConfig(VIP, await freePort(VIP), [{ address: "192.0.2.10", port: 80 }]);
const toSocket = ({ socketPath }: { readonly socketPath: string }): NetConnectOpts => ({ path: socketPath });

/** Each says `what`, and goes no further. */
async function fill(t: Test, at: NetConnectOpts, what: string, many = MANY): Promise<Socket[]> {
  const sockets = Array.from({ length: many }, () => connect(at).on("error", () => {}));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  for (const socket of sockets) socket.resume().write(what);
  return sockets;
}

/** All that comes until it is closed. */
function heardOn(socket: Socket): Promise<string> {
  let heard = "";
  socket.setEncoding("utf8").on("data", (text: string) => (heard += text));
  return new Promise((done) => void socket.on("error", () => {}).once("close", () => done(heard)));
}

const closed = (sockets: readonly Socket[]): number => sockets.filter(({ destroyed }) => destroyed).length;

t.test("who fills it with connections that say nothing, or half of something, keeps nobody out", async (t) => {
  for (const what of [
    "",
    "GET /v1/status HTTP/1.1\r\nHost: kindred\r\n",
    "GET /healthz HTTP/1.1\r\nHost: kindred\r\n\r\n",
  ]) {
    const director = await operated(t, await config());
    const sockets = await fill(t, toSocket(director.socket), what);
    t.equal((await ask(director.socket, "/v1/status")).status, 200, JSON.stringify(what));
    await until(() => closed(sockets) >= MANY - 256 + 1, "those that were too many are closed");
    t.notOk(sockets.at(-1)!.destroyed, "the last that came stays");
    const told = director.log.filter(({ event }) => event === "control-full");
    t.match(told, [{ level: "warn", at: director.socket.socketPath, most: 256 }], "it is told, and once");
  }
});

t.test("nor does who watches without end", async (t) => {
  const director = await operated(t, await config());
  await fill(t, toSocket(director.socket), "GET /v1/events HTTP/1.1\r\nHost: kindred\r\n\r\n");
  t.equal((await ask(director.socket, "/v1/status")).status, 200);
});

/** Of many who watch and one who is idle, the one would go for the next that comes. */
t.test("nor, while many watch, does who comes between an operator and what he asks", async (t) => {
  const director = await operated(t, await config());
  await fill(t, toSocket(director.socket), "GET /v1/events HTTP/1.1\r\nHost: kindred\r\n\r\n");
  const operator = connect(toSocket(director.socket));
  const heard = heardOn(operator);
  await once(operator, "connect");
  await fill(t, toSocket(director.socket), "", 100);
  await ask(director.socket, "/v1/status");
  operator.write("GET /v1/status HTTP/1.1\r\nHost: kindred\r\nConnection: close\r\n\r\n");
  t.match(await heard, /^HTTP\/1.1 200/);
});

t.test("who is being answered stays while most are idle", async (t) => {
  const director = await operated(t, await config());
  const watching = request({ ...director.socket, path: "/v1/events", agent: false }).end();
  const [lines] = await once(watching, "response");
  t.teardown(() => watching.destroy());
  lines.resume();
  await fill(t, toSocket(director.socket), "");
  await ask(director.socket, "/v1/status");
  t.notOk(lines.destroyed, "it was the oldest");
});

t.test("over TCP as well", async (t) => {
  const director = await operated(t, await config());
  await fill(t, director.tcp, "");
  const headers = { authorization: `Bearer ${TOKEN}` };
  t.equal((await ask(director.tcp, "/v1/status", { headers })).status, 200);
});
