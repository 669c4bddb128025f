/** The control interface over TLS: a certificate of the operators' authority, or the token. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { request } from "node:https";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import t, { type Test } from "tap";
import { parseConfig } from "../../../director/config.ts";
import { Director } from "../../../director/director.ts";
import { freePort } from "../../../tools/demo/realserver.ts";
import { folder, plainConfig, VIP } from "../live.ts";
import { TOKEN } from "./operated.ts";

function has(command: string): boolean {
  try {
    execFileSync(command, ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const needed = has("openssl") ? {} : { skip: "needs openssl" };

/** An authority, and a certificate of it for `name`, as `name.pem` and `name.key`. */
function authority(path: string, ca: string, ...names: readonly string[]): void {
  const openssl = (...args: string[]): unknown => execFileSync("openssl", args, { cwd: path, stdio: "ignore" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...key, "-subj", `/CN=${ca}`, "-days", "2", "-keyout", `${ca}.key`, "-out", `${ca}.pem`);
  for (const name of names) {
    openssl(
      "req",
      ...key,
      "-subj",
      `/CN=${name}`,
      "-addext",
      "subjectAltName=IP:127.0.0.1",
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
    );
    openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      "-CA",
      `${ca}.pem`,
      "-CAkey",
      `${ca}.key`,
      "-CAcreateserial",
      "-copy_extensions",
      "copy",
      "-days",
      "2",
      "-out",
      `${name}.pem`,
    );
  }
}

async function director(t: Test): Promise<{ path: string; port: number }> {
  const path = await folder(t);
  authority(path, "ours", "director", "operator");
  authority(path, "theirs", "stranger");
  await writeFile(join(path, "token"), TOKEN, { mode: 0o600 });
  const port = await freePort("127.0.0.1");
  const text = `${plainConfig(VIP, await freePort(VIP), [{ address: "192.0.2.10", port: 80 }])}
control: { socket: none, tcp: "127.0.0.1:${port}", tokenFile: ./token, cert: ./director.pem, key: ./director.key, clientCa: ./ours.pem }
`;
  const running = new Director(parseConfig(text, join(path, "kindred.yaml")), { log: () => {} });
  t.teardown(() => running.abort());
  await running.start();
  return { path, port };
}

/** The status, or why there was none. */
function asked(
  at: { path: string; port: number },
  who: string | null,
  headers: Record<string, string> = {},
): Promise<number | string> {
  const file = (name: string): Buffer => readFileSync(join(at.path, name));
  const own = who === null ? {} : { cert: file(`${who}.pem`), key: file(`${who}.key`) };
  return new Promise((resolve) => {
    const options = {
      host: "127.0.0.1",
      port: at.port,
      path: "/v1/reload",
      method: "POST",
      ca: file("ours.pem"),
      agent: false,
      // What is tried is the director: a client would refuse such a name by itself.
      checkServerIdentity: () => undefined,
      headers,
      ...own,
    };
    request(options, (response) => resolve(response.resume().statusCode!))
      .on("error", ({ code }: NodeJS.ErrnoException) => resolve(code ?? "error"))
      .end();
  });
}

t.test("a certificate of the operators' authority is enough; another's, or none, is not", needed, async (t) => {
  const at = await director(t);
  // The file was never written: whoever may ask is told that.
  t.equal(await asked(at, "operator"), 422);
  t.equal(await asked(at, "stranger"), 401);
  t.equal(await asked(at, null), 401);
  t.equal(await asked(at, null, { authorization: `Bearer ${TOKEN}` }), 422, "the token is, by TLS too");
  t.equal(await asked(at, "operator", { host: "evil.example" }), 421, "for this host alone");
  t.equal(await asked(at, "operator", { origin: "https://evil.example" }), 403, "and not for somebody's page");
});

/** Each is two sockets of Node's: what came in, and what was made of it. */
t.test(
  "who holds all connections keeps nobody out, greeted or not, nor ends what is being answered",
  needed,
  async (t) => {
    const at = await director(t);
    const ca = readFileSync(join(at.path, "ours.pem"));
    const there = { host: "127.0.0.1", port: at.port };
    const tls = { ...there, ca, checkServerIdentity: () => undefined };
    const headers = { authorization: `Bearer ${TOKEN}` };
    const watching = request({ ...tls, path: "/v1/events", agent: false, headers }).end();
    const [lines] = await once(watching, "response");
    const held: Socket[] = [];
    t.teardown(() => {
      for (const one of [watching, ...held]) one.destroy();
    });
    lines.resume();
    for (const greeted of [false, true]) {
      for (let i = 0; i < 300; i++) held.push((greeted ? connectTls(tls) : connect(there)).on("error", () => {}));
      await once(held.at(-1)!, greeted ? "secureConnect" : "connect");
      t.equal(await asked(at, "operator"), 422);
      t.notOk(lines.destroyed);
    }
  },
);
