/** What a scenario leaves behind: nothing. */
import { existsSync } from "node:fs";
import t from "tap";
import { locate } from "../../../tools/lab/process.ts";
import { inSandbox } from "../../../tools/lab/sandbox.ts";
import { makeNamespace } from "../../../tools/lab/topology.ts";

const absent = ["ip", "setsid"].find((program) => locate(program) === null);
const needs = process.platform !== "linux" ? "Linux" : process.getuid?.() !== 0 ? "root" : absent;

// vsftpd's child of an interrupted transfer, once.
t.test(
  "what has left the group that it was started in ends with its namespace",
  { skip: needs !== undefined && `needs ${needs}` },
  async (t) => {
    let pid = "";
    await inSandbox(async (sandbox) => {
      const namespace = await makeNamespace(sandbox, `kindred-${process.pid}-left`);
      const parent = sandbox.start(["sh", "-c", "setsid sleep 1000 >&- 2>&- & echo $!"], { namespace });
      await parent.until(() => parent.stdout.endsWith("\n"), "forked");
      pid = parent.stdout.trim();
      await parent.exited;
      t.ok(existsSync(`/proc/${pid}`), "it outlives its parent");
    });
    t.notOk(existsSync(`/proc/${pid}/exe`), "and not its scenario");
  },
);
