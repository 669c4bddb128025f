/** A director whose realservers die and come back, seen by its clients. */
import { createSocket, type Socket as Datagrams } from "node:dgram";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import t, { type Test } from "tap";
import { freePort } from "../../../tools/demo/realserver.ts";
import { operated } from "../control/operated.ts";
import { CLIENT, dial, ending, REAL_A, REAL_B, readAll, until, VIP } from "../live.ts";

/** A check is given as long to be answered: a busy machine must not make two in a row too late. */
const EVERY = "interval: 500ms";

/** Says its name; may be killed and started again where it was. */
class Named {
  readonly name: string;
  readonly address: string;
  port = 0;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #datagrams: Datagrams | null = null;

  private constructor(name: string, address: string) {
    this.name = name;
    this.address = address;
  }

  static async start(t: Test, name: string, address: string): Promise<Named> {
    const one = new Named(name, address);
    one.port = await freePort(address);
    await one.start();
    t.teardown(() => one.kill());
    return one;
  }

  async start(): Promise<void> {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
      socket.on("data", (asked) => (String(asked) === "stay" ? socket.write(this.name) : socket.end(this.name)));
    });
    this.#server.listen(this.port, this.address);
    await once(this.#server, "listening");
    const datagrams = createSocket("udp4");
    datagrams.on("message", (_, from) => datagrams.send(this.name, from.port, from.address));
    datagrams.bind(this.port, this.address);
    await once(datagrams, "listening");
    this.#datagrams = datagrams;
  }

  /** Its sockets stay open where `silent`: whoever has one hears nothing more. */
  kill(): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#datagrams?.close();
    this.#datagrams = null;
  }

  /** Hears and says nothing by UDP any more, and refuses nobody; takes no connection. */
  hang(): void {
    this.#server?.close();
    this.#datagrams?.removeAllListeners("message");
  }
}

const entry = ({ address, port }: Named): string => `{ address: ${address}, port: ${port} }`;

async function ask(t: Test, port: number): Promise<string> {
  const socket = await dial(t, VIP, port, CLIENT);
  socket.write("name");
  const name = String(await readAll(socket));
  socket.end();
  return name;
}

t.test("clients of a realserver that is killed are served by the other, and by it again when it is back", async (t) => {
  const [a, b] = [await Named.start(t, "a", REAL_A), await Named.start(t, "b", REAL_B)];
  const port = await freePort(VIP);
  const check = `{ kind: tcp, ${EVERY}, rise: 2, fall: 2 }`;
  const text = `services: [{ name: s, vip: ${VIP}, ports: [tcp/${port}], scheduler: rr, check: ${check}, realservers: [${entry(a)}, ${entry(b)}] }]\n`;
  const { log, director } = await operated(t, text);
  const of = (event: string) => log.filter((one) => one.event === event);
  t.same([await ask(t, port), await ask(t, port)].sort(), ["a", "b"]);
  a.kill();
  await until(() => of("realserver-down").length === 1, "its death is noticed");
  t.match(of("realserver-down"), [{ service: "s", realserver: `${REAL_A}:${a.port}`, reason: "ECONNREFUSED" }]);
  t.same([await ask(t, port), await ask(t, port)], ["b", "b"]);
  t.equal(of("realserver-refused").length, 0, "none of them was sent to the dead one first");
  await a.start();
  await until(() => of("realserver-up").length === 1, "its return is noticed");
  t.same([await ask(t, port), await ask(t, port)].sort(), ["a", "b"]);
  await director.stop();
});

t.test("a sorry server serves while all others are down, unasked itself, and no longer", async (t) => {
  const [a, s] = [await Named.start(t, "a", REAL_A), await Named.start(t, "sorry", REAL_B)];
  const port = await freePort(VIP);
  const check = `{ kind: tcp, ${EVERY}, rise: 2, fall: 2 }`;
  const servers = `[${entry(a)}, { address: ${s.address}, port: ${s.port}, sorry: true }]`;
  const text = `services: [{ name: s, vip: ${VIP}, ports: [tcp/${port}], scheduler: rr, check: ${check}, realservers: ${servers} }]\n`;
  const { log, director, file } = await operated(t, text);
  const of = (event: string) => log.filter((one) => one.event === event);
  t.same([await ask(t, port), await ask(t, port)], ["a", "a"]);
  a.kill();
  await until(() => of("realserver-down").length === 1, "its death is noticed");
  t.same([await ask(t, port), await ask(t, port)], ["sorry", "sorry"]);
  await a.start();
  await until(() => of("realserver-up").length === 1, "its return is noticed");
  t.same([await ask(t, port), await ask(t, port)], ["a", "a"]);
  await writeFile(file, (await readFile(file, "utf8")).replace("kind: tcp", "kind: xdmcp"));
  await director.reload();
  await until(() => of("realserver-down").length === 2, "it is asked what it cannot answer");
  t.same([await ask(t, port), await ask(t, port)], ["sorry", "sorry"], "which the sorry server need not be");
  t.same(
    of("realserver-down").filter(({ realserver }) => realserver !== `${REAL_A}:${a.port}`),
    [],
  );
  await director.stop();
});

t.test("clients by UDP of a realserver that fell silent move at once when it is found to be down", async (t) => {
  const [a, b] = [await Named.start(t, "a", REAL_A), await Named.start(t, "b", REAL_B)];
  const port = await freePort(VIP);
  const check = `{ kind: tcp, ${EVERY}, fall: 2, onFailure: drop }`;
  const text = `services: [{ name: s, vip: ${VIP}, ports: [udp/${port}], scheduler: rr, check: ${check}, realservers: [${entry(a)}, ${entry(b)}] }]\n`;
  const { log } = await operated(t, text);
  const clients = [createSocket("udp4"), createSocket("udp4")];
  const heard: string[] = ["", ""];
  for (const [i, client] of clients.entries()) {
    t.teardown(() => client.close());
    client.on("message", (name) => {
      heard[i] = String(name);
    });
    client.send("?", port, VIP);
  }
  await until(() => heard.every((name) => name !== ""), "both are served");
  t.same([...heard].sort(), ["a", "b"]);
  a.hang();
  await until(() => log.some(({ event }) => event === "realserver-down"), "its silence is noticed");
  t.match(
    log.filter(({ event }) => event === "realserver-down"),
    [{ realserver: `${REAL_A}:${a.port}`, cut: 1 }],
  );
  heard.fill("");
  for (const client of clients) client.send("?", port, VIP);
  await until(() => heard.every((name) => name === "b"), "both are served by the other");
});

t.test("open connections of one that fails are cut where that is configured, and stay where not", async (t) => {
  for (const [policy, fate] of [
    ["drop", "cut"],
    ["quiesce", "stays"],
  ] as const) {
    const a = await Named.start(t, "a", REAL_A);
    const port = await freePort(VIP);
    const check = `{ kind: tcp, port: ${a.port}, ${EVERY}, fall: 2, onFailure: ${policy} }`;
    const { log } = await operated(
      t,
      `services: [{ name: s, vip: ${VIP}, ports: [tcp/${port}], check: ${check}, realservers: [${entry(a)}] }]\n`,
    );
    const socket = await dial(t, VIP, port, CLIENT);
    socket.write("stay");
    t.equal(String((await once(socket, "data"))[0]), "a");
    const end = ending(socket).then(() => "cut");
    a.hang();
    await until(() => log.some(({ event }) => event === "realserver-down"), "it is down");
    if (policy === "quiesce") socket.write("stay");
    t.equal(await Promise.race([end, once(socket, "data").then(() => "stays")]), fate);
  }
});

t.test("what is to count as down until it was asked serves nobody before", async (t) => {
  const a = await Named.start(t, "a", REAL_A);
  const port = await freePort(VIP);
  const check = "{ kind: tcp, initially: down, interval: 1h }";
  const { director } = await operated(
    t,
    `services: [{ name: s, vip: ${VIP}, ports: [tcp/${port}], check: ${check}, realservers: [${entry(a)}] }]\n`,
  );
  const socket = await dial(t, VIP, port, CLIENT);
  socket.write("name");
  t.equal(await ending(socket), "ECONNRESET");
  await director.stop();
});
