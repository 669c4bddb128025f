/** Which backend runs, and what is said where the one that was asked for cannot be had. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { chooseBackend } from "../../director/datapath/backend.ts";
import { freePort } from "../../tools/demo/realserver.ts";
import { folder, plainConfig, REAL_A, VIP } from "./live.ts";
import { built, configurationFile, Process } from "./process.ts";

const linux = process.platform === "linux" && ["x64", "arm64"].includes(process.arch);

/** Node started with it finds no koffi. */
const HIDE = `
import { register } from "node:module";
const hook = \`export async function resolve(specifier, context, next) {
  if (specifier === "koffi") throw new Error("there is no koffi here");
  return next(specifier, context);
}\`;
register("data:text/javascript," + encodeURIComponent(hook));
`;

async function start(t: Test, backend: string, hide = true): Promise<Process> {
  const hiding = join(await folder(t), "hide.mjs");
  await writeFile(hiding, HIDE);
  const text = plainConfig(VIP, await freePort(VIP), [{ address: REAL_A, port: 1 }], "", `backend: ${backend}`);
  const file = await configurationFile(t, text);
  return new Process(t, ["run", file], hide ? { env: { NODE_OPTIONS: `--import=${hiding}` } } : {});
}

async function backendOf(director: Process): Promise<unknown> {
  await director.untilEvent("ready");
  const [ready] = director.of("ready");
  director.child.kill("SIGTERM");
  return (ready as { backend?: unknown }).backend;
}

t.test(
  "auto takes epoll where koffi loads",
  { ...(linux ? built : { skip: "needs Linux on x64 or arm64" }) },
  async (t) => {
    const director = await start(t, "auto", false);
    t.equal(await backendOf(director), "epoll");
    t.equal(await director.exited, 0);
    t.equal(director.stderr, "");
  },
);

t.test("auto runs on net where koffi does not load", built, async (t) => {
  const director = await start(t, "auto");
  t.equal(await backendOf(director), "net");
  t.equal(await director.exited, 0);
});

t.test("net is net, koffi or not", built, async (t) => {
  t.equal(await backendOf(await start(t, "net", false)), "net");
  t.equal((await chooseBackend("net")).name, "net");
});

t.test("epoll that cannot be had is told with its reason and a remedy, and exits 2", built, async (t) => {
  const director = await start(t, "epoll");
  t.equal(await director.exited, 2);
  t.equal(director.stdout, "", "nothing was started");
  t.match(director.stderr, /kindred\.yaml: backend: epoll cannot be had: .*; write "backend: auto"/);
  if (linux) t.match(director.stderr, "koffi cannot be loaded: there is no koffi here");
});
