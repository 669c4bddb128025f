/** The script that `npm run build` compiles for `kindred replay`, and what becomes of one that fits no longer. */
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import t from "tap";

const ROOT = resolve(import.meta.dirname, "..", "..");
const BUILT = resolve(ROOT, "dist", "tools");
const CAPTURE = resolve(ROOT, "fixtures", "ftp-own-loopback.pcap");

/** A process of its own: the compiled code fits those flags of V8 only that it was compiled with. */
const node = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, args, { env: {} })).stdout;

const replayed = async (tools: string): Promise<unknown> =>
  JSON.parse(await node(join(tools, "kindred.js"), "replay", "--json", CAPTURE));

const isRejected = (tools: string): Promise<string> =>
  node(
    "-p",
    `import("${join(tools, "compiled.js")}").then((m) => console.log(m.compiledReplay().script.cachedDataRejected))`,
  );

t.test("V8 takes the code that was built", async (t) => {
  t.match(await isRejected(BUILT), /^false$/m);
});

t.test("without the code, with other code, or without the script, the same is found", async (t) => {
  const expected = await replayed(BUILT);
  const folder = mkdtempSync(join(tmpdir(), "compiled-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const tools = join(folder, "tools");
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  for (const name of ["kindred.js", "compiled.js", "replay.cjs", "replay.js"]) {
    cpSync(join(BUILT, name), join(tools, name));
  }
  t.same(await replayed(tools), expected, "without the code");
  writeFileSync(join(tools, "replay.cjs.code"), "of another V8");
  t.match(await isRejected(tools), /^true$/m);
  t.same(await replayed(tools), expected, "with other code");
  rmSync(join(tools, "replay.cjs"));
  t.same(await replayed(tools), expected, "without the script");
});
