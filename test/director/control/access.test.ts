/** Who may: every route of the table, without the right and with it. */
import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { routes } from "../../../director/control/routes.ts";
import { usualSocket } from "../../../director/control/usual-socket.ts";
import { freePort } from "../../../tools/demo/realserver.ts";
import { folder, plainConfig, VIP } from "../live.ts";
import { built, Process } from "../process.ts";
import { type Asked, ask, type OperatedDirector, operated, TOKEN } from "./operated.ts";

const config = async (): Promise<string> =>
  plainConfig(VIP, await freePort(VIP), [{ address: "192.0.2.10", port: 80 }]);
const bearer = (token: string): Asked["headers"] => ({ authorization: `Bearer ${token}` });
/** With something in place of what the path names. */
const concrete = (path: string): string => path.replace(":service", "nobody").replace(":realserver", "192.0.2.99:80");

async function state({ socket }: OperatedDirector): Promise<string> {
  return (await ask(socket, "/v1/services")).text + (await ask(socket, "/v1/config")).text;
}

t.test("over TCP nothing answers without the token, and nothing changes", async (t) => {
  const director = await operated(t, await config());
  const before = await state(director);
  for (const { method, path, needs } of routes) {
    if (needs === "none") continue;
    for (const [how, headers] of [
      ["without a token", {}],
      ["with a wrong one", bearer("swordfish-0123456788")],
      ["with the beginning of it", bearer(TOKEN.slice(0, -1))],
      ["with an empty one", bearer("")],
      ["with the right one, of another scheme", { authorization: `Basic ${TOKEN}` }],
    ] as const) {
      const asked = method === "GET" ? {} : { raw: "{}" };
      const answer = await ask(director.tcp, concrete(path), { method, headers: headers!, ...asked });
      t.equal(answer.status, 401, `${method} ${path} ${how}`);
      t.match(answer.body, { error: "not-authorized", message: String, remedy: String });
      t.equal(answer.headers["www-authenticate"], 'Bearer realm="kindred"');
    }
  }
  t.equal(await state(director), before);
});

t.test("with the token each route answers for itself", async (t) => {
  const director = await operated(t, await config());
  for (const { method, path, stream } of routes) {
    if (stream) continue;
    const asked = method === "GET" ? {} : { raw: "{}" };
    const answer = await ask(director.tcp, concrete(path), { method, headers: bearer(TOKEN)!, ...asked });
    t.not(answer.status, 401, `${method} ${path}`);
    t.ok(answer.status < 500, `${method} ${path}: ${answer.text.slice(0, 200)}`);
  }
});

t.test("who may only look without a token changes nothing", async (t) => {
  const director = await operated(t, await config(), ", anonymous: read");
  const before = await state(director);
  for (const { method, path, needs, stream } of routes) {
    if (stream) continue;
    const asked = method === "GET" ? {} : { raw: "{}" };
    const answer = await ask(director.tcp, concrete(path), { method, ...asked });
    if (needs === "write") t.equal(answer.status, 401, `${method} ${path}`);
    else t.ok([200, 404].includes(answer.status), `${method} ${path}: ${answer.status}`);
    if (needs === "none") continue;
    t.equal((await ask(director.tcp, concrete(path), { method, headers: bearer("wrong")!, ...asked })).status, 401);
  }
  t.equal(await state(director), before);
});

t.test("who may only scrape sees numbers, and nothing else", async (t) => {
  const director = await operated(t, await config(), ", anonymous: metrics");
  for (const { method, path, needs } of routes) {
    const answer = await ask(director.tcp, concrete(path), { method, ...(method === "GET" ? {} : { raw: "{}" }) });
    const open = needs === "none" || needs === "metrics";
    t.equal(answer.status, open ? 200 : 401, `${method} ${path}`);
  }
});

t.test("what needs no token is this, shows nobody's name, and still is for no page of somebody else's", async (t) => {
  const open = routes.filter(({ needs }) => needs === "none").map(({ path }) => path);
  t.same(open, ["/", "/healthz"]);
  const director = await operated(t, await config());
  for (const path of open) {
    for (const headers of [{}, bearer("wrong")!]) t.equal((await ask(director.tcp, path, { headers })).status, 200);
    t.equal((await ask(director.tcp, path, { headers: { host: "evil.example" } })).status, 421);
    t.equal((await ask(director.tcp, path, { headers: { origin: "http://evil.example" } })).status, 403);
    t.equal((await ask(director.socket, path)).status, 200);
  }
});

t.test("routes that change something are those that are not GET, and say so", async (t) => {
  for (const { method, needs, path } of routes) t.equal(needs === "write", method !== "GET", `${method} ${path}`);
});

t.test("a page of somebody else's gets nowhere: Host and Origin", async (t) => {
  const director = await operated(t, await config(), ", hosts: [director.example.net]");
  const { port } = director.tcp;
  const status = async (
    headers: Record<string, string>,
    at: Parameters<typeof ask>[0] = director.tcp,
  ): Promise<number> => (await ask(at, "/v1/status", { headers: { ...bearer(TOKEN), ...headers } })).status;
  for (const host of [`127.0.0.1:${port}`, "127.0.0.1", `localhost:${port}`, `Director.Example.NET:${port}`]) {
    t.equal(await status({ host }), 200, host);
  }
  for (const host of ["evil.example", `evil.example:${port}`, `127.0.0.1:${port + 1}`, "127.0.0.1.evil.example"]) {
    t.equal(await status({ host }), 421, `Host: ${host}`);
  }
  t.equal(await status({ origin: `http://127.0.0.1:${port}` }), 200);
  for (const origin of ["http://evil.example", `https://127.0.0.1:${port}`, "null", "http://127.0.0.1"]) {
    t.equal(await status({ origin }), 403, `Origin: ${origin}`);
    t.equal(await status({ origin }, director.socket), 403, "nor through the socket");
  }
});

t.test("a path that is none is told only to who may look", async (t) => {
  const director = await operated(t, await config());
  t.equal((await ask(director.tcp, "/v1/nothing")).status, 401);
  const answer = await ask(director.tcp, "/v1/nothing", { headers: bearer(TOKEN)! });
  t.match([answer.status, answer.body.error], [404, "no-such-route"]);
  t.equal((await ask(director.socket, "/v1/services", { method: "PUT" })).status, 404);
});

t.test("programs are loaded for who comes by the socket, not for who comes from afar", async (t) => {
  const director = await operated(t, await config());
  const module = join(director.folder, "acme.mjs");
  await writeFile(module, "globalThis.loaded = true;");
  const text = `${await config()}\nhelpers: { acme: { module: ${module}, ports: [9000] } }\n`;
  const asked = { method: "POST", headers: bearer(TOKEN)!, body: { text } };
  t.match(await ask(director.tcp, "/v1/config", asked), { status: 403, body: { error: "module-from-afar" } });
  t.equal((globalThis as { loaded?: boolean }).loaded, undefined);
});

t.test("the socket is its owner's, unless the configuration says otherwise", async (t) => {
  const director = await operated(t, await config());
  t.equal(statSync(director.socket.socketPath).mode & 0o777, 0o600);
  const shared = await operated(t, await config(), ', mode: "660"');
  t.equal(statSync(shared.socket.socketPath).mode & 0o777, 0o660);
});

t.test("a socket that a dead director left is taken over; a living one's, and what is no socket, stay", async (t) => {
  const first = await operated(t, await config());
  const text = `${await config()}control: { socket: "${first.socket.socketPath}" }\n`;
  const { parseConfig } = await import("../../../director/config.ts");
  const { Director } = await import("../../../director/director.ts");
  const second = new Director(parseConfig(text, first.file), { log: () => {} });
  t.teardown(() => second.abort());
  await t.rejects(second.start(), { name: "ControlError", message: /another director is at/ });
  t.equal((await ask(first.socket, "/v1/status")).status, 200);
  const occupied = join(await folder(t), "file");
  await writeFile(occupied, "precious");
  const third = new Director(parseConfig(text.replace(first.socket.socketPath, occupied), first.file), {
    log: () => {},
  });
  t.teardown(() => third.abort());
  await t.rejects(third.start(), { name: "ControlError", message: /is no socket/ });
});

/** Bound by a process that is no more. */
async function staleSocket(path: string): Promise<void> {
  const bind = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  await promisify(execFile)(process.execPath, ["-e", bind], { env: {} }).catch(() => {});
  if (!statSync(path).isSocket()) throw new Error(`${path} is no socket`);
}

t.test(
  "of directors that start at once where a dead one left its socket, one has it, and the others say so",
  async (t) => {
    const { parseConfig } = await import("../../../director/config.ts");
    const { Director } = await import("../../../director/director.ts");
    for (let round = 0; round < 3; round++) {
      const path = join(await folder(t), "socket");
      await staleSocket(path);
      const directors = await Promise.all(
        [1, 2, 3].map(async () => {
          const text = `${await config()}control: { socket: "${path}" }\n`;
          const director = new Director(parseConfig(text, "one of three"), { log: () => {} });
          t.teardown(() => director.abort());
          return director;
        }),
      );
      const ends = await Promise.allSettled(directors.map((director) => director.start()));
      const refused = ends.flatMap((end) => (end.status === "rejected" ? [String(end.reason)] : []));
      t.match(refused, [/another director is at/, /another director is at/]);
      t.equal(refused.length, 2);
      t.equal((await ask({ socketPath: path }, "/v1/status")).status, 200);
    }
  },
);

t.test("a token that anybody can read, or guess, is none: nothing is started", built, async (t) => {
  for (const [mode, token, says] of [
    [0o644, TOKEN, /anybody can read .*; chmod 600/],
    [0o600, "xq7", /too short; put at least 16/],
  ] as const) {
    const path = await folder(t);
    await writeFile(join(path, "token"), token);
    await chmod(join(path, "token"), mode);
    const text = `${await config()}control: { tcp: "127.0.0.1:${await freePort("127.0.0.1")}", tokenFile: "${path}/token" }\n`;
    const director = await Process.start(t, text);
    t.equal(await director.exited, 2);
    t.match(director.stderr, says);
    t.notMatch(director.stdout, /ready/);
    t.notMatch(director.stdout + director.stderr, token);
  }
});

t.test("where the usual socket is", async (t) => {
  t.equal(usualSocket({ RUNTIME_DIRECTORY: "/run/kindred" }), "/run/kindred/kindred.sock");
  const others = usualSocket({ XDG_RUNTIME_DIR: "/run/user/1000" });
  t.equal(others, process.getuid?.() === 0 ? "/run/kindred/kindred.sock" : "/run/user/1000/kindred.sock");
});

t.test("who fills the one end with connections neither takes all descriptors nor shuts the other", async (t) => {
  const director = await operated(t, await config());
  const { host, port } = director.tcp as { host: string; port: number };
  let closed = 0;
  const many = Array.from({ length: 300 }, () => connect({ host, port }).on("error", () => {}));
  t.teardown(() => {
    for (const one of many) one.destroy();
  });
  await new Promise<void>((resolve) => {
    for (const one of many) {
      one.on("close", () => {
        if (++closed === 300 - 256) resolve();
      });
    }
  });
  t.equal((await ask(director.socket, "/v1/status")).status, 200);
  t.equal(closed, 300 - 256);
});
