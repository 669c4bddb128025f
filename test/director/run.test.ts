/** `kindred run` from outside: what it says, and how it ends when it cannot begin. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { loadHelper } from "../../director/helpers.ts";
import { freePort } from "../../tools/demo/realserver.ts";
import { CLIENT, dial, folder, ftpConfig, knock, listen, plainConfig, REAL_A, until, VIP } from "./live.ts";
import { built, configurationFile, Process } from "./process.ts";
import { scripted } from "./scripted.ts";

const REALS = [
  { address: "192.0.2.10", port: 21 },
  { address: "192.0.2.11", port: 2121, weight: 3 },
];

t.test("--dry-run says what would be done, does nothing, and exits 0", built, async (t) => {
  const port = await freePort(VIP);
  const director = await Process.start(t, ftpConfig(VIP, port, REALS), "--dry-run");
  t.equal(await director.exited, 0);
  t.equal(
    director.stdout,
    `service ftp: listen on ${VIP} tcp/${port}; scheduler rr; helper ftp on ${port}
  realserver 192.0.2.10:21 weight 1
  realserver 192.0.2.11:2121 weight 3
${director.file}: correct; nothing was started.
`,
  );
  t.equal(director.stderr, "");
});

t.test("a wrong configuration is told by file and line, with a remedy, and exits 2", built, async (t) => {
  const port = await freePort(VIP);
  const text = ftpConfig(VIP, port, REALS).replace("scheduler: rr", "scheduler: wlcc");
  const line = text.split("\n").findIndex((one) => one.includes("wlcc")) + 1;
  for (const args of [[], ["--dry-run"]]) {
    const director = await Process.start(t, text, ...args);
    t.equal(await director.exited, 2);
    t.match(director.stderr, `${director.file}:${line}:16: services[0].scheduler: "wlcc" is no scheduler`);
    t.match(director.stderr, 'did you mean "wlc"?');
    t.equal(director.stdout, "");
  }
  t.equal(await knock(t, VIP, port, CLIENT), "ECONNREFUSED");
});

t.test("no configuration, and a path there is none of, exit 2", built, async (t) => {
  const director = await Process.start(t, "", "--path", "carrier-pigeon");
  t.equal(await director.exited, 2);
  t.equal(director.stderr, 'kindred run: --path: "carrier-pigeon" is none; write socket or tun\n');
  const absent = new Process(t, ["run", join(await folder(t), "absent.yaml")]);
  t.equal(await absent.exited, 2);
  t.match(absent.stderr, /absent\.yaml: no such file; check the name/);
});

/** Two services, the second of which cannot be listened on: nothing of the first may be left. */
const two = (first: number, vip: string, second: number): string => `
services:
  - { name: first, vip: "${VIP}", ports: [tcp/${first}], realservers: [{ address: 192.0.2.10 }] }
  - { name: second, vip: "${vip}", ports: [tcp/${second}], realservers: [{ address: 192.0.2.10 }] }
`;

async function refused(t: Test, vip: string, second: number, uid?: number): Promise<Process> {
  const first = await freePort(VIP);
  const director = new Process(
    t,
    ["run", await configurationFile(t, two(first, vip, second))],
    uid === undefined ? {} : { uid },
  );
  t.equal(await director.exited, 2);
  t.equal(director.stdout, "", "it never said that it was ready");
  t.equal(await knock(t, VIP, first, CLIENT), "ECONNREFUSED", "nothing is left listening");
  return director;
}

t.test("a port that is taken: says which, how to see by whom, and exits 2", built, async (t) => {
  const taken = createServer().listen(0, VIP);
  await once(taken, "listening");
  t.teardown(() => taken.close());
  const { port } = taken.address() as { port: number };
  const { stderr } = await refused(t, VIP, port);
  t.match(stderr, `service second: cannot listen on ${VIP}:${port}: EADDRINUSE`);
  t.match(stderr, "ss -ltnp");
});

t.test("a VIP that this host does not have: says so, how to add it, and exits 2", built, async (t) => {
  const { stderr } = await refused(t, "192.0.2.77", 2121);
  t.match(stderr, "service second: cannot listen on 192.0.2.77:2121: EADDRNOTAVAIL");
  t.match(stderr, "ip address add 192.0.2.77/32 dev lo");
});

/** nobody, where it can be become. */
const NOBODY = process.getuid?.() === 0 ? 65_534 : undefined;
const firstFree = Number(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "latin1"));

t.test(
  "a port that needs a privilege: says which, and exits 2",
  { ...built, ...(firstFree > 21 ? {} : { skip: "needs privileged ports" }) },
  async (t) => {
    const { stderr } = await refused(t, VIP, 21, NOBODY);
    t.match(stderr, `service second: cannot listen on ${VIP}:21: EACCES`);
    t.match(stderr, "CAP_NET_BIND_SERVICE");
  },
);

t.test("text logs can be read by people", built, async (t) => {
  const real = await scripted(t, REAL_A);
  const port = await freePort(VIP);
  const director = await Process.start(
    t,
    ftpConfig(VIP, port, [real], "", "log: { level: debug, format: text }\nrelated: { standing: 2 }"),
  );
  await until(() => director.over || director.stdout.includes("ready"), "it is ready");
  const client = await dial(t, VIP, port, CLIENT);
  await once(client, "data");
  client.write("PORT 10,9,9,9,200,10\r\n");
  await once(client, "data");
  client.end();
  await until(() => director.stdout.includes(" closed "), "the connection is closed");
  director.child.kill("SIGTERM");
  t.equal(await director.exited, 0);
  const lines = director.stdout.trim().split("\n");
  t.ok(lines.every((line) => /^\d{4}-\d\d-\d\dT[\d:.]+Z (debug|info |warn |error) [a-z-]+ +/.test(line)));
  t.match(
    director.stdout,
    /warn {2}refusal +control=1 reason=bounce message="PORT names 10\.9\.9\.9, the client is 127\.0\.0\.3"/,
  );
});

const LIMITS = "limits: { pending: 1, ttl: 1000, hold: 100, patience: 1000 }";
const OPEN = "open: () => ({ inspect: (bytes) => ({ verdict: 'pass', consumed: bytes.length }) })";
const helper = (text: string): string => `export const helper = ${text};`;
const whole = `{ name: "echo", transport: "tcp", ports: [7], sources: [], ${LIMITS}, ${OPEN} }`;

/** A configuration whose helper is `module`, in a file beside it. */
async function withModule(t: Test, module: string | null): Promise<{ text: string; port: number; file: string }> {
  const port = await freePort(VIP);
  const real = await scripted(t, REAL_A);
  const file = join(await folder(t), "modules", "echo-helper.mjs");
  await mkdir(dirname(file));
  if (module !== null) await writeFile(file, module);
  const text = ftpConfig(VIP, port, [real])
    .replace("helper: ftp", "helper: echo")
    .replace(/ftp: \{ ports: \[(\d+)\] \}/, `echo: { module: "${file}", ports: [$1] }`);
  return { text, port, file };
}

t.test("a helper from a module reads the connections", built, async (t) => {
  const notes = `{ name: "echo", transport: "tcp", ports: [7], sources: [], ${LIMITS},
    open: () => ({ inspect(bytes, direction, actions) {
      actions.note("seen-" + direction);
      return { verdict: "pass", consumed: bytes.length };
    } }) }`;
  const { text, port } = await withModule(t, helper(notes));
  const director = await Process.start(t, `${text}\nlog: { level: debug }`);
  await director.untilEvent("ready");
  const client = await dial(t, VIP, port, CLIENT);
  t.match(String(await once(client, "data")), /^220 scripted/);
  client.write("NOOP\r\n");
  t.match(String(await once(client, "data")), /^200 ok/);
  await until(() => director.of("note").length >= 3, "it was asked");
  t.same([...new Set(director.of("note").map(({ reason }) => reason))], ["seen-reply", "seen-original"]);
});

t.test("a helper from a module that throws loses its connection's attention, and nothing else", built, async (t) => {
  const throwing = whole.replace(OPEN, "open: () => ({ inspect() { throw new Error('oops PASS swordfish'); } })");
  const { text, port } = await withModule(t, helper(throwing));
  const director = await Process.start(t, `${text}\nlog: { level: debug }`);
  await director.untilEvent("ready");
  const client = await dial(t, VIP, port, CLIENT);
  t.match(String(await once(client, "data")), /^220 scripted/);
  client.write("NOOP\r\n");
  t.match(String(await once(client, "data")), /^200 ok/);
  await director.untilEvent("fault");
  t.match(director.of("fault"), [{ reason: "helper-threw" }]);
  t.notMatch(director.stdout, /swordfish/);
});

const wrong: readonly [why: string, module: string | null, says: RegExp][] = [
  ["that is not there", null, /cannot be loaded: Cannot find module/],
  ["with an error in its text", "export const helper = {;", /cannot be loaded: Unexpected token/],
  ["that throws", 'throw new Error("not today");', /cannot be loaded: not today/],
  ["that throws no Error", "throw null;", /cannot be loaded: it threw something that is no Error/],
  ["that imports what is not there", 'import "./nowhere.mjs";', /cannot be loaded: Cannot find module/],
  ["that exports no helper", "export const help = 1;", /has no export "helper"/],
  ["that exports it by default", `export default ${whole};`, /has no export "helper"/],
  ["that exports null", helper("null"), /has no export "helper"/],
  ["whose helper has no name", helper(whole.replace('name: "echo", ', "")), /has no name/],
  ["whose helper has another name", helper(whole.replace("echo", "ohce")), /is the helper "ohce": use that name/],
  ["without a transport", helper(whole.replace('"tcp"', '"sctp"')), /has no transport "tcp", "udp" or "both"/],
  ["without open", helper(whole.replace(OPEN, "open: 1")), /has no function open/],
  ["without ports", helper(whole.replace("[7]", "7")), /has no list of ports/],
  ["without limits", helper(whole.replace(LIMITS, "x: 1")), /has no limits/],
  ["with a limit missing", helper(whole.replace("ttl: 1000,", "")), /has no number limits\.ttl/],
  ["with a limit below 0", helper(whole.replace("hold: 100", "hold: -1")), /has no number limits\.hold/],
];
for (const [why, module, says] of wrong) {
  t.test(`a helper module ${why} is told`, async (t) => {
    const { file } = await withModule(t, module);
    await t.rejects(loadHelper("echo", file), { name: "HelperError", message: says });
    await t.rejects(loadHelper("echo", file), { message: `helpers.echo.module: ${file} ` });
  });
}

const told: readonly [why: string, module: string | null, says: RegExp][] = [
  ["that is not there", null, /:\d+:\d+: helpers\.echo\.module: no file .*echo-helper\.mjs; write its path/],
  ["that is wrong", helper("null"), /helpers\.echo\.module: .*echo-helper\.mjs has no export "helper"/],
];
for (const [why, module, says] of told) {
  t.test(`with a helper module ${why} nothing is started, and it exits 2`, built, async (t) => {
    const { text, port } = await withModule(t, module);
    const director = await Process.start(t, text);
    t.equal(await director.exited, 2);
    t.match(director.stderr, says);
    t.ok(director.stderr.startsWith(`${director.file}:`), "names the configuration");
    t.equal(director.stderr.trim().split("\n").length, 1, "in one line");
    t.equal(await knock(t, VIP, port, CLIENT), "ECONNREFUSED");
  });
}

t.test("a helper module that never finishes loading is not waited for for ever", async (t) => {
  const { file } = await withModule(t, "await new Promise(() => {}); export const helper = 1;");
  await t.rejects(loadHelper("echo", file, 100), /cannot be loaded: it was not loaded after 0.1 s/);
});

t.test("a log that nobody reads any more stops nothing", built, async (t) => {
  const server = await listen(t, REAL_A, (socket) => void socket.end("hello"));
  const port = await freePort(VIP);
  const director = await Process.start(t, plainConfig(VIP, port, [{ address: REAL_A, port: server }]));
  await director.untilEvent("ready");
  director.child.stdout!.destroy();
  for (let i = 0; i < 5; i++) {
    const client = await dial(t, VIP, port, CLIENT);
    t.equal(String(await once(client, "data")), "hello");
    client.end();
  }
  director.child.kill("SIGTERM");
  t.equal(await director.exited, 0);
});
