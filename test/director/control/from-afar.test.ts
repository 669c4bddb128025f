/** What a client of the API may not do over TCP, whatever token it has: choose a program to run, or a file to read. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { freePort } from "../../../tools/demo/realserver.ts";
import { folder, VIP } from "../live.ts";
import { type Asked, ask, type OperatedDirector, operated, TOKEN } from "./operated.ts";

const headers = { authorization: `Bearer ${TOKEN}` };
const SCRIPT = { kind: "script", command: ["/bin/true", "{address}"] };
const SECRET = { kind: "ftp", login: "kindred", secretFile: "/etc/hostname" };

async function farm(t: Test, check = ""): Promise<OperatedDirector> {
  const port = await freePort(VIP);
  const realservers = "realservers: [{ address: 192.0.2.10, port: 80 }]";
  return operated(t, `services: [{ name: web, vip: ${VIP}, ports: [tcp/${port}], ${check} ${realservers} }]\n`);
}

const other = async (check: object) => ({
  name: "other",
  vip: VIP,
  ports: [`tcp/${await freePort(VIP)}`],
  check,
  realservers: [{ address: "192.0.2.11", port: 80 }],
});

/** Every way over which a configuration comes. */
async function ways(director: OperatedDirector, check: object): Promise<Record<string, [string, Asked]>> {
  const { document } = (await ask(director.socket, "/v1/config")).body;
  const [web] = document.services;
  const text = JSON.stringify({ ...document, services: [{ ...web, check }] });
  return {
    "a change of a service": ["/v1/services/web", { method: "PATCH", body: { check } }],
    "a new service": ["/v1/services", { method: "POST", body: await other(check) }],
    "a new group": ["/v1/services?group=true", { method: "POST", body: await other(check) }],
    "a whole configuration": ["/v1/config", { method: "POST", body: { text } }],
    "one that calls itself another file": ["/v1/config", { method: "POST", body: { text, file: "/tmp/other.yaml" } }],
  };
}

for (const [what, check, message] of [
  ["a script", SCRIPT, /would run \["\/bin\/true","\{address\}"\]/],
  ["a file with a secret", SECRET, /would have the secret \/etc\/hostname/],
] as const) {
  t.test(`over TCP nobody gives a service ${what}, and what was there stays`, async (t) => {
    const director = await farm(t);
    const before = (await ask(director.socket, "/v1/config")).text;
    for (const [how, [path, asked]] of Object.entries(await ways(director, check))) {
      const answer = await ask(director.tcp, path, { ...asked, headers });
      t.match(answer, { status: 403, body: { error: "check-from-afar", message, remedy: /unix socket/ } }, how);
    }
    t.equal((await ask(director.socket, "/v1/config")).text, before);
  });

  t.test(`through the unix socket ${what} is set, and from then on over TCP is not in the way`, async (t) => {
    const director = await farm(t);
    const set = await ask(director.socket, "/v1/services/web", { method: "PATCH", body: { check } });
    t.equal(set.status, 200, set.text);
    const weight = { method: "PATCH", body: { weight: 7 }, headers };
    t.equal((await ask(director.tcp, "/v1/services/web/realservers/192.0.2.10:80", weight)).status, 200);
    const copied = await ask(director.tcp, "/v1/services", { method: "POST", body: await other(check), headers });
    t.match(copied, { status: 403, body: { error: "check-from-afar" } }, "no other service gets it");
    const gone = { method: "PATCH", body: { check: null }, headers };
    t.equal((await ask(director.tcp, "/v1/services/web", gone)).status, 200, "it may be taken away");
    t.equal((await ask(director.tcp, "/v1/services/web", { method: "PATCH", body: { check }, headers })).status, 403);
  });
}

t.test("over TCP a script's arguments are not changed either, nor what a relative path means", async (t) => {
  const path = await folder(t);
  mkdirSync(join(path, "elsewhere"));
  writeFileSync(join(path, "check"), "#!/bin/sh\n", { mode: 0o755 });
  const director = await farm(t, `check: { kind: script, command: ["${path}/check", one] },`);
  for (const command of [[`${path}/check`, "two"], [`${path}/check`], [`${path}/elsewhere/../check2`, "one"]]) {
    const body = { check: { kind: "script", command } };
    t.equal((await ask(director.tcp, "/v1/services/web", { method: "PATCH", body, headers })).status, 403);
  }
  const same = { check: { kind: "script", command: [`${path}/elsewhere/../check`, "one"], interval: "9s" } };
  t.equal((await ask(director.tcp, "/v1/services/web", { method: "PATCH", body: same, headers })).status, 200);
});

t.test("over TCP a secret stays with the kind of check and the login that it was given for", async (t) => {
  const file = join(await folder(t), "secret");
  writeFileSync(file, "a secret of many words\n", { mode: 0o600 });
  const director = await farm(t, `check: { kind: radius, secretFile: "${file}" },`);
  const set = (check: object, how = {}) =>
    ask(director.tcp, "/v1/services/web", { method: "PATCH", body: { check }, headers, ...how });
  const login = { kind: "ftp", login: "kindred", secretFile: file };
  t.match(await set(login), { status: 403, body: { error: "check-from-afar", message: /its ftp check/ } });
  t.equal((await set({ kind: "radius", secretFile: file, interval: "9s" })).status, 200, "the rest may change");
  const local = await ask(director.socket, "/v1/services/web", { method: "PATCH", body: { check: login } });
  t.equal(local.status, 200, local.text);
  t.match(await set({ ...login, login: "root" }), { status: 403, body: { message: /with the login "root"/ } });
  t.equal((await set({ ...login, interval: "9s" })).status, 200);
});

t.test("over TCP a secret stays with those that it is told already, and those that the file names", async (t) => {
  const file = join(await folder(t), "secret");
  writeFileSync(file, "a secret of many words\n", { mode: 0o600 });
  const director = await farm(t, `check: { kind: ftp, login: kindred, secretFile: "${file}" },`);
  const at = "/v1/services/web/realservers";
  const send = (method: string, path: string, body?: object) =>
    ask(director.tcp, path, { method, headers, ...(body === undefined ? {} : { body }) });
  const refused = { status: 403, body: { error: "check-from-afar", message: /the secret .* at 192\.0\.2\.99:21/ } };
  t.match(await send("POST", at, { address: "192.0.2.99", port: 21 }), refused);
  const check = { kind: "ftp", login: "kindred", secretFile: file, port: 2121 };
  const moved = await send("PATCH", "/v1/services/web", { check });
  t.match(moved, { status: 403, body: { message: /at 192\.0\.2\.10:2121/ } }, "nor at another port");
  t.equal((await send("POST", at, { address: "192.0.2.99", port: 21, sorry: true })).status, 200, "not asked");
  t.match(await send("PATCH", `${at}/192.0.2.99:21`, { sorry: false }), refused);
  t.equal((await send("DELETE", `${at}/192.0.2.10:80`)).status, 200);
  t.equal((await send("POST", at, { address: "192.0.2.10", port: 80 })).status, 200, "the file names it");
  const local = await ask(director.socket, at, { method: "POST", body: { address: "192.0.2.98", port: 21 } });
  t.equal(local.status, 200, local.text);
  t.equal((await send("PATCH", `${at}/192.0.2.98:21`, { weight: 3 })).status, 200);
});

t.test("other checks are set over TCP", async (t) => {
  const director = await farm(t);
  const asked = { method: "PATCH", body: { check: { kind: "tcp" } }, headers };
  t.equal((await ask(director.tcp, "/v1/services/web", asked)).status, 200);
});
