/** A file is loaded again when what it says is another, wherever that stands. */
import { mkdir, readlink, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { parseConfig } from "../../../director/config.ts";
import { watchFile } from "../../../director/control/watch-file.ts";
import { Director } from "../../../director/director.ts";
import { freePort } from "../../../tools/demo/realserver.ts";
import { folder, plainConfig, until, VIP } from "../live.ts";

function watched(t: Test, file: string): () => number {
  let times = 0;
  const watcher = watchFile(file, () => times++);
  t.teardown(() => watcher.close());
  return () => times;
}

/** As Kubernetes shows a ConfigMap: what changes is a link beside the file, and never the file's own name. */
t.test("a link on the way to the file leads somewhere else: the file has changed, each time", async (t) => {
  const at = await folder(t);
  for (const version of ["1", "2", "3"]) {
    await mkdir(join(at, `..${version}`));
    await writeFile(join(at, `..${version}`, "kindred.yaml"), version);
  }
  await symlink("..1", join(at, "..data"));
  await symlink("..data/kindred.yaml", join(at, "kindred.yaml"));
  const times = watched(t, join(at, "kindred.yaml"));
  for (const version of ["2", "3"]) {
    await symlink(`..${version}`, join(at, "..data_tmp"));
    await rename(join(at, "..data_tmp"), join(at, "..data"));
    await until(() => times() === Number(version) - 1, `version ${version} is seen`);
  }
  t.equal(await readlink(join(at, "..data")), "..3");
});

t.test("what a link leads to is written anew", async (t) => {
  const [at, elsewhere] = [await folder(t), await folder(t)];
  await writeFile(join(elsewhere, "farm.yaml"), "1");
  await symlink(join(elsewhere, "farm.yaml"), join(at, "kindred.yaml"));
  const times = watched(t, join(at, "kindred.yaml"));
  await writeFile(join(elsewhere, "farm.yaml"), "2");
  await until(() => times() === 1, "it is seen");
});

t.test("files beside it, and the same text again, are no change", async (t) => {
  const at = await folder(t);
  await writeFile(join(at, "kindred.yaml"), "1");
  const times = watched(t, join(at, "kindred.yaml"));
  await writeFile(join(at, "other.yaml"), "1");
  await writeFile(join(at, "kindred.yaml"), "1");
  await sleep(600);
  t.equal(times(), 0);
  await writeFile(join(at, "new.yaml"), "2");
  await rename(join(at, "new.yaml"), join(at, "kindred.yaml"));
  await until(() => times() === 1, "it is seen");
});

/** The kernel has only so many watches for each user. The director said so, served on, and no signal ended it. */
t.test("a file that cannot be watched is told of, and no reason not to serve", async (t) => {
  const services = plainConfig(VIP, await freePort(VIP), [{ address: "192.0.2.10", port: 80 }]);
  const config = parseConfig(`${services}\ncontrol: { socket: none }\nwatch: true\n`, "/nowhere/kindred.yaml");
  const events: string[] = [];
  const director = new Director(config, { log: (level, event) => events.push(`${level} ${event}`) });
  t.teardown(() => director.abort());
  await director.start();
  t.same(events, ["warn not-watched", "info ready"]);
});
