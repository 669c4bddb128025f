/** A director that may open no more files: who comes is told so, who is there stays, and it goes on afterwards. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import t from "tap";
import { freePort } from "../../tools/demo/realserver.ts";
import { CLIENT, dial, ending, listen, plainConfig, REAL_A, until, VIP } from "./live.ts";
import { built, configurationFile, Process } from "./process.ts";

const CLIENTS = 300;

/** Whether the director said why, by backend. */
const told = new Map<string, boolean[]>([
  ["net", []],
  ["auto", []],
]);

// A connection takes two: the last one is missed when accepting, or when connecting. Starting alone takes many.
for (const [backend, files] of [
  ["net", 250],
  ["net", 251],
  ["auto", 250],
  ["auto", 251],
] as const) {
  t.test(`with ${files} files for ${CLIENTS} clients, on ${backend}`, built, async (t) => {
    const server = await listen(t, REAL_A, (socket) => {
      socket.on("data", (bytes) => socket.write(bytes)).on("end", () => socket.end());
    });
    const port = await freePort(VIP);
    const rest = `backend: ${backend}\nrelated: { standing: 1 }`;
    const config = plainConfig(VIP, port, [{ address: REAL_A, port: server }], "", rest);
    const director = new Process(t, ["run", await configurationFile(t, config)], { files });
    await director.untilEvent("ready");

    const first = await dial(t, VIP, port, CLIENT);
    first.write("hello");
    await once(first, "data");
    const crowd: Socket[] = [];
    let away = 0;
    for (let i = 0; i < CLIENTS; i++) {
      const client = connect({ host: VIP, port, localAddress: CLIENT }).resume();
      crowd.push(client);
      void ending(client).then(() => away++);
    }
    await until(() => director.over || away + director.of("connection").length - 1 >= CLIENTS, "all are dealt with");
    t.notOk(director.over, "it runs on");
    t.ok(away > 50, `${away} were turned away`);
    t.ok(director.of("connection").length > 50, "the others were let in");
    const said = [...director.of("listener"), ...director.of("refusal")];
    told.get(backend)!.push(JSON.stringify(said).includes("EMFILE"));

    first.write("still there");
    t.equal(String((await once(first, "data"))[0]), "still there");
    for (const client of crowd) client.destroy();
    await until(() => director.of("closed").length >= director.of("connection").length - 1, "they are gone");
    const late = await dial(t, VIP, port, CLIENT);
    late.write("late");
    t.equal(String((await once(late, "data"))[0]), "late", "there is room again");
    director.child.kill("SIGTERM");
    first.end();
    late.end();
    t.equal(await director.exited, 0);
    t.equal(director.stderr, "");
  });
}

t.test("it says why: what it cannot accept on epoll, where it cannot connect on either", built, async (t) => {
  t.same(told.get("auto"), [true, true]);
  // What Node cannot accept it closes, and tells nobody (libuv's uv__emfile_trick).
  t.ok(told.get("net")!.includes(true));
});
