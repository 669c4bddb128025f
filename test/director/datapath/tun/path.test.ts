/** What the packet path refuses before anything of the host or of the engine is touched. */
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type Config, parseConfig } from "../../../../director/config.ts";
import { PacketPath } from "../../../../director/datapath/tun/path.ts";
import { folder } from "../../live.ts";

const service = (name: string, vip: string): string =>
  `{ name: ${name}, vip: "${vip}", ports: [tcp/80], realservers: [{ address: 10.0.0.1 }] }`;
const config = (kind: "services" | "groups", ...services: string[]): Config =>
  parseConfig(`${kind}: [${services.join(", ")}]`, "test.yaml", { path: "tun" });

for (const kind of ["services", "groups"] as const) {
  t.test(`of ${kind} that run the VIP is not changed: its flows would be cut`, async (t) => {
    const path = new PacketPath(config(kind, service("web", "203.0.113.10")), () => {});
    const other = config(kind, service("web", "203.0.113.11"));
    const refused = {
      name: "ChangeError",
      code: "vip-in-use",
      message: "service web: the VIP 203.0.113.10 cannot become 203.0.113.11 while it runs: its flows would be cut",
      remedy: "give 203.0.113.11 a service with another name, and take this one away",
    };
    await t.rejects(path.apply(other), refused);
    t.throws(() => path.refuse(other), refused, "a dry run says so too");
  });
}

t.test("the VIP of a service that comes, goes or stays is none that is changed", async (t) => {
  const path = new PacketPath(config("services", service("web", "203.0.113.10")), () => {});
  for (const next of [
    [service("web", "203.0.113.10"), service("other", "203.0.113.11")],
    [service("other", "203.0.113.11")],
  ]) {
    const error = await path.apply(config("services", ...next)).catch((reason: unknown) => reason);
    t.notMatch(error, { code: "vip-in-use" }, "it only lacks what it would have set up");
    t.doesNotThrow(() => path.refuse(config("services", ...next)));
  }
});

/** An empty folder is all where programs are looked for. */
async function noPrograms(t: Test): Promise<string> {
  const bin = await folder(t);
  const before = process.env["PATH"]!;
  t.teardown(() => {
    process.env["PATH"] = before;
  });
  process.env["PATH"] = bin;
  return bin;
}

/** There is an nft now, which notes that it was run in the file `asked`. */
async function installNft(bin: string): Promise<void> {
  await writeFile(join(bin, "nft"), `#!/bin/sh\necho asked >>${join(bin, "asked")}\n`);
  await chmod(join(bin, "nft"), 0o755);
}

const offloaded = { ...config("services", service("web", "203.0.113.10")), offload: "nftables" as const };

// Each reload ran it twice, and the main thread waited.
t.test("it is asked once whether there is nft", async (t) => {
  const bin = await noPrograms(t);
  await installNft(bin);
  const path = new PacketPath(offloaded, () => {});
  for (let i = 0; i < 3; i++) path.refuse(offloaded);
  t.equal(await readFile(join(bin, "asked"), "latin1"), "asked\n");
});

// Once it was installed, every reload was refused: offload could not change while it ran.
t.test("where there was no nft it is asked for again at each reload, which says so once", async (t) => {
  const bin = await noPrograms(t);
  const said: unknown[] = [];
  const path = new PacketPath(offloaded, (_, event, fields) => said.push([event, fields?.["remedy"]]));
  // Each is refused or not, and then applied; there is nothing here that it could be applied to.
  const reload = async (): Promise<void> => {
    path.refuse(offloaded);
    await path.apply(offloaded).catch(() => {});
  };
  await reload();
  const install = ["no-offload", "install nftables, and restart the director"];
  t.same(said.splice(0), [install, install]);
  await installNft(bin);
  await reload();
  t.same(said, [["no-offload", "restart the director"]]);
});
