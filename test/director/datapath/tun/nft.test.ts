/** nft(8) as it is run, with another program of that name in its place. */
import { chmod, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import t, { type Test } from "tap";
import { runNft } from "../../../../director/datapath/tun/nft.ts";
import { folder } from "../../live.ts";

/** From now on it is `script`; null: there is none. */
async function nftIs(t: Test, script: string | null): Promise<void> {
  const path = await folder(t);
  const before = process.env["PATH"]!;
  t.teardown(() => {
    process.env["PATH"] = before;
  });
  process.env["PATH"] = script === null ? path : [path, before].join(delimiter);
  if (script === null) return;
  await writeFile(join(path, "nft"), `#!/bin/sh\n${script}\n`);
  await chmod(join(path, "nft"), 0o755);
}

t.test("rules are longer than an argument of a program may be", async (t) => {
  await nftIs(t, "wc -c");
  const told = await runNft(["-f", "-"], "x".repeat(1 << 18));
  t.equal("printed" in told && Number(told.printed), 1 << 18);
});

t.test("where it fails it is said what it says, and of which rule; or why it cannot be run", async (t) => {
  await nftIs(t, "cat >/dev/null; printf 'Error: no such chain\\nadd rule x\\n         ^\\n' >&2; exit 1");
  t.same(await runNft(["-f", "-"], "add rule x"), { reason: "Error: no such chain: add rule x" });
  await nftIs(t, "cat >/dev/null; exit 3");
  t.same(await runNft(["-f", "-"], ""), { reason: "exit status 3" });
  await nftIs(t, null);
  t.same(await runNft(["-f", "-"], ""), { reason: "ENOENT" });
});

t.test("one that is ended has failed, and one that reads nothing has not", async (t) => {
  await nftIs(t, "kill -9 $$");
  t.same(await runNft(["-f", "-"], ""), { reason: "exit status SIGKILL" });
  await nftIs(t, "exec <&-; echo done");
  t.same(await runNft(["-f", "-"], "x".repeat(1 << 18)), { printed: "done\n" });
});
