/** `kindred fuzz`: exit status, summary, and what is kept of a finding. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import t from "tap";
import { helpers } from "../../../helpers/index.ts";
import { Random } from "../../../tools/fuzz/generate/choices.ts";
import { dialogue } from "../../../tools/fuzz/generate/ftp/dialogue.ts";
import { saidBy, type Turn } from "../../../tools/fuzz/generate/ftp/model.ts";
import type { Finding } from "../../../tools/fuzz/run/inputs.ts";
import { keep } from "../../../tools/fuzz/run/keep.ts";
import { minimise } from "../../../tools/fuzz/run/minimise.ts";
import type { FuzzOptions } from "../../../tools/fuzz.ts";
import { runReplay } from "../../../tools/replay.ts";
import { built } from "../../director/process.ts";
import { ROOT } from "../../root.ts";

async function run(helper: string, options: FuzzOptions) {
  const { runFuzz } = await import(resolve(ROOT, "dist/tools/fuzz.js"));
  const out: string[] = [];
  const err: string[] = [];
  const io = {
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => err.push(text) },
  };
  return { status: await runFuzz(helper, options, io), out: out.join(""), err: err.join("") };
}

t.test("a count of executions, as JSON: nothing found, status 0", built, async (t) => {
  const { status, out } = await run("ftp", { executions: 512, seed: 5, json: true, coverage: false });
  t.equal(status, 0);
  t.match(JSON.parse(out), { helper: "ftp", seed: 5, executions: 512, findings: [] });
});

t.test("one number and no other", built, async (t) => {
  const { status, out } = await run("ftp", { only: "wild/3", seed: 5, coverage: false });
  t.equal(status, 0);
  t.match(out, /1 dialogues.*\nnothing found/);
});

t.test("what there is not: status 2, and what there is", built, async (t) => {
  t.match(await run("gopher", {}), { status: 2, err: /there is ftp/ });
  t.match(await run("ftp", { only: "lines" }), { status: 2, err: /lines\/12/ });
});

t.test("a mutant: status 1, and how to have it again", built, async (t) => {
  const { fuzzCommand } = await import(resolve(ROOT, "dist/tools/fuzz.js"));
  const out: string[] = [];
  const io = { stdout: { write: (text: string) => out.push(text) }, stderr: { write: () => {} } };
  await fuzzCommand(io).parseAsync(
    ["ftp", "--seed", "1", "--seconds", "60", "--no-coverage", "--mutant", "octet-wrap"],
    { from: "user" },
  );
  t.equal(process.exitCode, 1);
  process.exitCode = 0;
  t.match(out.join(""), /opened in lines\/0.*\n {2}again: kindred fuzz ftp --seed 1 --only lines\/0/);
});

t.test("what shows a finding is made small, and keeps showing it", async (t) => {
  const { ends, turns } = dialogue(new Random(1, 4));
  const hidden: Turn = { speaker: "original", messages: [{ said: "xxPASVxx\r\n", outcome: "same", about: "" }] };
  const found = { ends, turns: [...turns, hidden, ...turns], exact: true };
  const shows = "SVx";
  const small = minimise(found, "opened", ({ turns }) =>
    turns.map(saidBy).join("").includes(shows) ? { property: "opened", message: "" } : null,
  );
  t.equal(small!.turns.map(saidBy).join(""), shows);
  t.equal(
    minimise({ ends, turns: [hidden], exact: true }, "opened", () => null),
    null,
  );
});

t.test("a finding is kept as JSON and as a capture that replay reads", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "kindred-fuzz-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const held = dialogue(new Random(2, 0), { client: "10.0.0.5", virtual: "1.2.3.4", real: "192.168.0.2" });
  const finding: Finding = { kind: "dialogue", seed: 2, number: 0, property: "opened", message: "it", dialogue: held };
  const ftp = helpers.find(({ name }) => name === "ftp")!;
  const file = join(folder, await keep(finding, ftp, folder));
  t.same(JSON.parse(await readFile(file.replace(".pcapng", ".json"), "utf8")), finding);
  const out: string[] = [];
  const io = { stdout: { write: (text: string) => out.push(text) }, stderr: { write: () => {} } };
  t.equal(await runReplay([file], { json: true }, io), 0);
  const { controls, related } = JSON.parse(out.join(""));
  t.equal(controls.length, 1);
  const offered = held.turns.flatMap(({ messages }) => messages).filter(({ outcome }) => outcome === "announced");
  t.ok(related.length >= offered.length, "what the dialogue announces is there");
});
