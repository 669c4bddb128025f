/** A configuration that is loaded again: by a signal, by its file, by a request; all of it, or nothing. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t from "tap";
import { freePort } from "../../../tools/demo/realserver.ts";
import { CLIENT, knock, plainConfig, until, VIP } from "../live.ts";
import { built, Process } from "../process.ts";
import { ask, type OperatedDirector, operated } from "./operated.ts";

const A = { address: "192.0.2.10", port: 80 };
const B = { address: "192.0.2.11", port: 80 };

t.test("SIGHUP reads the file again; one that is wrong changes nothing, and says where", built, async (t) => {
  const port = await freePort(VIP);
  const director = await Process.start(t, plainConfig(VIP, port, [A], "", "log: { level: error }"));
  await director.untilEvent("ready");
  await writeFile(director.file, plainConfig(VIP, port, [A, B], "", "log: { level: error }"));
  director.child.kill("SIGHUP");
  await director.untilEvent("changed");
  t.match(director.of("changed"), [{ changes: ["service plain: realserver 192.0.2.11:80 comes, with weight 1"] }]);
  const wrong = plainConfig(VIP, port, [A], "    scheduler: wlcc");
  await writeFile(director.file, wrong);
  director.child.kill("SIGHUP");
  await director.untilEvent("reload-failed");
  const line = wrong.split("\n").findIndex((one) => one.includes("wlcc")) + 1;
  t.match(director.of("reload-failed"), [
    {
      level: "error",
      reason: "wrong-configuration",
      problems: [new RegExp(`kindred.yaml:${line}:16: .*did you mean`)],
    },
  ]);
  t.equal(director.of("changed").length, 1);
  t.equal(director.over, false);
});

t.test(
  "with --watch the file is loaded when its editor has written it, or put another in its place",
  built,
  async (t) => {
    const port = await freePort(VIP);
    const director = await Process.start(t, plainConfig(VIP, port, [A]), "--watch");
    await director.untilEvent("ready");
    await writeFile(director.file, plainConfig(VIP, port, [B]));
    await until(() => director.of("changed").length === 1, "it was written");
    const { rename } = await import("node:fs/promises");
    await writeFile(`${director.file}.new`, plainConfig(VIP, port, [A, B]));
    await rename(`${director.file}.new`, director.file);
    await until(() => director.of("changed").length === 2, "it was replaced");
    t.same(director.of("changed")[1]!["changes" as never], [
      "service plain: realserver 192.0.2.10:80 comes, with weight 1",
    ]);
  },
);

t.test("what would change is said in sentences, and nothing changes; then it does", async (t) => {
  const [first, second] = [await freePort(VIP), await freePort(VIP)];
  const director = await operated(t, plainConfig(VIP, first, [A]));
  const control = (await readFile(director.file, "utf8")).split("\n").find((line) => line.startsWith("control:"));
  const text = `services:
  - name: plain
    vip: ${VIP}
    ports: [tcp/${first}]
    scheduler: sh
    persistence: 60s
    realservers: [{ address: 192.0.2.10, port: 80, weight: 0 }, { address: 192.0.2.11, port: 80 }]
  - { name: more, vip: ${VIP}, ports: [tcp/${second}], realservers: [{ address: 192.0.2.12 }] }
timeouts: { idle: 5m }
${control}
`;
  const changes = [
    "service plain: scheduler rr becomes sh",
    "service plain: persistence none becomes 60 s",
    "service plain: realserver 192.0.2.10:80: weight 1 becomes 0: nobody new",
    "service plain: realserver 192.0.2.11:80 comes, with weight 1",
    `service more comes: ${VIP} tcp/${second}, scheduler wlc`,
    "service more: realserver 192.0.2.12 comes, with weight 1",
    'timeouts: {"connect":3000,"idle":900000,"drain":30000} becomes {"connect":3000,"idle":300000,"drain":30000}',
  ];
  const before = (await ask(director.socket, "/v1/services")).text;
  const dry = await ask(director.socket, "/v1/config?dryRun=true", { method: "POST", body: { text } });
  t.same([dry.status, dry.body.changes], [200, changes]);
  t.equal((await ask(director.socket, "/v1/services")).text, before);
  t.equal(await knock(t, VIP, second, CLIENT), "ECONNREFUSED");
  const done = await ask(director.socket, "/v1/config", { method: "POST", body: { text } });
  t.same([done.status, done.body.changes], [200, changes]);
  const { items } = (await ask(director.socket, "/v1/services")).body;
  t.same(
    items.map(({ name }: { name: string }) => name),
    ["plain", "more"],
  );
  const again = await ask(director.socket, "/v1/config", { method: "POST", body: { text } });
  t.same(again.body.changes, [], "the same once more changes nothing");
});

t.test("a change that cannot be had in full is not had in part", async (t) => {
  const port = await freePort(VIP);
  const director = await operated(t, plainConfig(VIP, port, [A]));
  const control = (await readFile(director.file, "utf8")).split("\n").find((line) => line.startsWith("control:"));
  const before = (await ask(director.socket, "/v1/services")).text + (await ask(director.socket, "/v1/config")).text;
  const extra = `  - { name: more, vip: 192.0.2.77, ports: [tcp/80], realservers: [{ address: 192.0.2.12 }] }`;
  const good = `${plainConfig(VIP, port, [B]).trimEnd()}\n`;
  const module = join(director.folder, "empty.mjs");
  await writeFile(module, "export const nothing = 1;");
  for (const [text, error, status] of [
    [`${good}${extra}\n${control}`, "cannot-listen", 409],
    [`${good}helpers: { acme: { module: ${module}, ports: [9000] } }\n${control}`, "wrong-helper", 422],
    [`${good}related: { standing: 3 }\n${control}`, "restart-needed", 409],
    [good, "restart-needed", 409],
    [`${good}nonsense: 1\n${control}`, "wrong-configuration", 422],
  ] as const) {
    const answer = await ask(director.socket, "/v1/config", { method: "POST", body: { text } });
    t.match([answer.status, answer.body.error], [status, error]);
    const dry = await ask(director.socket, "/v1/config?dryRun=true", { method: "POST", body: { text } });
    // What needs a listener or a module it does not try.
    if (text === good || status === 422) t.equal(dry.status, error === "wrong-helper" ? 200 : status, `dry: ${error}`);
    const after = (await ask(director.socket, "/v1/services")).text + (await ask(director.socket, "/v1/config")).text;
    t.equal(after, before, error);
  }
});

/** The file of `director`, with `weights` for A and B. */
async function written(director: OperatedDirector, port: number, weights: readonly [number, number]): Promise<void> {
  const control = (await readFile(director.file, "utf8")).split("\n").find((line) => line.startsWith("control:"));
  const reals = [A, B].map((one, i) => ({ ...one, weight: weights[i]! }));
  await writeFile(director.file, `${plainConfig(VIP, port, reals).trimEnd()}\n${control}\n`);
}

const weightsOf = async ({ socket }: OperatedDirector): Promise<number[]> => {
  const { items } = (await ask(socket, "/v1/services")).body;
  return items[0].realservers.map(({ weight }: { weight: number }) => weight);
};

const POST = { method: "POST" };

t.test("a realserver that was drained stays so when the file is read again, which says so", async (t) => {
  const port = await freePort(VIP);
  const director = await operated(t, plainConfig(VIP, port, [A, B]));
  await ask(director.socket, "/v1/services/plain/realservers/192.0.2.10:80/drain", POST);
  await written(director, port, [1, 5]);
  const kept = [
    "service plain: realserver 192.0.2.10:80 keeps weight 0, which was set while it ran; the file says 1",
  ] as const;
  const first = await ask(director.socket, "/v1/reload", POST);
  t.same(first.body, { changes: ["service plain: realserver 192.0.2.11:80: weight 1 becomes 5"], warnings: [], kept });
  t.same(await weightsOf(director), [0, 5]);
  t.match(
    director.log.findLast(({ event }) => event === "changed"),
    { kept },
  );
  const again = await ask(director.socket, "/v1/reload", POST);
  t.same(again.body, { changes: [], warnings: [], kept }, "however often");
});

t.test("a weight that was edited in the file counts, and from then on too", async (t) => {
  const port = await freePort(VIP);
  const director = await operated(t, plainConfig(VIP, port, [A, B]));
  await ask(director.socket, "/v1/services/plain/realservers/192.0.2.10:80/drain", POST);
  await written(director, port, [3, 1]);
  t.same((await ask(director.socket, "/v1/reload", POST)).body.kept, []);
  t.same(await weightsOf(director), [3, 1]);
  t.same((await ask(director.socket, "/v1/reload", POST)).body, { changes: [], warnings: [], kept: [] });
  t.same(await weightsOf(director), [3, 1]);
});

t.test("what is applied is all that counts, and what was removed in between is as the file says", async (t) => {
  const port = await freePort(VIP);
  const director = await operated(t, plainConfig(VIP, port, [A, B]));
  const drain = (key: string) => ask(director.socket, `/v1/services/plain/realservers/${key}/drain`, POST);
  await drain("192.0.2.10:80");
  const text = await readFile(director.file, "utf8");
  await ask(director.socket, "/v1/config", { ...POST, body: { text } });
  t.same(await weightsOf(director), [1, 1], "applied");
  t.same((await ask(director.socket, "/v1/reload", POST)).body.kept, []);
  await drain("192.0.2.11:80");
  await ask(director.socket, "/v1/services/plain/realservers/192.0.2.11:80", { method: "DELETE" });
  t.same((await ask(director.socket, "/v1/reload", POST)).body.kept, []);
  t.same(await weightsOf(director), [1, 1], "it came back");
  await drain("192.0.2.10:80");
  const up = { method: "PATCH", body: { weight: 1 } };
  await ask(director.socket, "/v1/services/plain/realservers/192.0.2.10:80", up);
  t.same((await ask(director.socket, "/v1/reload", POST)).body.kept, [], "it was given its weight back by hand");
});
