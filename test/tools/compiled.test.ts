/** The script that `npm run build` compiles for `kindred replay`, and what becomes of one that fits no longer. */
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { ROOT } from "../root.ts";

const BUILT = resolve(ROOT, "dist", "tools");
const CAPTURE = resolve(ROOT, "fixtures", "ftp-own-loopback.pcap");

/** A process of its own: the compiled code fits those flags of V8 only that it was compiled with. */
const node = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, args, { env: {} })).stdout;

const replayed = async (tools: string, capture = CAPTURE): Promise<unknown> =>
  JSON.parse(await node(join(tools, "kindred.cjs"), "replay", "--json", capture));

const isRejected = (tools: string): Promise<string> =>
  node(
    "-p",
    `import("${join(tools, "compiled.js")}").then((m) => console.log(m.compiledReplay().script.cachedDataRejected))`,
  );

/** By its name no other release of Node takes it: it need not survive that (tools/compiled.ts). */
const CODE = `replay.cjs.${process.version}-${process.platform}-${process.arch}.code`;

/** What replaying takes of what was built. */
const NEEDED = ["kindred.cjs", "replay.cjs", "replay.js", "replay/assembly.wasm"];

/** Of a pcap file in this machine's byte order: a frame of `length` zeros. */
function record(length: number): Uint8Array {
  const bytes = new Uint8Array(16 + length);
  new Uint32Array(bytes.buffer, 0, 4).set([1_700_000_000, 0, length, length]);
  return bytes;
}

t.test("the command as a module finds what it finds as a script", async (t) => {
  t.same(JSON.parse(await node(join(BUILT, "kindred.js"), "replay", "--json", CAPTURE)), await replayed(BUILT));
});

t.test("the command as a script knows all commands", async (t) => {
  const help = await node(join(BUILT, "kindred.cjs"), "--help");
  t.same(help, await node(join(BUILT, "kindred.js"), "--help"));
  t.match(help, /^ {2}replay /m);
});

t.test("V8 takes the code that was built", async (t) => {
  t.match(await isRejected(BUILT), /^false$/m);
});

t.test("without the code, with other code, or without the script, the same is found", async (t) => {
  const expected = await replayed(BUILT);
  const folder = mkdtempSync(join(tmpdir(), "compiled-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const tools = join(folder, "tools");
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  for (const name of [...NEEDED, "compiled.js"]) cpSync(join(BUILT, name), join(tools, name));
  t.same(await replayed(tools), expected, "without the code");
  writeFileSync(join(tools, CODE), "of another V8");
  t.match(await isRejected(tools), /^true$/m);
  t.same(await replayed(tools), expected, "with other code");
  rmSync(join(tools, "replay.cjs"));
  t.same(await replayed(tools), expected, "without the script");
});

t.test("in a long file the same is found as without the script", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "compiled-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const tools = join(folder, "tools");
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  for (const name of NEEDED) cpSync(join(BUILT, name), join(tools, name));
  rmSync(join(tools, "replay.cjs"));
  const long = join(folder, "long.pcap");
  writeFileSync(long, Buffer.concat([readFileSync(CAPTURE), ...Array.from({ length: 70 }, () => record(256_000))]));
  t.same(await replayed(BUILT, long), await replayed(tools, long));
});
