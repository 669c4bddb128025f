/** What the control interface takes, what it answers, and what it never says. */
import { once } from "node:events";
import { request } from "node:http";
import t, { type Test } from "tap";
import { socketAccess } from "../../../director/control/access.ts";
import { makeApi } from "../../../director/control/api.ts";
import { Events } from "../../../director/control/events.ts";
import type { Operator } from "../../../director/control/operator.ts";
import { FtpClient } from "../../../tools/demo/ftp-client.ts";
import { freePort } from "../../../tools/demo/realserver.ts";
import { CLIENT, dial, ftpConfig, listen, plainConfig, REAL_A, REAL_B, until, VIP } from "../live.ts";
import { announced, scripted } from "../scripted.ts";
import { type Asked, ask, type OperatedDirector, operated, TOKEN } from "./operated.ts";

const far = [{ address: "192.0.2.10", port: 80 }];

async function farm(t: Test): Promise<OperatedDirector> {
  return operated(t, plainConfig(VIP, await freePort(VIP), far));
}

/** Lines of the event stream, from when it was answered on. */
async function watch(t: Test, socket: { socketPath: string }): Promise<string[]> {
  const lines: string[] = [];
  const asked = request({ ...socket, path: "/v1/events" }).end();
  t.teardown(() => asked.destroy());
  const [response] = await once(asked, "response");
  let rest = "";
  response.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    lines.push(...parts);
  });
  response.on("error", () => {});
  await until(() => lines.length > 0, "it watches");
  return lines;
}

t.test("services and realservers come, change and go, each as a file would say it", async (t) => {
  const director = await farm(t);
  const post = (path: string, method: string, body?: unknown) =>
    ask(director.socket, path, { method, ...(body === undefined ? {} : { body }) });
  const realserver = `/v1/services/plain/realservers/${encodeURIComponent("192.0.2.11:80")}`;
  const steps: [method: string, path: string, body: unknown, says: string][] = [
    [
      "POST",
      "/v1/services/plain/realservers",
      { address: "192.0.2.11", port: 80 },
      "realserver 192.0.2.11:80 comes, with weight 1",
    ],
    ["PATCH", realserver, { weight: 5 }, "realserver 192.0.2.11:80: weight 1 becomes 5"],
    ["PATCH", realserver, { announces: ["192.0.2.99"] }, "realserver 192.0.2.11:80: announces changes"],
    ["POST", `${realserver}/drain`, undefined, "weight 5 becomes 0: nobody new"],
    ["DELETE", realserver, undefined, "realserver 192.0.2.11:80 goes"],
    ["PATCH", "/v1/services/plain", { scheduler: "sh", persistence: "60s" }, "scheduler rr becomes sh"],
    ["PATCH", "/v1/services/plain", { persistence: null }, "persistence 60 s becomes none"],
  ];
  for (const [method, path, body, says] of steps) {
    const answer = await post(path, method, body);
    t.equal(answer.status, 200, answer.text);
    t.match(answer.body.changes[0], says);
  }
  const port = await freePort(VIP);
  const more = { name: "more", vip: VIP, ports: [`tcp/${port}`], realservers: [{ address: "192.0.2.12" }] };
  t.match((await post("/v1/services?group=true", "POST", more)).body.changes[0], "service more comes");
  t.match((await post("/v1/services/more", "DELETE")).body.changes, ["service more goes: nobody new"]);
  t.same(director.log.filter(({ event }) => event === "changed").length, steps.length + 2, "each change is in the log");
});

t.test("what is wrong is refused with a code, a sentence and a remedy, and changes nothing", async (t) => {
  const director = await farm(t);
  const before = (await ask(director.socket, "/v1/config")).text;
  const post = (raw: string): Asked => ({ method: "POST", raw });
  const patch = (raw: string): Asked => ({ method: "PATCH", raw });
  const cases: [why: string, path: string, asked: Asked, status: number, error: string][] = [
    ["no JSON", "/v1/flush", post("{"), 400, "not-json"],
    ["no object", "/v1/flush", post("[]"), 400, "wrong-input"],
    ["a key that is none", "/v1/flush", post('{"servcie":"plain"}'), 400, "wrong-input"],
    ["__proto__", "/v1/flush", post('{"__proto__":{"service":"plain"}}'), 400, "wrong-input"],
    ["__proto__ far below", "/v1/services", post('{"a":[{"b":{"__proto__":1}}]}'), 400, "wrong-input"],
    ["another type", "/v1/flush", { ...post("{}"), headers: { "content-type": "text/plain" } }, 415, "not-json"],
    ["more than is taken", "/v1/flush", post(`{"service":"${"x".repeat(70_000)}"}`), 413, "too-long"],
    ["brackets without end", "/v1/flush", post("[".repeat(60_000)), 400, "not-json"],
    ["a query key that is none", "/v1/connections?x=1", {}, 400, "wrong-input"],
    ["a query key twice", "/v1/connections?limit=1&limit=2", {}, 400, "wrong-input"],
    ["a number that is none", "/v1/connections?limit=1e3", {}, 400, "wrong-input"],
    ["a page too large", "/v1/connections?limit=10001", {}, 400, "wrong-input"],
    ["an unknown service", "/v1/services/nobody", { method: "DELETE" }, 404, "no-such-service"],
    ["a name of Object's", "/v1/services/constructor", { method: "DELETE" }, 404, "no-such-service"],
    ["an unknown realserver", "/v1/services/plain/realservers/1.2.3.4", patch("{}"), 404, "no-such-realserver"],
    [
      "a weight that is none",
      "/v1/services/plain/realservers/192.0.2.10:80",
      patch('{"weight":"5"}'),
      422,
      "wrong-configuration",
    ],
    ["an unknown key", "/v1/services/plain", patch('{"sheduler":"rr"}'), 422, "wrong-configuration"],
    [
      "a name twice",
      "/v1/services",
      post(`{"name":"plain","vip":"${VIP}","ports":["tcp/1"],"realservers":[{"address":"192.0.2.1"}]}`),
      422,
      "wrong-configuration",
    ],
  ];
  for (const [why, path, asked, status, error] of cases) {
    const answer = await ask(director.socket, path, asked);
    t.match([answer.status, answer.body], [status, { error, message: /\S/, remedy: /\S/ }], why);
  }
  const weight = await ask(director.socket, "/v1/services/plain/realservers/192.0.2.10:80", patch('{"weight":70000}'));
  t.match(weight.body.problems, [{ path: "services[0].realservers[0].weight", line: 0 }]);
  t.equal((await ask(director.socket, "/v1/config")).text, before);
  t.equal(({} as { service?: unknown }).service, undefined);
});

t.test("connections come a page at a time, each once, while others come and go", async (t) => {
  const port = await listen(t, REAL_A, (socket) => socket.write("hello"));
  const vipPort = await freePort(VIP);
  const director = await operated(t, plainConfig(VIP, vipPort, [{ address: REAL_A, port }]));
  const clients = await Promise.all(Array.from({ length: 25 }, () => dial(t, VIP, vipPort, CLIENT)));
  await Promise.all(clients.map((client) => once(client, "data")));
  const seen: string[] = [];
  let after: number | null = 0;
  for (let page = 0; after !== null; page++) {
    const path: string = `/v1/connections?limit=10&after=${after}&client=${CLIENT}&role=plain&service=plain`;
    const { body } = await ask(director.socket, path);
    seen.push(...body.items.map(({ client }: { client: string }) => client));
    after = body.next;
    clients[page]!.destroy();
  }
  t.ok(seen.length >= 22);
  t.equal(new Set(seen).size, seen.length);
  t.same((await ask(director.socket, "/v1/connections?client=192.0.2.1")).body, { items: [], next: null });
});

t.test("a drain counts control and related flows, and ends when they do", async (t) => {
  const [a, b] = [await scripted(t, REAL_A), await scripted(t, REAL_B)];
  const port = await freePort(VIP);
  const director = await operated(t, ftpConfig(VIP, port, [a, b]));
  const client = await FtpClient.login(VIP, port, CLIENT);
  const data = await dial(t, VIP, announced(await client.command("PASV", 227)).port, CLIENT);
  await until(() => director.log.filter(({ event }) => event === "connection").length === 2, "both are there");
  const path = `/v1/services/ftp/realservers/${REAL_A}:${a.port}/drain`;
  const { body } = await ask(director.socket, path, { method: "POST" });
  t.match(body, { left: 2, flows: { control: 1, related: 1 } });
  t.match((await ask(director.socket, "/v1/services")).body.items[0].realservers[0], { condition: "quiesced" });
  const newcomers = [await FtpClient.login(VIP, port, CLIENT), await FtpClient.login(VIP, port, CLIENT)];
  t.same([a.controls.length, b.controls.length], [1, 2], "nobody new goes there");
  data.resetAndDestroy();
  await client.command("QUIT", 221);
  await until(() => director.log.filter(({ event }) => event === "closed").length === 2, "both have ended");
  t.match((await ask(director.socket, path)).body, { left: 0, flows: { control: 0, related: 0 } });
  for (const one of newcomers) await one.command("QUIT", 221);
});

t.test("who watches is told what happens; refusals are kept with their reasons", async (t) => {
  const real = await scripted(t, REAL_A);
  const port = await freePort(VIP);
  const director = await operated(t, ftpConfig(VIP, port, [real]));
  const lines = await watch(t, director.socket);
  const client = await dial(t, VIP, port, CLIENT);
  await once(client, "data");
  client.write("PORT 10,9,9,9,200,10\r\n");
  await once(client, "data");
  await until(() => lines.some((line) => line.includes('"refusal"')), "it is told");
  const events = lines.map((line) => JSON.parse(line));
  t.match(
    events.map(({ event }) => event),
    ["watching", "connection", "refusal"],
  );
  const { items } = (await ask(director.socket, "/v1/refusals")).body;
  t.match(items, [{ event: "refusal", reason: "bounce", message: "PORT names 10.9.9.9", time: /^\d{4}-/ }]);
  t.same((await ask(director.socket, "/v1/refusals?limit=1")).body.items.length, 1);
  t.match((await ask(director.socket, "/v1/counters")).body, { "refused.bounce": 1 });
});

t.test("a secret is in no log, no answer, no event: passwords, and the token itself", async (t) => {
  const CANARY = "c4n4ry-s3cret";
  const real = await scripted(t, REAL_A);
  const port = await freePort(VIP);
  const director = await operated(t, ftpConfig(VIP, port, [real], "", "log: { level: debug }"));
  const lines = await watch(t, director.socket);
  const client = await dial(t, VIP, port, CLIENT);
  await once(client, "data");
  for (const line of [`USER ${CANARY}-user`, `PASS ${CANARY}`, `ACCT ${CANARY}`, `PORT 10,9,9,9,${CANARY}`, "PASV"]) {
    client.write(`${line}\r\n`);
    await once(client, "data");
  }
  const bearer = { authorization: `Bearer ${TOKEN}` };
  await ask(director.tcp, "/v1/status", { headers: bearer });
  await ask(director.tcp, "/v1/status", { headers: { authorization: `Bearer ${TOKEN}x` } });
  const said: string[] = [JSON.stringify(director.log), lines.join("\n")];
  const { items } = (await ask(director.tcp, "/v1/routes", { headers: bearer })).body;
  for (const { method, path } of items) {
    if (method !== "GET" || path.includes(":") || path === "/v1/events") continue;
    const answer = await ask(director.tcp, path, { headers: bearer });
    said.push(answer.text, JSON.stringify(answer.headers));
  }
  t.ok(said.join("").length > 1000);
  for (const secret of [CANARY, TOKEN]) t.notMatch(said.join("\n"), secret);
});

t.test("a realserver that is marked as down gets nothing, and is shown so", async (t) => {
  const director = await farm(t);
  const path = "/v1/services/plain/realservers/192.0.2.10:80/mark";
  t.same((await ask(director.socket, path, { method: "PATCH", body: { up: false } })).body, { marked: true });
  t.match((await ask(director.socket, "/v1/services")).body.items[0].realservers, [{ condition: "down" }]);
});

/** Its lines had nobody who would ever stop them: each such request stayed with the director, and ten thousand events with it. */
t.test("HEAD of the events begins no stream of them", async (t) => {
  const events = new Events(() => {});
  const begun: boolean[] = [];
  events.watched = (watched) => begun.push(watched);
  const api = makeApi({ events, access: socketAccess, log: () => {}, operator: {} as Operator });
  const { status } = await api.request("/v1/events", { method: "HEAD" }, { incoming: { headers: {} } });
  t.equal(status, 200);
  t.same(begun, []);
});

t.test("who leaves in the middle of a body is no fault of the director's", async (t) => {
  const director = await farm(t);
  const headers = { "content-type": "application/json", "content-length": "100" };
  const asked = request({ ...director.socket, path: "/v1/flush", method: "POST", headers });
  asked.on("error", () => {}).write("{");
  await until(() => asked.writableLength === 0 && asked.socket?.connecting === false, "it is on its way");
  asked.destroy();
  await until(() => director.log.some(({ reason }) => reason === "cut-short"), "it is told");
  t.notOk(director.log.some(({ event }) => event === "control-failed"));
});
