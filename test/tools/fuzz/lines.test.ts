/** Single-line replies of the fuzzer, all properties on. `kindred fuzz ftp` runs as many as there is time for. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import t from "tap";
import { Random } from "../../../tools/fuzz/generate/choices.ts";
import { LineMaker } from "../../../tools/fuzz/generate/ftp/lines.ts";
import { same, server } from "../../../tools/fuzz/generate/ftp/model.ts";
import { Script, SESSION } from "../../../tools/fuzz/generate/ftp/script.ts";
import { Campaign, ftp } from "../../../tools/fuzz/run/campaign.ts";
import { DISTINCT_BYTES, Distinct } from "../../../tools/fuzz/run/distinct.ts";
import { LINE_ENDS, LineFuzzer } from "../../../tools/fuzz/run/lines.ts";
import { perform } from "../../../tools/fuzz/run/perform.ts";
import { Shared } from "../../../tools/fuzz/run/shared.ts";
import { built } from "../../director/process.ts";
import { ROOT } from "../../root.ts";

const SEED = 20_261_121;
const SESSIONS = 50;
const WHOLE = resolve(ROOT, "dist", "tools", "fuzz", "run", "whole.js");

t.test(`${SESSIONS * SESSION} replies, most of them distinct: every one as the model has it`, async (t) => {
  const distinct = new Distinct();
  const fuzzer = new LineFuzzer(ftp, SEED, (bytes, ends, count) => distinct.addAll(bytes, ends, count));
  for (let number = 0; number < SESSIONS; number++) {
    const found = fuzzer.session(number);
    if (found !== null) t.fail(`session ${number}: ${found.property}: ${found.message}`);
  }
  t.ok(distinct.count > SESSIONS * SESSION * 0.9, `${distinct.count} distinct`);
});

t.test("a session is the same each time", async (t) => {
  const said = (fuzzer: LineFuzzer) => JSON.stringify(fuzzer.turns.map(([, bytes]) => [...bytes]));
  const [one, other] = [new LineFuzzer(ftp, SEED), new LineFuzzer(ftp, SEED)];
  one.session(1);
  one.session(7);
  other.session(7);
  t.equal(said(one), said(other));
});

t.test("one session of four is bred from the realserver's lines of the corpus, where there are any", async (t) => {
  const campaign = new Campaign({ seed: SEED, onlyLines: true });
  const planned = () => Array.from({ length: 8 }, (_, step) => campaign.planned(step)[0]);
  t.notOk(planned().includes("bred-lines"));
  const turns = [server(same("299 a marker that is not of the grammar\r\n", "a reply"))];
  campaign.corpus.push({ name: "one", dialogue: { ends: LINE_ENDS, turns, exact: false } });
  t.equal(planned().filter((kind) => kind === "bred-lines").length, 2);
  t.equal(campaign.only("bred-lines", 3), null);
  const text = JSON.stringify(campaign.said());
  t.ok(text.split("marker").length > 10, "lines of it");
  t.ok(text.split("227 ").length > 5, "and of the grammar");
  campaign.only("lines", 3);
  t.notMatch(JSON.stringify(campaign.said()), /marker/);
});

t.test("questions that no reply answered are not asked again, but in some sessions", async (t) => {
  const random = new Random(SEED);
  const maker = new LineMaker(random, LINE_ENDS);
  const script = new Script();
  const asked = Array.from({ length: 64 }, (_, number) => {
    random.seed(SEED, number);
    script.make(maker, random, false);
    return script.questionCount;
  });
  t.ok(asked.some((count) => count === SESSION));
  t.ok(
    asked.some((count) => count === 0),
    "and some never ask",
  );
  t.ok(asked.filter((count) => count < SESSION).length > 32);
  t.ok(asked.every((count) => count === 0 || (count <= SESSION && count > SESSION / 4)));
});

t.test("the same bytes are counted once", async (t) => {
  const distinct = new Distinct();
  for (const text of ["a", "b", "a", "ab"]) distinct.add(Buffer.from(text), text.length);
  t.equal(distinct.count, 3);
  // "a", "ac", "", "b", "", and what is not among them
  distinct.addAll(Buffer.from("aacb!"), Int32Array.of(1, 3, 3, 4, 4), 5);
  t.equal(distinct.count, 5);
});

/** The FTP helper, which does something more with what it reads. */
const ftpThat = (does: (payload: Uint8Array) => void): typeof ftp => ({
  ...ftp,
  open: (connection, settings) => {
    const inspector = ftp.open(connection, settings);
    return {
      ...inspector,
      inspect: (payload, direction, actions) => {
        does(payload);
        return inspector.inspect(payload, direction, actions);
      },
    };
  },
});

t.test("a regular expression on payload is found in the first session", async (t) => {
  const fuzzer = new LineFuzzer(
    ftpThat((payload) => /(a+)+b/.test(`${payload.length}`)),
    SEED,
  );
  t.match(fuzzer.session(0), { property: "stalled", message: /\(a\+\)\+b/ });
});

t.test("what is cut otherwise and comes out otherwise is a matter of segmentation, and not of hosts", async (t) => {
  // Whoever is shown an odd number of bytes, and no whole line, lets go of them.
  const broken: typeof ftp = {
    ...ftp,
    open: (connection, settings) => {
      const inspector = ftp.open(connection, settings);
      return {
        inspect: (payload, direction, actions) => {
          const seen = inspector.inspect(payload, direction, actions);
          return seen.consumed === 0 && payload.length % 2 === 1 ? { ...seen, consumed: payload.length } : seen;
        },
      };
    },
  };
  const fuzzer = new LineFuzzer(broken, SEED);
  t.match(fuzzer.session(0), { property: "segmentation" });
});

t.test("the one module that the build makes of a run comes to the same as its parts", built, async (t) => {
  const whole = (await import(pathToFileURL(WHOLE).href)) as { perform: typeof perform };
  const run = (one: typeof perform): number[] => {
    const shared = new Shared();
    const distinct = new SharedArrayBuffer(DISTINCT_BYTES);
    const plan = { helper: "ftp", seed: SEED, onlyLines: true, whole: false, guided: false, only: null, held: null };
    const memory = { corpus: [], shared: shared.buffer, distinct };
    one({ ...plan, ...memory, executions: 4 * SESSION }, null, (report) => t.fail(JSON.stringify(report)));
    return [shared.figure("executions"), shared.figure("distinct")];
  };
  const figures = run(perform);
  t.same(run(whole.perform), figures);
  t.ok(figures[0]! >= 4 * SESSION);
});

t.test("what the time went into is known", async (t) => {
  const fuzzer = new LineFuzzer(ftp, SEED);
  fuzzer.session(0);
  for (const part of ["generation", "inspection", "checking"] as const) t.ok(fuzzer.spent[part] > 0, part);
});
