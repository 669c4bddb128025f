import { chmod, open, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { folder, until } from "../live.ts";
import { asked, nobody } from "./asked.ts";

/** The path of a program of `lines`, and its folder. */
async function program(t: Test, ...lines: readonly string[]): Promise<{ readonly path: string }> {
  const at = await folder(t);
  const path = join(at, "check");
  await writeFile(path, `#!/bin/sh\n${lines.join("\n")}\n`);
  await chmod(path, 0o755);
  return { path };
}

const runs = async (path: string, words = "", patience?: number) =>
  asked(await nobody(), `kind: script, command: [${path}${words}]`, "test.yaml", patience);

const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

t.test("a realserver serves when the program ends with status 0; any other is told by its number", async (t) => {
  t.equal(await runs((await program(t, "exit 0")).path), null);
  t.equal(await runs((await program(t, "exit 7")).path), "status-7");
  t.equal(await runs((await program(t, "kill -TERM $$")).path), "killed-sigterm");
});

t.test("a program that is not there, or may not be run, is no fault of the realserver's", async (t) => {
  t.equal(await runs("/nowhere/check"), "cannot-run");
  const { path } = await program(t, "exit 0");
  await chmod(path, 0o644);
  t.equal(await runs(path), "cannot-run");
});

t.test("nor is one that somebody is writing, or whose path leads nowhere", async (t) => {
  const { path } = await program(t, "exit 0");
  t.equal(await runs(`${path}/check`), "cannot-run", "a file is no folder");
  await symlink(`${path}.loop`, `${path}.loop`);
  t.equal(await runs(`${path}.loop`), "cannot-run", "a link to itself");
  const editor = await open(path, "r+");
  t.equal(await runs(path), "cannot-run", "it is open for writing");
  await editor.close();
  t.equal(await runs(path), null, "written");
});

t.test("it is told whom to ask: in its environment, and in its arguments where they say so", async (t) => {
  const { path } = await program(t, `echo "$@" >$0.args`, `env >$0.env`);
  const port = await nobody();
  const words = '"{address}", "{port}", "{vip}", "{virtualPort}", "{service}", "{other}", "x{port}"';
  t.equal(await asked(port, `kind: script, command: [${path}, ${words}]`), null);
  t.equal(await readFile(`${path}.args`, "utf8"), `127.0.0.1 ${port} 192.0.2.1 9 s {other} x{port}\n`);
  const environment = (await readFile(`${path}.env`, "utf8")).split("\n");
  const told = { ADDRESS: "127.0.0.1", PORT: port, VIP: "192.0.2.1", VIRTUAL_PORT: "9", SERVICE: "s" };
  for (const [name, value] of Object.entries(told)) t.ok(environment.includes(`KINDRED_${name}=${value}`), name);
  t.notOk(
    environment.some((line) => line.startsWith("HOME=")),
    "and nothing else of the director's",
  );
});

t.test("no shell reads its arguments", async (t) => {
  const { path } = await program(t, `printf '%s|' "$@" >$0.args`);
  t.equal(await runs(path, ', "$(id)", "a b", "; exit 9", "*"'), null);
  t.equal(await readFile(`${path}.args`, "utf8"), "$(id)|a b|; exit 9|*|");
});

t.test("one that takes too long is killed, with all that it has begun", async (t) => {
  const { path } = await program(t, "trap '' TERM", `sleep 600 &`, `echo $$ $! >$0.pids`, "wait", "exit 0");
  t.equal(await runs(path, "", 500), "stopped");
  const pids = (await readFile(`${path}.pids`, "utf8")).trim().split(" ").map(Number);
  t.equal(pids.length, 2);
  await until(() => pids.every(isGone), "both are gone");
});

t.test("what one leaves behind is killed when it ends", async (t) => {
  const { path } = await program(t, `sleep 600 &`, `echo $! >$0.pid`, "exit 0");
  t.equal(await runs(path), null);
  const pid = Number(await readFile(`${path}.pid`, "utf8"));
  await until(() => isGone(pid), "it is gone");
});

t.test("what it says is not read, however much", async (t) => {
  t.equal(await runs((await program(t, "head -c 10000000 /dev/zero", "exit 3")).path), "status-3");
});
