/** Single-line replies of the fuzzer, all properties on. `kindred fuzz ftp` runs as many as there is time for. */
import t from "tap";
import { same, server } from "../../../tools/fuzz/generate/ftp/model.ts";
import { SESSION } from "../../../tools/fuzz/generate/ftp/script.ts";
import { Campaign, ftp } from "../../../tools/fuzz/run/campaign.ts";
import { Distinct } from "../../../tools/fuzz/run/distinct.ts";
import { LINE_ENDS, LineFuzzer } from "../../../tools/fuzz/run/lines.ts";

const SEED = 20_261_121;
const SESSIONS = 50;

t.test(`${SESSIONS * SESSION} replies, most of them distinct: every one as the model has it`, async (t) => {
  const distinct = new Distinct();
  const fuzzer = new LineFuzzer(ftp, SEED, (bytes, length) => distinct.add(bytes, length));
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

t.test("the same bytes are counted once", async (t) => {
  const distinct = new Distinct();
  for (const text of ["a", "b", "a", "ab"]) distinct.add(Buffer.from(text), text.length);
  t.equal(distinct.count, 3);
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

t.test("what the time went into is known", async (t) => {
  const fuzzer = new LineFuzzer(ftp, SEED);
  fuzzer.session(0);
  for (const part of ["generation", "inspection", "checking"] as const) t.ok(fuzzer.spent[part] > 0, part);
});
