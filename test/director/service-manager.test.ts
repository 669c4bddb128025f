/** The director under systemd: what it tells its manager, and the unit that it comes with. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import t from "tap";
import { freePort } from "../../tools/demo/realserver.ts";
import { ROOT } from "../root.ts";
import { folder, ftpConfig, onBackend, REAL_A, REAL_B, until, VIP } from "./live.ts";
import { built, configurationFile, Process } from "./process.ts";
import { scripted } from "./scripted.ts";

const has = (command: string): boolean => spawnSync(command, ["--version"]).status === 0;
const UNIT = resolve(ROOT, "packaging/kindred.service");

/** A manager's socket: prints each datagram on a line. */
const MANAGER = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True: print(s.recv(4096).decode().replace("\\n", " "), flush=True)
`;

const notifying = has("systemd-notify") && has("python3") ? built : { skip: "needs systemd-notify and python3" };

t.test("the manager is told when the director listens, and when it stops", notifying, async (t) => {
  const path = join(await folder(t), "notify");
  const manager = spawn("python3", ["-c", MANAGER, path], { stdio: ["ignore", "pipe", "inherit"] });
  t.teardown(() => void manager.kill());
  let heard = "";
  manager.stdout.setEncoding("utf8").on("data", (text: string) => (heard += text));
  await once(manager.stdout, "data");
  const reals = [await scripted(t, REAL_A), await scripted(t, REAL_B)] as const;
  const file = await configurationFile(t, onBackend(ftpConfig(VIP, await freePort(VIP), reals)));
  const director = new Process(t, ["run", file], { env: { NOTIFY_SOCKET: path } });
  await until(() => heard.includes("READY=1"), "READY=1");
  t.equal(director.of("ready").length, 1, "and not before");
  t.match(heard, new RegExp(`MAINPID=${director.child.pid}`));
  director.child.kill("SIGTERM");
  await until(() => heard.includes("STOPPING=1"), "STOPPING=1");
  t.equal(await director.exited, 0);
});

t.test("a manager that cannot be told is an error in the log, and nothing else", built, async (t) => {
  const reals = [await scripted(t, REAL_A), await scripted(t, REAL_B)] as const;
  const file = await configurationFile(t, onBackend(ftpConfig(VIP, await freePort(VIP), reals)));
  const director = new Process(t, ["run", file], { env: { NOTIFY_SOCKET: "/nowhere", PATH: "/nowhere" } });
  await director.untilEvent("manager-not-told");
  t.match(director.of("manager-not-told"), [{ level: "error", state: "READY=1" }]);
  director.child.kill("SIGTERM");
  t.equal(await director.exited, 0);
});

const analysing = has("systemd-analyze") ? {} : { skip: "needs systemd-analyze" };

t.test("the unit's exposure is 2.0 at most", analysing, async (t) => {
  const { stdout } = spawnSync("systemd-analyze", ["security", "--offline=yes", "--threshold=20", UNIT]);
  const [, exposure] = /Overall exposure level for kindred.service: ([\d.]+)/.exec(String(stdout)) ?? [];
  t.ok(exposure !== undefined, "it is an exposure");
  t.ok(Number(exposure) <= 2.0, `${exposure}`);
});

t.test("every key of the unit is known to systemd", analysing, async (t) => {
  const { stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", UNIT]);
  const ours = String(stderr)
    .split("\n")
    .filter((line) => line.includes("kindred.service") && !line.includes("is not executable"));
  t.same(ours, []);
});
