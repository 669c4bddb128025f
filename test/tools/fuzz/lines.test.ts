/** Single-line replies of the fuzzer, all properties on. `kindred fuzz ftp` runs as many as there is time for. */
import t from "tap";
import { ftp } from "../../../tools/fuzz/run/campaign.ts";
import { Distinct } from "../../../tools/fuzz/run/distinct.ts";
import { LineFuzzer, SESSION } from "../../../tools/fuzz/run/lines.ts";

const SEED = 20_261_121;
const SESSIONS = 200;

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

t.test("the same bytes are counted once", async (t) => {
  const distinct = new Distinct();
  for (const text of ["a", "b", "a", "ab"]) distinct.add(Buffer.from(text), text.length);
  t.equal(distinct.count, 3);
});
