/** `kindred ctl` as its users run it: processes of their own. */
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { Client } from "../../../director/ctl/client.ts";
import { freePort } from "../../../tools/demo/realserver.ts";
import { CLIENT, dial, folder, ftpConfig, listen, REAL_A, REAL_B, until, VIP } from "../live.ts";
import { built, Process } from "../process.ts";
import { announced, type Scripted, scripted } from "../scripted.ts";

interface Farm {
  readonly director: Process & { readonly file: string };
  readonly port: number;
  readonly reals: readonly [Scripted, Scripted];
  /** Runs `kindred ctl`, and returns it when it is over. */
  ctl(...args: string[]): Promise<Process & { readonly status: number | string | null }>;
}

async function farm(t: Test): Promise<Farm> {
  const reals = [await scripted(t, REAL_A), await scripted(t, REAL_B)] as const;
  const port = await freePort(VIP);
  const director = await Process.start(t, ftpConfig(VIP, port, reals));
  await director.untilEvent("ready");
  const env = { KINDRED_SOCKET: join(dirname(director.file), "kindred.sock") };
  const ctl: Farm["ctl"] = async (...args) => {
    const process = new Process(t, ["ctl", ...args], { env });
    return Object.assign(process, { status: await process.exited });
  };
  return { director, port, reals, ctl };
}

/** A session that says nothing of itself while other processes run. */
async function session(t: Test, port: number): Promise<(line: string) => Promise<string>> {
  const socket = await dial(t, VIP, port, CLIENT);
  await once(socket, "data");
  return async (line) => {
    socket.write(`${line}\r\n`);
    return String((await once(socket, "data"))[0]);
  };
}

t.test("what is there is listed; what is asked for is done, and said", built, async (t) => {
  const { director, port, reals, ctl } = await farm(t);
  const say = await session(t, port);
  await say("PASV");
  const [a, b] = reals.map(({ address, port }) => `${address}:${port}`) as [string, string];

  t.equal(
    (await ctl("services")).stdout.replace(/ +/g, " "),
    `SERVICE VIP PORTS SCHEDULER HELPER REALSERVERS FLOWS\nftp ${VIP} tcp/${port} rr ftp 2/2 1\n`,
  );
  const connections = JSON.parse((await ctl("connections", "-o", "json", "--role", "control")).stdout);
  t.match(connections, [{ service: "ftp", role: "control", real: a, virtual: `${VIP}:${port}` }]);
  const related = await ctl("related", "-o", "csv");
  t.match(related.stdout, new RegExp(`^proto,kind,.*\r\ntcp,ftp-passive,ftp,${CLIENT}:\\*,`));

  const saved = await ctl("save");
  t.equal((await ctl("weight", "ftp", b, "7")).stdout, `service ftp: realserver ${b}: weight 1 becomes 7\n`);
  const listed = (await ctl("-o", "ndjson", "realservers", "ftp")).stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  t.match(listed, [
    { realserver: a, weight: 1, flows: { control: 1 } },
    { realserver: b, weight: 7 },
  ]);
  await writeFile(join(dirname(director.file), "saved.yaml"), saved.stdout);
  const restored = await ctl("restore", join(dirname(director.file), "saved.yaml"));
  t.equal(restored.stdout, `service ftp: realserver ${b}: weight 7 becomes 1\n`);
  t.equal((await ctl("save")).stdout, saved.stdout, "what was saved is there again, byte for byte");
  t.equal((await ctl("reload")).stdout, "nothing changes\n");
  await say("QUIT");
});

t.test("drain --wait ends when the last flow has ended, related ones too", built, async (t) => {
  const { director, port, reals, ctl } = await farm(t);
  const at = `${REAL_A}:${reals[0].port}`;
  const say = await session(t, port);
  const data = await dial(t, VIP, announced(await say("PASV")).port, CLIENT);
  await until(() => director.of("connection").length === 2, "both are there");
  const impatient = await ctl("drain", "ftp", at, "--wait", "--timeout", "0.3");
  t.equal(impatient.status, 4);
  t.match(impatient.stdout, /has 2 flows left \(1 control, 1 related, 0 data, 0 plain\)/);
  const waiting = ctl("drain", "ftp", at, "--wait");
  await say("QUIT");
  data.resetAndDestroy();
  const { status, stdout } = await waiting;
  t.equal(status, 0);
  t.match(stdout, /has 0 flows left/);
});

/** What is no number went to the director as null, which takes the key away: a slip of the finger made weight 3 into 1. */
t.test("a number that is none is refused, and changes nothing", built, async (t) => {
  const { ctl, reals } = await farm(t);
  const at = `${REAL_A}:${reals[0].port}`;
  await ctl("weight", "ftp", at, "3");
  for (const args of [
    ["weight", "ftp", at, "1O"],
    ["weight", "ftp", at, ""],
    ["edit", "realserver", "ftp", at, "--weight", "2.5"],
    ["edit", "service", "ftp", "--netmask", "2x"],
    ["drain", "ftp", at, "--wait", "--timeout", "soon"],
  ]) {
    const { status, stdout } = await ctl(...args);
    t.same([status, stdout], [2, ""], args.join(" "));
  }
  t.match(JSON.parse((await ctl("realservers", "-o", "json")).stdout), [{ realserver: at, weight: 3 }, { weight: 1 }]);
});

/** The list was empty, nothing was cut, and the status said that all was well. */
t.test("what is narrowed to somebody who is not there is refused", built, async (t) => {
  const { ctl, reals } = await farm(t);
  for (const args of [
    ["drop", "--service", "fpt"],
    ["drop", "--realserver", REAL_A],
    ["flush", "--service", "fpt"],
    ["connections", "--service", "fpt"],
    ["persistence", "--realserver", "192.0.2.1:21"],
    ["realservers", "fpt"],
  ]) {
    const { status, stdout, stderr } = await ctl(...args);
    t.same([status, stdout], [1, ""], args.join(" "));
    t.match(stderr, /^kindred ctl: ".*" is no (service|realserver).*; known: /);
  }
  const at = `${REAL_A}:${reals[0].port}`;
  t.equal((await ctl("drop", "--service", "ftp", "--realserver", at)).stdout, "0 flows were cut\n");
});

t.test("exit statuses say what kind of failure it was", built, async (t) => {
  const { director, ctl } = await farm(t);
  const refused = await ctl("weight", "ftp", "192.0.2.1", "5");
  t.same([refused.status, refused.stdout], [1, ""]);
  t.match(refused.stderr, /"192\.0\.2\.1" is no realserver of "ftp"; known: /);
  const wrong = await ctl("edit", "service", "ftp", "--scheduler", "wlcc");
  t.equal(wrong.status, 2);
  t.match(wrong.stderr, /services\[0\]\.scheduler: "wlcc" is no scheduler; did you mean "wlc"\?/);
  for (const args of [["weight", "ftp"], ["--bogus"], ["nonsense"]])
    t.equal((await ctl(...args)).status, 2, String(args));
  const text = (await readFile(director.file, "utf8")).replace("scheduler: rr", "scheduler: wlcc");
  const file = join(dirname(director.file), "wrong.yaml");
  await writeFile(file, text);
  const line = text.split("\n").findIndex((one) => one.includes("wlcc")) + 1;
  for (const args of [
    ["apply", file],
    ["apply", file, "--dry-run"],
  ]) {
    const applied = await ctl(...args);
    t.equal(applied.status, 2);
    t.match(applied.stderr, `${file}:${line}:16: services[0].scheduler`);
  }
  const nowhere = await ctl("--socket", join(dirname(director.file), "nothing.sock"), "services");
  t.equal(nowhere.status, 3);
  t.match(nowhere.stderr, /no director is there; start one/);
  const none = await ctl("--socket", director.file, "services");
  t.equal(none.status, 3);
  t.match(none.stderr, /kindred\.yaml: it is no socket; name the director's/);
  for (const args of [
    ["--url", "http://127.0.0.1:1", "--token-file", "/none", "services"],
    ["--url", "https://127.0.0.1:1", "--ca", "/none", "services"],
    ["apply", "/none"],
  ]) {
    const { status, stderr } = await ctl(...args);
    t.equal(status, 2, stderr);
    t.match(stderr, /^kindred ctl: (--token-file |--ca |)\/none: cannot be read: ENOENT\n$/);
  }
});

/** Answers each connection with `text`, and hangs up; null: never says anything. */
async function answering(t: Test, text: string | null): Promise<string> {
  const port = await listen(t, REAL_A, (socket) => {
    socket
      .on("error", () => {})
      .once("data", () => {
        if (text !== null) socket.end(text);
      });
  });
  return `http://${REAL_A}:${port}`;
}

const http = (body: string, more = "", length = body.length): string =>
  `HTTP/1.1 ${more || "200 OK"}\r\nContent-Length: ${length}\r\n\r\n${body}`;

t.test("what answers and is no director, or is one no more, is that there is none", async (t) => {
  const cases: [text: string, why: RegExp][] = [
    [http("<html>"), /is no director/],
    [http("null"), /is no director/],
    [http("{}", "404 Not Found"), /is no director/],
    [http('{"message":"no"}', "403 Forbidden"), /is no director/],
    [http('{"items":', "", 4000), /the director ended before it had said all/],
    ["nonsense\r\n\r\n", /cannot be reached: HPE_/],
  ];
  for (const [text, why] of cases) {
    const client = new Client({ url: await answering(t, text) });
    await t.rejects(client.send({ method: "GET", path: "/v1/services" }), { name: "Unreachable", message: why }, text);
  }
  const lines = new Client({ url: await answering(t, http('{"event":"watching"}\n', "", 4000)) }).lines("/v1/events");
  t.match(await lines.next(), { value: '{"event":"watching"}' });
  await t.rejects(lines.next(), { name: "Unreachable" });
});

t.test("where nobody listens it is said what would", async (t) => {
  const client = new Client({ url: `http://${REAL_A}:${await freePort(REAL_A)}` });
  const asked = client.send({ method: "GET", path: "/v1/status" });
  await t.rejects(asked, { name: "Unreachable", message: /nobody listens there; start a director .* "control\.tcp"$/ });
});

/** It said EPIPE, or ECONNRESET. */
t.test("who is closed before the answer is told what that may be, and what to do", async (t) => {
  const path = join(await folder(t), "closing.sock");
  const server = createServer((socket) => socket.on("error", () => {}).destroy()).listen(path);
  t.teardown(() => server.close());
  await once(server, "listening");
  for (const body of [undefined, { text: "x".repeat(1_000_000) }]) {
    const asked = new Client({ socket: path }).send({ method: "POST", path: "/v1/config", body });
    await t.rejects(asked, {
      name: "Unreachable",
      message: `${path}: the connection was closed before the answer; the director ended, or has so many that it closed this one: try again, or see in its log (control-full) and by \`ss -p\` who holds them`,
    });
  }
});

/** One that is stopped (SIGSTOP), or whose loop hangs: the kernel takes connections for it all the same. */
t.test("who takes a connection and says nothing is not waited for without end", async (t) => {
  const client = new Client({ url: await answering(t, null) }, {}, 50);
  await t.rejects(client.send({ method: "GET", path: "/v1/status" }), {
    name: "Unreachable",
    message: /no answer for/,
  });
});

t.test("a URL that names no way is refused: nobody is asked on another port instead", (t) => {
  for (const url of ["localhost:9421", "ftp://127.0.0.1:9421", "127.0.0.1"]) {
    t.throws(() => new Client({ url }), { code: "KINDRED_URL", message: /write it as http:/ }, url);
  }
  t.end();
});
