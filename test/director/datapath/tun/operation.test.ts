/** What is asked of a packet engine that forwards: lists, counts and changes, in pieces. */
import t from "tap";
import { endpointText } from "../../../../core/units.ts";
import { planServices, readingOf, type ServicePlan } from "../../../../director/config/services.ts";
import { type Config, parseConfig } from "../../../../director/config.ts";
import type { ConnectionState, RealserverState, ServiceState } from "../../../../director/control/operated.ts";
import { Asks } from "../../../../director/datapath/tun/asks.ts";
import { packConfig } from "../../../../director/datapath/tun/config.ts";
import type { Command } from "../../../../director/datapath/tun/messages.ts";
import { Operation } from "../../../../director/datapath/tun/operation.ts";
import { Director } from "../../../core/director.ts";
import { Session } from "../../../core/engine/session.ts";
import { accessRequest } from "../../../helpers/radius/packets.ts";
import { tcp, udp } from "../../../packets.ts";

const VIP = "203.0.113.10";
const [A, B] = ["10.0.0.1", "10.0.0.2"] as const;

const yaml = (lines: readonly string[], rest = ""): Config =>
  parseConfig(`services:\n${lines.map((line) => `  - ${line}\n`).join("")}${rest}`, "test.yaml", { path: "tun" });
const reals = (...addresses: string[]): string => `[${addresses.map((one) => `{ address: ${one} }`).join(", ")}]`;
const web = (...addresses: string[]): string =>
  `{ name: web, vip: ${VIP}, ports: [tcp/80, udp/80], scheduler: rr, persistence: 1s, realservers: ${reals(...addresses)} }`;
const files = (...addresses: string[]): string =>
  `{ name: files, vip: ${VIP}, ports: [tcp/21], helper: ftp, scheduler: rr, realservers: ${reals(...addresses)} }`;
const auth = (ports: string, ...addresses: string[]): string =>
  `{ name: auth, vip: ${VIP}, ports: [${ports}], helper: radius, scheduler: rr, realservers: ${reals(...addresses)} }`;

/** An engine, and the main thread's side of it; messages go through the same copy as between threads. */
async function operated(config: Config) {
  let services: readonly ServicePlan[] = await planServices(config);
  const d = new Director(services, { capacity: 2000, reading: (service) => readingOf(services, service) });
  const steps: string[] = [];
  const ways: unknown[] = [];
  const withdrawn: string[] = [];
  const operation: Operation = new Operation({
    balancer: d.balancer,
    engine: d.engine,
    tell: (reply) => {
      steps.push(reply.type);
      asks.hear(structuredClone(reply));
    },
    counters: () => ({ some: 1 }),
    serves: (_config, next) => {
      services = next;
    },
    changed: (all) => ways.push(all),
    withdraw: ({ target }) => withdrawn.push(endpointText(target)),
    watched: () => {},
  });
  const asks = new Asks((command: Command) => {
    if (command.type === "ask") operation.ask(command.id, structuredClone(command.asked));
  });
  /** Works on it until the answer is there; `between` is called after each step. */
  const answered = async <T>(answer: Promise<T>, between = () => {}): Promise<T> => {
    let over = false;
    const ends = answer.finally(() => {
      over = true;
    });
    ends.catch(() => {});
    while (!over) {
      const left = operation.turn();
      between();
      if (left !== "more") await new Promise(setImmediate);
    }
    return ends;
  };
  const apply = (next: Config) =>
    answered(asks.ask({ what: "apply", config: packConfig(next), direct: {}, tunnels: { from: [], mtu: 1500 } }));
  const realservers = async (service: string): Promise<readonly RealserverState[]> => {
    const all = await answered(asks.ask({ what: "services" }));
    return all.filter(({ name }: ServiceState) => name === service).flatMap(({ realservers }) => realservers);
  };
  return { d, asks, answered, apply, realservers, steps, ways, withdrawn };
}

const syn = (n: number, client = "192.0.2.7") => tcp({ from: `${client}:${10_000 + n}`, to: `${VIP}:80`, flags: "S" });
const datagram = (n: number, client: string) => udp({ from: `${client}:${10_000 + n}`, to: `${VIP}:80` });
const page = { after: 0, limit: 1000 };

t.test(
  "services say what their realservers carry: connections as IPVS counts them, packets and bytes each way",
  async (t) => {
    const { d, realservers } = await operated(yaml([web(A)]));
    d.say(syn(0));
    d.say(tcp({ from: `${A}:80`, to: "192.0.2.7:10000", flags: "SA" }));
    d.say(tcp({ from: "192.0.2.7:10000", to: `${VIP}:80`, flags: "A" }));
    d.say(syn(1));
    const [one] = await realservers("web");
    t.match(one, {
      realserver: A,
      condition: "up",
      active: 1,
      inactive: 1,
      flows: { control: 0, related: 0, data: 0, plain: 2 },
      traffic: { connections: 2, packets: { original: 3, reply: 1 }, bytes: { original: 120, reply: 40 } },
    });
  },
);

t.test("what has ended counts on, and what is only waited for is no open connection", async (t) => {
  const { d, answered, asks, realservers } = await operated(yaml([files(A)]));
  const session = new Session(d, "192.0.2.7:10000", `${VIP}:21`, `${A}:21`).open();
  session.reply("220 ready\r\n");
  t.match((await realservers("files"))[0], { flows: { control: 1 }, active: 1, inactive: 0 });
  session.send("client", "FA");
  session.send("server", "FA");
  session.send("client", "A");
  const [closing] = await realservers("files");
  t.match(closing, { flows: { control: 0 }, active: 0, inactive: 1 });
  d.wait(3_600_000);
  const [over] = await realservers("files");
  t.equal(over!.inactive, 0);
  t.same(over!.traffic, closing!.traffic, "its row is gone, its packets are not");
  const counts = await answered(asks.ask({ what: "counts" }));
  t.equal(counts["traffic.packets.original"], closing!.traffic!.packets.original);
  t.equal(counts["some"], 1);
});

t.test("connections are listed a page at a time, in steps, and by what was asked for", async (t) => {
  const { d, answered, asks, steps } = await operated(yaml([web(A, B)]));
  for (let n = 0; n < 1200; n++) d.say(syn(n, n % 2 === 0 ? "192.0.2.7" : "192.0.2.8"));
  let turns = 0;
  const first = await answered(asks.ask({ what: "connections", query: { after: 0, limit: 1000 } }), () => turns++);
  t.equal(first.items.length, 1000);
  t.ok(turns >= 4, `in ${turns} steps`);
  t.ok(steps.filter((step) => step === "items").length >= 4, "and as many parts");
  const rest = await answered(asks.ask({ what: "connections", query: { after: first.next!, limit: 1000 } }));
  t.equal(rest.next, null);
  const all = [...first.items, ...rest.items];
  t.equal(new Set(all.map(({ client }) => client)).size, 1200, "each once");
  const of = (query: object): Promise<{ readonly items: readonly ConnectionState[] }> =>
    answered(asks.ask({ what: "connections", query: { ...page, ...query } }));
  t.equal((await of({ client: "192.0.2.8" })).items.length, 600);
  t.same((await of({ client: "192.0.2.8", realserver: A })).items, [], "it is served by the other alone");
  t.equal((await of({ client: "192.0.2.8", realserver: B })).items.length, 600);
  t.same((await of({ role: "control" })).items, []);
  t.same((await of({ service: "other" })).items, []);
  t.same((await of({ client: "nobody" })).items, []);
  t.match((await of({})).items[0], {
    service: "web",
    transport: "tcp",
    role: "plain",
    client: "192.0.2.7:10000",
    virtual: `${VIP}:80`,
    real: `${A}:80`,
    realserver: A,
    control: null,
  });
});

t.test("a control connection, and what it announced, hang together in the lists", async (t) => {
  const { d, answered, asks } = await operated(yaml([files(A)]));
  const session = new Session(d, "192.0.2.7:10000", `${VIP}:21`, `${A}:21`).open();
  session.reply("220 ready\r\n");
  session.say("EPSV\r\n");
  session.reply("229 ok (|||5001|)\r\n");
  const [control] = (await answered(asks.ask({ what: "connections", query: page }))).items;
  const [related] = (await answered(asks.ask({ what: "related", query: page }))).items;
  t.match(related, { control: control!.handle, kind: "ftp-epsv", seen: `${VIP}:5001`, target: `${A}:5001` });
  d.say(tcp({ from: "192.0.2.7:10001", to: `${VIP}:5001`, flags: "S" }));
  const [data] = (await answered(asks.ask({ what: "connections", query: { ...page, role: "related" } }))).items;
  t.match(data, { role: "related", control: control!.handle, real: `${A}:5001` });
  t.same((await answered(asks.ask({ what: "related", query: page }))).items, []);
});

t.test("a difference is applied to the engine that runs: who stays keeps its flows, who goes takes none", async (t) => {
  const { d, apply, realservers, ways } = await operated(yaml([web(A)]));
  d.say(syn(0));
  await apply(yaml([web(B), files(B)]));
  t.match(ways, [{ direct: {}, tunnels: { from: [], mtu: 1500 } }]);
  t.equal(d.say(syn(1, "192.0.2.8")), `to-real: 192.0.2.8:10001 -> ${B}:80`);
  t.equal(d.say(tcp({ from: "192.0.2.7:10000", to: `${VIP}:80` })), `to-real: 192.0.2.7:10000 -> ${A}:80`);
  t.match(
    (await realservers("web")).map(({ realserver, condition, flows }) => [realserver, condition, flows.plain]),
    [
      [B, "up", 1],
      [A, "removed", 1],
    ],
  );
  d.wait(3_600_000);
  t.equal((await realservers("web")).length, 1, "until the last of them has ended");
});

t.test("a difference may bring requests that are scheduled one by one, or ports of them", async (t) => {
  const { d, apply, ways } = await operated(yaml([web(A)]));
  const ask = (id: number, port: number) =>
    d.say(udp({ from: "192.0.2.7:10000", to: `${VIP}:${port}`, payload: accessRequest(id) }), "CLIENT");
  await apply(yaml([web(A), auth("udp/1812", B)]));
  t.equal(ask(1, 1812), `to-real: 192.0.2.7:10000 -> ${B}:1812`);
  await apply(yaml([web(A), auth("udp/1812-1813", B)]));
  t.equal(ask(2, 1813), `to-real: 192.0.2.7:10000 -> ${B}:1813`);
  t.equal(ask(3, 1812), `to-real: 192.0.2.7:10000 -> ${B}:1812`);
  t.equal(ways.length, 2, "each was told when it was done");
});

t.test("a helper that cannot be loaded changes nothing, and says so by its name", async (t) => {
  const { d, apply, realservers } = await operated(yaml([web(A)]));
  const module = t.testdir({ "empty.mjs": "export const nothing = 1;" });
  const wrong = yaml([web(B)], `helpers: { acme: { module: ${module}/empty.mjs, ports: [9000] } }\n`);
  await t.rejects(apply(wrong), { name: "HelperError" });
  t.match(await realservers("web"), [{ realserver: A }]);
  t.equal(d.say(syn(0)), `to-real: 192.0.2.7:10000 -> ${A}:80`);
});

t.test("a realserver that is marked down loses its datagrams at once, and keeps its connections", async (t) => {
  const { d, answered, asks, realservers } = await operated(yaml([web(A, B)]));
  const clients = Array.from({ length: 600 }, (_, n) => `198.51.100.${n % 200}`);
  const before = clients.map((client, n) => d.say(datagram(n, client)));
  d.say(syn(0, "192.0.2.7"));
  d.say(syn(1, "192.0.2.8"));
  const mark = (up: boolean) => answered(asks.ask({ what: "mark", service: "web", realserver: A, up }));
  t.equal(await mark(false), true);
  const after = clients.map((client, n) => d.say(datagram(n, client)));
  t.ok(
    before.some((said) => said.endsWith(`${A}:80`)),
    "some were served there",
  );
  t.ok(
    after.every((said) => said.endsWith(`${B}:80`)),
    "all are served by the other",
  );
  t.match(await realservers("web"), [{ condition: "down", flows: { plain: 1 } }, { condition: "up" }]);
  t.equal(await mark(true), true);
  t.match(await realservers("web"), [{ condition: "up" }, {}]);
  t.equal(await answered(asks.ask({ what: "mark", service: "web", realserver: "10.0.0.9", up: true })), false);
});

t.test(
  "what a realserver that is marked down has announced is taken out of the kernel, what others have is not",
  async (t) => {
    const { d, answered, asks, withdrawn } = await operated(yaml([files(A, B)]));
    for (const [n, real] of [A, B].entries()) {
      const session = new Session(d, `192.0.2.${n}:10000`, `${VIP}:21`, `${real}:21`).open();
      session.reply("220 ready\r\n");
      session.say("EPSV\r\n");
      session.reply("229 ok (|||5001|)\r\n");
    }
    await answered(asks.ask({ what: "mark", service: "files", realserver: B, up: false }));
    t.same(withdrawn, [`${B}:5001`]);
  },
);

t.test("flows are dropped by service and by realserver, how many is said, and others stay", async (t) => {
  const { d, answered, asks } = await operated(yaml([web(A, B), files(A)]));
  for (let n = 0; n < 10; n++) d.say(syn(n, `192.0.2.${n}`));
  new Session(d, "192.0.2.7:10000", `${VIP}:21`, `${A}:21`).open();
  t.equal(await answered(asks.ask({ what: "drop", scope: { service: "web", realserver: A } })), 5);
  t.equal(await answered(asks.ask({ what: "drop", scope: { service: "other" } })), 0);
  t.equal(d.engine.table.size, 6);
  t.equal(await answered(asks.ask({ what: "drop", scope: {} })), 6);
  t.equal(d.balancer.connections.size, 0);
  t.equal(d.engine.flows.ended.get("dropped"), 11);
});

t.test("templates and port groups are listed, and forgotten", async (t) => {
  const { d, answered, asks } = await operated(yaml([web(A, B)]));
  d.say(syn(0));
  const of = () => answered(asks.ask({ what: "persistence", query: page }));
  t.match((await of()).items, [{ service: "web", client: "192.0.2.7", realserver: A, active: 1 }]);
  t.same((await answered(asks.ask({ what: "groups", query: page }))).items, []);
  t.equal(await answered(asks.ask({ what: "forget", scope: { realserver: A } })), 1);
  t.same((await of()).items, []);
});

t.test("who waits for an answer of a thread that has ended is told so", async (t) => {
  const asks = new Asks(() => {});
  const waiting = asks.ask({ what: "services" });
  asks.end(new Error("it stopped"));
  await t.rejects(waiting, { message: "it stopped" });
  await t.rejects(asks.ask({ what: "counts" }), { message: "it stopped" });
});
