/** Who serves whom on the live path. */
import t, { type Test } from "tap";
import { freePort } from "../../tools/demo/realserver.ts";
import {
  CLIENT,
  dial,
  ending,
  ftpDirector,
  knock,
  Live,
  listen,
  plainDirector,
  REAL_A,
  REAL_B,
  type Real,
  readAll,
  until,
  VIP,
} from "./live.ts";
import { scripted } from "./scripted.ts";

/** Says its name and closes. */
async function named(t: Test, name: string, address: string, at = 0): Promise<Real & { readonly name: string }> {
  const port = await listen(t, address, (socket) => void socket.end(name), at);
  return { name, address, port };
}

async function ask(t: Test, port: number, from = CLIENT): Promise<string> {
  const socket = await dial(t, VIP, port, from);
  const name = (await readAll(socket)).toString();
  socket.end();
  return name;
}

async function askTimes(t: Test, count: number, port: number, from = CLIENT): Promise<string[]> {
  const names: string[] = [];
  for (let i = 0; i < count; i++) names.push(await ask(t, port, from));
  return names;
}

const closedAt = async (address: string): Promise<Real> => ({ address, port: await freePort(address) });

t.test("a client of a realserver that refuses gets the next one, and does not notice", async (t) => {
  const refusing = await closedAt(REAL_B);
  const live = await plainDirector(t, [refusing, await named(t, "A", REAL_A)]);
  t.same(await askTimes(t, 4, live.port), ["A", "A", "A", "A"]);
  const refused = live.of("realserver-refused");
  t.match(refused[0], { service: "plain", realserver: `${REAL_B}:${refusing.port}`, reason: "ECONNREFUSED" });
  t.ok(refused.length < 4, "which is then passed over for a while");
});

t.test("an FTP client, too", async (t) => {
  const real = await scripted(t, REAL_A);
  const live = await ftpDirector(t, [await closedAt(REAL_B), real]);
  const socket = await dial(t, VIP, live.port, CLIENT);
  const greeting = await new Promise<string>((resolve) => socket.once("data", (chunk) => resolve(String(chunk))));
  t.match(greeting, /^220 scripted/);
  t.match(live.of("connection"), [{ role: "control", real: `${REAL_A}:${real.port}` }]);
});

t.test("when none is left the client is refused, and the operator is told why", async (t) => {
  const reals = [await closedAt(REAL_A), await closedAt(REAL_B)];
  const live = await plainDirector(t, reals);
  t.equal(await knock(t, VIP, live.port, CLIENT), "ECONNRESET");
  t.match(
    live
      .of("realserver-refused")
      .map(({ realserver }) => String(realserver))
      .sort(),
    reals.map(({ address, port }) => `${address}:${port}`).sort(),
    "each was tried once",
  );
  t.match(live.of("refusal"), [{ level: "warn", reason: "no-realserver", service: "plain", from: /^127\.0\.0\.3:/ }]);
  t.equal(live.path.counters.get("refused.no-realserver"), 1);
  t.same(live.path.open, { controls: 0, connections: 0 });
});

t.test("one that comes back is used again", async (t) => {
  const back = await closedAt(REAL_A);
  const live = await plainDirector(t, [back]);
  t.equal(await knock(t, VIP, live.port, CLIENT), "ECONNRESET");
  await named(t, "A", REAL_A, back.port);
  t.equal(await ask(t, live.port), "A");
});

t.test("round robin takes them in turn", async (t) => {
  const live = await plainDirector(t, [await named(t, "A", REAL_A), await named(t, "B", REAL_B)]);
  t.same(await askTimes(t, 4, live.port), ["A", "B", "A", "B"]);
});

t.test("weights share the connections out, and none goes to weight 0", async (t) => {
  const reals = [
    { ...(await named(t, "A", REAL_A)), weight: 3 },
    { ...(await named(t, "B", REAL_B)), weight: 1 },
    { ...(await named(t, "C", "127.0.0.6")), weight: 0 },
  ];
  const live = await plainDirector(t, reals, VIP, "    scheduler: wrr");
  const names = await askTimes(t, 16, live.port);
  t.same(
    ["A", "B", "C"].map((name) => names.filter((one) => one === name).length),
    [12, 4, 0],
  );
});

t.test("least connections counts those that are open", async (t) => {
  const hold = (name: string) => (address: string) => listen(t, address, (socket) => void socket.write(name));
  const [a, b] = [await hold("A")(REAL_A), await hold("B")(REAL_B)];
  const reals = [
    { address: REAL_A, port: a },
    { address: REAL_B, port: b },
  ];
  const live = await plainDirector(t, reals, VIP, "    scheduler: lc");
  const open = async (): Promise<{ name: string; close: () => Promise<void> }> => {
    const socket = await dial(t, VIP, live.port, CLIENT);
    const name = await new Promise<string>((resolve) => socket.once("data", (chunk) => resolve(String(chunk))));
    const close = async (): Promise<void> => {
      const before = live.path.open.connections;
      socket.resetAndDestroy();
      await until(() => live.path.open.connections === before - 1, "it is closed");
    };
    return { name, close };
  };
  const first = await open();
  const second = await open();
  t.not(first.name, second.name);
  await first.close();
  t.equal((await open()).name, first.name, "the one that has none is next");
});

t.test("a persistent client stays where it is, another one is scheduled", async (t) => {
  const reals = [await named(t, "A", REAL_A), await named(t, "B", REAL_B)];
  const live = await plainDirector(t, reals, VIP, "    scheduler: rr\n    persistence: 300s");
  const first = await askTimes(t, 4, live.port);
  t.equal(new Set(first).size, 1);
  const other = await askTimes(t, 4, live.port, "127.0.0.5");
  t.equal(new Set(other).size, 1);
  t.not(other[0], first[0]);
  t.same(await askTimes(t, 2, live.port), first.slice(0, 2), "also after others came");
});

t.test("a persistent client of a realserver that dies is scheduled anew", async (t) => {
  const a = await named(t, "A", REAL_A);
  const dying = await closedAt(REAL_B);
  const live = await plainDirector(t, [a, dying], VIP, "    scheduler: rr\n    persistence: 300s");
  t.same(await askTimes(t, 3, live.port, "127.0.0.5"), ["A", "A", "A"]);
  t.same(await askTimes(t, 3, live.port, "127.0.0.6"), ["A", "A", "A"]);
});

t.test("the ports of a group lead a client to one realserver", async (t) => {
  const [first, second] = [await freePort(VIP), await freePort(VIP)];
  for (const [name, address] of [
    ["A", REAL_A],
    ["B", REAL_B],
  ] as const) {
    await named(t, `${name}1`, address, first);
    await named(t, `${name}2`, address, second);
  }
  await Live.start(
    t,
    `
groups:
  - name: pair
    vip: ${VIP}
    ports: [tcp/${first}, tcp/${second}]
    scheduler: rr
    realservers: [{ address: ${REAL_A} }, { address: ${REAL_B} }]
`,
    first,
  );
  const served: string[] = [];
  for (const client of [CLIENT, "127.0.0.5"]) {
    const names = [await ask(t, first, client), await ask(t, second, client), await ask(t, first, client)];
    t.equal(new Set(names.map((name) => name[0])).size, 1, names.join(" "));
    t.same(
      names.map((name) => name[1]),
      ["1", "2", "1"],
      "at the port that it asked for",
    );
    served.push(names[0]![0]!);
  }
  t.same(served.sort(), ["A", "B"]);
});

t.test("a client that leaves while its realserver is sought leaves nothing behind", async (t) => {
  const live = await plainDirector(t, [await named(t, "A", REAL_A)]);
  const sockets = await Promise.all(Array.from({ length: 20 }, () => dial(t, VIP, live.port, CLIENT)));
  for (const socket of sockets) socket.resetAndDestroy();
  const last = await dial(t, VIP, live.port, CLIENT);
  last.resume();
  t.equal(await ending(last), "end");
  last.end();
  await until(() => live.path.open.connections === 0, "all are closed");
  t.same(
    live.path.balancer.services[0]!.realservers.map(({ active }) => active),
    [0],
  );
});
