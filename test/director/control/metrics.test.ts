/** What Prometheus is told of a director that has served: names, labels, and every query of the dashboard. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import t, { type Test } from "tap";
import { endOf } from "../../../director/control/metrics.ts";
import { FtpClient } from "../../../tools/demo/ftp-client.ts";
import { freePort } from "../../../tools/demo/realserver.ts";
import { CLIENT, dial, ftpConfig, listen, plainConfig, REAL_A, until, VIP } from "../live.ts";
import { announced, type Scripted, scripted } from "../scripted.ts";
import { ask, type OperatedDirector, operated } from "./operated.ts";

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Prometheus' text format, version 0.0.4. */
function samples(text: string): Sample[] {
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, name, labels = "", value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line)!;
      const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, said]) => [key, said]);
      return { name: name!, labels: Object.fromEntries(pairs), value: Number(value) };
    });
}

const scrape = async ({ socket }: OperatedDirector): Promise<Sample[]> => samples((await ask(socket, "/metrics")).text);

const metric = (all: readonly Sample[], name: string, labels: Sample["labels"] = {}): number | undefined =>
  all.find((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    ?.value;

/** A transfer that came, an announcement that nobody opened, a refusal, and a login that stays. */
async function served(t: Test): Promise<{ director: OperatedDirector; real: Scripted; port: number }> {
  const real = await scripted(t, REAL_A);
  const port = await freePort(VIP);
  const director = await operated(t, ftpConfig(VIP, port, [{ ...real, weight: 3 }]));
  const count = (event: string): number => director.log.filter((one) => one.event === event).length;
  const client = await FtpClient.login(VIP, port, CLIENT);
  const data = await dial(t, VIP, announced(await client.command("PASV", 227)).port, CLIENT);
  await until(() => count("connection") === 2, "the transfer runs");
  data.resetAndDestroy();
  await until(() => count("closed") === 1, "the transfer is over");
  await client.command("PASV", 227);
  await client.command("QUIT", 221);
  await until(() => count("closed") === 2, "the control connection is over");
  const stays = await dial(t, VIP, port, CLIENT);
  await once(stays, "data");
  stays.write("PORT 10,9,9,9,200,10\r\n");
  await once(stays, "data");
  await until(() => count("refusal") === 1, "it is refused");
  return { director, real, port };
}

t.test("counters and gauges say what was served, with the labels of node_exporter's ipvs collector", async (t) => {
  const { director, real, port } = await served(t);
  const answer = await ask(director.socket, "/metrics");
  t.match(answer.headers["content-type"], "text/plain; version=0.0.4");
  const all = samples(answer.text);
  const backend = {
    local_address: VIP,
    local_port: String(port),
    remote_address: REAL_A,
    remote_port: String(real.port),
    proto: "TCP",
    local_mark: "",
  };
  for (const [name, value] of [
    ["node_ipvs_backend_connections_active", 1],
    ["node_ipvs_backend_connections_inactive", 0],
    ["node_ipvs_backend_weight", 3],
  ] as const) {
    const [sample] = all.filter((one) => one.name === name);
    t.same(sample, { name, labels: backend, value });
  }
  t.equal(metric(all, "node_ipvs_connections_total"), 3, "two logins and a transfer");
  const { original, reply } = director.log
    .filter(({ event }) => event === "closed")
    .reduce<{ original: number; reply: number }>(
      (sum, one) => ({ original: sum.original + Number(one["original"]), reply: sum.reply + Number(one["reply"]) }),
      { original: 0, reply: 0 },
    );
  t.ok(original > 0 && reply > 0);
  t.equal(metric(all, "node_ipvs_incoming_bytes_total"), original);
  t.equal(metric(all, "node_ipvs_outgoing_bytes_total"), reply);
  t.equal(metric(all, "kindred_connections_total", { role: "control" }), 2);
  t.equal(metric(all, "kindred_related_announced_total", { kind: "ftp-passive" }), 2);
  t.equal(metric(all, "kindred_related_opened_total", { kind: "ftp-passive" }), 1);
  t.equal(metric(all, "kindred_related_gone_total", { outcome: "control-closed" }), 1);
  t.equal(metric(all, "kindred_refusals_total", { reason: "bounce" }), 1);
  t.equal(metric(all, "kindred_flows", { service: "ftp", role: "control" }), 1);
  t.equal(metric(all, "kindred_config_changes_total"), 0);
});

t.test("how long realservers and decisions took is counted in buckets, and what is held in bytes", async (t) => {
  const { director } = await served(t);
  const all = await scrape(director);
  for (const name of ["kindred_wait_seconds", "kindred_connect_seconds", "kindred_control_seconds"]) {
    const buckets = all.filter((one) => one.name === `${name}_bucket`);
    const counts = buckets.map(({ value }) => value);
    t.same(
      counts,
      counts.toSorted((a, b) => a - b),
      "each holds those below it",
    );
    t.equal(buckets.at(-1)!.labels["le"], "+Inf");
    t.equal(metric(all, `${name}_count`), counts.at(-1));
    t.ok(metric(all, `${name}_sum`)! > 0 || name === "kindred_wait_seconds");
  }
  t.equal(metric(all, "kindred_connect_seconds_count"), 2, "two logins");
  t.ok(metric(all, "kindred_control_seconds_count")! >= 8, "four greetings and replies, and what was asked");
  t.equal(metric(all, "kindred_held_bytes"), 0);
  t.equal(metric(all, "kindred_wait_seconds_count"), 2, "and nobody had to wait for long");
  t.equal(metric(all, "kindred_waiting_clients"), 0);
});

t.test("a line that is not whole is held, until it is", async (t) => {
  const { director, port } = await served(t);
  const client = await dial(t, VIP, port, CLIENT);
  await once(client, "data");
  client.write("PORT 192,0");
  const held = async (bytes: number) => metric(await scrape(director), "kindred_held_bytes") === bytes;
  for (let tries = 0; tries < 6000 && !(await held(10)); tries++) await new Promise((later) => setTimeout(later, 10));
  t.ok(await held(10));
  client.resetAndDestroy();
  for (let tries = 0; tries < 6000 && !(await held(0)); tries++) await new Promise((later) => setTimeout(later, 10));
  t.ok(await held(0));
});

t.test("a mark and a weight show at once; a weight of 0 is not down", async (t) => {
  const { director, real } = await served(t);
  const key = `${REAL_A}:${real.port}`;
  const path = `/v1/services/ftp/realservers/${key}`;
  t.equal(metric(await scrape(director), "kindred_realserver_up", { service: "ftp", realserver: key }), 1);
  await ask(director.socket, `${path}/drain`, { method: "POST" });
  const drained = await scrape(director);
  t.equal(metric(drained, "node_ipvs_backend_weight"), 0);
  t.equal(metric(drained, "kindred_realserver_up"), 1);
  t.equal(metric(drained, "kindred_config_changes_total"), 1);
  await ask(director.socket, `${path}/mark`, { method: "PATCH", body: { up: false } });
  t.equal(metric(await scrape(director), "kindred_realserver_up"), 0);
});

t.test("no client is in it, and each series is there once", async (t) => {
  const { director } = await served(t);
  const { text } = await ask(director.socket, "/metrics");
  t.notMatch(text, CLIENT);
  t.notMatch(text, "10.9.9.9");
  const series = text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.slice(0, line.lastIndexOf(" ")));
  t.equal(new Set(series).size, series.length);
});

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const FUNCTIONS = new Set(["sum", "rate", "by", "max", "count", "increase", "histogram_quantile"]);

/** What a query of the dashboard's simple kind names: metrics, labels it groups by or selects; and what is neither. */
function namesOf(expr: string): { metrics: string[]; grouped: string[]; selected: string[] } {
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, inner]) => inner!.split(", "));
  const selected = [...expr.matchAll(/(\w+)=~?"/g)].map(([, label]) => label!);
  const bare = expr.replaceAll(/\bby \([^)]*\)|\{[^}]*\}|\[[^\]]*\]/g, " ");
  const words = bare.match(/[a-zA-Z_]\w*/g) ?? [];
  return { metrics: words.filter((word) => !FUNCTIONS.has(word)), grouped, selected };
}

t.test("every query of the dashboard asks for metrics and labels that there are", async (t) => {
  const { director } = await served(t);
  const all = await scrape(director);
  const labels = new Map<string, Set<string>>();
  for (const { name, labels: has } of all) {
    // What Prometheus adds to whatever it scrapes.
    labels.set(name, new Set([...(labels.get(name) ?? ["job", "instance"]), ...Object.keys(has)]));
  }
  const { panels, templating } = JSON.parse(await readFile("docs/grafana/kindred.json", "utf8"));
  const queries = (panels as Panel[]).flatMap(({ title, targets }) => targets.map((one) => ({ title, ...one })));
  t.ok(queries.length >= 20);
  for (const { title, expr, legendFormat } of queries) {
    const { metrics, grouped, selected } = namesOf(expr);
    t.equal(metrics.length, 1, `${title}: ${expr}`);
    const has = labels.get(metrics[0]!);
    t.ok(has !== undefined, `${title}: ${metrics[0]} is there`);
    const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
    for (const label of [...grouped, ...selected, ...shown])
      t.ok(has?.has(label), `${title}: ${metrics[0]} has ${label}`);
    if (/\bby \(/.test(expr)) for (const label of shown) t.ok(grouped.includes(label), `${title}: keeps ${label}`);
  }
  for (const { query } of templating.list as { query: string }[]) {
    const [, metric] = /^label_values\((\w+), job\)$/.exec(query) ?? [];
    if (metric !== undefined) t.ok(labels.has(metric), query);
  }
});

t.test("it is healthy until it drains", async (t) => {
  const port = await listen(t, REAL_A, (socket) => socket.write("hello"));
  const vipPort = await freePort(VIP);
  const director = await operated(t, plainConfig(VIP, vipPort, [{ address: REAL_A, port }]));
  const client = await dial(t, VIP, vipPort, CLIENT);
  await once(client, "data");
  const healthy = await ask(director.tcp, "/healthz");
  t.match([healthy.status, healthy.body], [200, { status: "ok" }]);
  const stopping = director.director.stop();
  const draining = await ask(director.tcp, "/healthz");
  t.match([draining.status, draining.body], [503, { status: "draining" }]);
  client.resetAndDestroy();
  await stopping;
});

t.test("a realserver's address and port are two labels, whatever its family", async (t) => {
  t.same(endOf("192.0.2.1:21"), ["192.0.2.1", "21"]);
  t.same(endOf("[2001:db8::1]:21"), ["2001:db8::1", "21"]);
  t.same(endOf("192.0.2.1"), ["192.0.2.1", "0"], "connections keep their port");
  t.same(endOf("2001:db8::1"), ["2001:db8::1", "0"]);
});
