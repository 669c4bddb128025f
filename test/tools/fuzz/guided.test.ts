/** What coverage finds, what joins the corpus, and what becomes of a thread that never returns. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import t, { type Test } from "tap";
import { Random } from "../../../tools/fuzz/generate/choices.ts";
import { type Dialogue, saidBy, same } from "../../../tools/fuzz/generate/ftp/model.ts";
import { wild } from "../../../tools/fuzz/generate/ftp/wild.ts";
import { bred, type Entry } from "../../../tools/fuzz/guide/corpus.ts";
import { Coverage } from "../../../tools/fuzz/guide/coverage.ts";
import { Guided } from "../../../tools/fuzz/guide/guided.ts";
import { brokenCopy } from "../../../tools/fuzz/mutants/broken.ts";
import type { Inputs } from "../../../tools/fuzz/run/inputs.ts";
import type { WatchOptions } from "../../../tools/fuzz/run/watch.ts";
import { built } from "../../director/process.ts";
import { ROOT } from "../../root.ts";

const DIST = resolve(ROOT, "dist");

/** A lock that opens a digit at a time. */
const LOCK = `export function open(text) {
  if (text[0] === "4") {
    if (text[1] === "7") {
      if (text[2] === "1") {
        return "open";
      }
      return "two";
    }
    return "one";
  }
  return "none";
}
// `;
let modules = 0;
const lock = async () => {
  const url = `data:text/javascript,${encodeURIComponent(LOCK + modules++)}`;
  const coverage = new Coverage((one) => one === url);
  const { open } = (await import(url)) as { open: (text: string) => string };
  return { coverage, open };
};

t.test("a block that runs is news once, and each block is counted once", async (t) => {
  const { coverage, open } = await lock();
  t.teardown(() => coverage.end());
  const reached = (text: string) => {
    open(text);
    const ran = coverage.take();
    const news = coverage.isNews(ran);
    coverage.keep(ran);
    return [news, coverage.blocks.reached];
  };
  const [first, some] = reached("000") as [boolean, number];
  t.equal(first, true);
  t.same(reached("999"), [false, some]);
  const [deeper, more] = reached("400") as [boolean, number];
  t.equal(deeper, true);
  t.ok(more > some);
  t.ok(coverage.blocks.known > more, "the block of 47 is known, and was not reached");
  t.equal(reached("479")[0], true);
  t.equal(reached("471")[0], true);
  t.equal(coverage.blocks.reached, coverage.blocks.known);
});

/** Inputs of four digits for the lock. */
class Digits implements Inputs {
  executions = 0;
  dialogues = 0;
  readonly corpus: Entry[] = [];
  opened = false;
  readonly #open: (text: string) => string;
  readonly #breeds: boolean;
  #said: Dialogue = digits("");

  constructor(open: (text: string) => string, breeds: boolean) {
    this.#open = open;
    this.#breeds = breeds;
  }

  planned(step: number) {
    return ["bred", step] as const;
  }

  only(_kind: string, number: number) {
    const random = new Random(1, number);
    const breeds = this.#breeds && this.corpus.length > 0;
    return this.hold(
      "bred",
      number,
      wild(breeds ? bred(this.corpus, random) : digits("0000"), random, [..."0123456789"], 0),
    );
  }

  hold(_kind: string, _number: number, dialogue: Dialogue) {
    this.executions++;
    this.#said = dialogue;
    if (this.#open(dialogue.turns.map(saidBy).join("")) === "open") this.opened = true;
    return null;
  }

  said() {
    return this.#said;
  }
}

const digits = (said: string): Dialogue => ({
  ends: { client: "10.0.0.5", virtual: "1.2.3.4", real: "192.168.0.2" },
  turns: [{ speaker: "original", messages: [same(said, "digits")] }],
  exact: false,
});

const guide = (coverage: Coverage, inputs: Inputs, most: number) => {
  const joined: Entry[] = [];
  const dropped: string[] = [];
  const hooks = {
    found: () => {},
    joined: (entry: Entry) => joined.push(entry),
    dropped: (name: string) => dropped.push(name),
    goesOn: () => inputs.executions < most,
    covered: () => {},
  };
  return { guided: new Guided({ inputs, coverage, seed: 1, from: 0, hooks }), joined, dropped };
};

t.test("what reaches something new joins, and what is bred from it gets deeper than what is not", async (t) => {
  const most = 4000;
  const { coverage, open } = await lock();
  t.teardown(() => coverage.end());
  const inputs = new Digits(open, true);
  const { guided, joined } = guide(coverage, inputs, most);
  guided.run();
  t.ok(inputs.opened);
  t.same(
    joined.map(({ dialogue }) => open(dialogue.turns.map(saidBy).join(""))),
    ["none", "one", "two", "open"],
    "one for each block, in a batch of hundreds, too",
  );
  const plain = new Digits(open, false);
  for (let i = 0; i < most; i++) plain.only("bred", i);
  t.equal(plain.opened, false);
});

t.test("of a corpus, what reaches nothing that smaller ones do not is dropped", async (t) => {
  const { coverage, open } = await lock();
  t.teardown(() => coverage.end());
  const entry = (said: string): Entry => ({ name: said, dialogue: digits(said) });
  const inputs = new Digits(open, true);
  const { guided, dropped } = guide(coverage, inputs, 0);
  guided.begin([entry("4000000"), entry("4999"), entry("471"), entry("0")]);
  t.same(
    inputs.corpus.map(({ name }) => name),
    ["0", "471", "4999"],
  );
  t.same(dropped, ["4000000"]);
});

const folder = async (t: Test) => {
  const path = await mkdtemp(join(tmpdir(), "kindred-fuzz-"));
  t.teardown(() => rm(path, { recursive: true }));
  return path;
};

t.test("the same seed makes the same corpus, which is kept, and begun with", built, async (t) => {
  const { runFuzz } = await import(resolve(ROOT, "dist/tools/fuzz.js"));
  const run = async (corpus: string) => {
    const out: string[] = [];
    const io = { stdout: { write: (text: string) => out.push(text) }, stderr: { write: () => {} } };
    t.equal(await runFuzz("ident", { executions: 40, seed: 3, corpus, json: true }, io), 0);
    return JSON.parse(out.join("")).coverage as { reached: number; known: number; corpus: number };
  };
  const [one, other] = [await folder(t), await folder(t)];
  const first = await run(one);
  t.ok(first.reached > 0 && first.reached < first.known && first.corpus > 2);
  await run(other);
  const names = await readdir(join(one, "ident"));
  t.same(await readdir(join(other, "ident")), names);
  t.equal(names.length, first.corpus);
  const again = await run(one);
  t.ok(again.corpus > 2 && again.reached > 0);
});

const watched = async (t: Test, mutant: string, patience: number, findings: number) => {
  const { folder, remove } = await brokenCopy(mutant, DIST);
  t.teardown(remove);
  const { watch } = (await import(resolve(ROOT, "dist/tools/fuzz/run/watch.js"))) as {
    watch: typeof import("../../../tools/fuzz/run/watch.ts").watch;
  };
  const nothing = () => {};
  const plan = {
    helper: "ftp",
    seed: 1,
    onlyLines: false,
    whole: false,
    guided: false,
    only: null,
    held: null,
    corpus: [],
  };
  const options: WatchOptions = {
    plan: { ...plan, executions: 1e9 },
    root: folder,
    seconds: 60,
    findings,
    patience,
    show: nothing,
    stopped: () => false,
    joined: nothing,
    dropped: nothing,
  };
  return (await watch(options)).findings;
};

t.test(
  "a helper that never returns is a finding with what was said to it, and the run goes on behind it",
  built,
  async (t) => {
    const found = await watched(t, "never-returns", 1, 2);
    t.match(found, [{ property: "stalled" }, { property: "stalled" }]);
    t.not(`${found[0]!.kind}/${found[0]!.number}`, `${found[1]!.kind}/${found[1]!.number}`);
    for (const { dialogue } of found) t.match(dialogue.turns.map(saidBy).join(""), /227[^\n]{50}/);
  },
);

t.test("so is one that takes all memory", built, async (t) => {
  t.match(await watched(t, "holds-all", 30, 1), [{ property: "grew" }]);
});
