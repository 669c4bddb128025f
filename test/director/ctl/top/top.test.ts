/** `kindred top` at a terminal of 80 by 24, which script(1) makes. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { freePort } from "../../../../tools/demo/realserver.ts";
import { CLIENT, dial, ftpConfig, REAL_A, until, VIP } from "../../live.ts";
import { built, KINDRED, Process } from "../../process.ts";
import { scripted } from "../../scripted.ts";

const { status } = spawnSync("script", ["--version"]);
const terminal = status === 0 ? built : { skip: "needs script(1) of util-linux" };

/** A director with one session, and its socket. */
async function director(t: Test): Promise<{ socket: string; director: Process }> {
  const real = await scripted(t, REAL_A);
  const port = await freePort(VIP);
  const director = await Process.start(t, ftpConfig(VIP, port, [real]));
  await director.untilEvent("ready");
  await once(await dial(t, VIP, port, CLIENT), "data");
  return { socket: join(dirname(director.file), "kindred.sock"), director };
}

/** A command at a terminal: what it wrote there, and its exit status. */
function atTerminal(t: Test, ...words: readonly string[]) {
  const command = `stty rows 24 cols 80; exec ${[process.execPath, KINDRED, ...words].join(" ")}`;
  const child = spawn("script", ["-qfec", command, "/dev/null"], {
    env: { ...process.env, TERM: "xterm", NO_COLOR: "" },
  });
  t.teardown(() => void child.kill("SIGKILL"));
  const screen = { text: "", type: (keys: string) => void child.stdin.write(keys), exited: once(child, "close") };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    screen.text += text;
  });
  return screen;
}

const ALTERNATE = "\u001b[?1049h";
const BACK = "\u001b[?25h\u001b[?1049l";

t.test("it is drawn again and again, keys change it, and q gives the terminal back", terminal, async (t) => {
  const { socket } = await director(t);
  const screen = atTerminal(t, "top", "--socket", socket, "--interval", "0.1");
  const drawn = (): number => screen.text.split("\u001b[H").length - 1;
  await until(() => drawn() >= 3, "it was drawn three times");
  t.ok(screen.text.startsWith(ALTERNATE));
  t.match(screen.text, /flows\S* +\S*1: 1 control, 0 related/);
  t.match(screen.text, /\[32mup\S*\[0m/, "in colour");
  screen.type("f");
  await until(() => screen.text.includes("[f flows]"), "it is sorted by flows");
  screen.type(" ");
  await until(() => screen.text.includes("paused, space goes on"), "it pauses");
  t.notOk(screen.text.includes(BACK));
  screen.type("q");
  t.same((await screen.exited)[0], 0);
  t.ok(screen.text.trimEnd().endsWith(BACK));
});

t.test("Ctrl-C ends it as well; a director that is gone is said and looked for again", terminal, async (t) => {
  const { socket, director: running } = await director(t);
  const screen = atTerminal(t, "top", "--socket", socket, "--interval", "0.1", "--no-color");
  await until(() => screen.text.includes("1 control"), "it shows the session");
  running.child.kill("SIGKILL");
  await until(() => screen.text.includes("no director listens there any more"), "it says so");
  screen.type("\u0003");
  t.same((await screen.exited)[0], 0);
  t.ok(screen.text.trimEnd().endsWith(BACK));
  t.notOk(screen.text.includes("\u001b[32m"), "without colours");
});

t.test("--once prints plain lines for scripts; without it a terminal is asked for", built, async (t) => {
  const { socket } = await director(t);
  const once_ = new Process(t, ["top", "--once", "--interval", "0.1", "--socket", socket]);
  t.equal(await once_.exited, 0);
  t.match(once_.stdout, /^kindred +socket path/);
  t.match(once_.stdout, /\nSERVICE +REALSERVER +STATE .*\nftp +127\.0\.0\.1:\d+ +up +1 +1 +1 /);
  t.notOk(once_.stdout.includes("\u001b"));
  const piped = new Process(t, ["top", "--socket", socket]);
  t.equal(await piped.exited, 2);
  t.match(piped.stderr, /is no terminal; --once/);
  const nowhere = new Process(t, ["top", "--once", "--socket", `${socket}.not`]);
  t.equal(await nowhere.exited, 3);
  t.match(nowhere.stderr, /^kindred top: .*no director is there/);
});
