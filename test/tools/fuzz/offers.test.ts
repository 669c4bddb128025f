/** Readers look only at lines in which there may be an end: none that they would find one in is passed over. */
import t from "tap";
import { Random } from "../../../tools/fuzz/generate/choices.ts";
import { LineMaker } from "../../../tools/fuzz/generate/ftp/lines.ts";
import { bytesText, textBytes } from "../../../tools/fuzz/hosts/text.ts";
import { mayOffer } from "../../../tools/fuzz/properties/line.ts";
import { offersToClient } from "../../../tools/fuzz/readers/ftp.ts";
import { LINE_ENDS } from "../../../tools/fuzz/run/lines.ts";

const SEED = 20_261_121;
const LINES = 20_000;

t.test(`of ${LINES} changed lines, those with an end in them are all looked at, and few others`, async (t) => {
  const random = new Random(SEED);
  const maker = new LineMaker(random, LINE_ENDS);
  let [offering, looked] = [0, 0];
  for (let i = 0; i < LINES; i++) {
    maker.bend();
    const line = maker.buffer.subarray(0, maker.length);
    const may = mayOffer(line, 0, line.length);
    if (may) looked++;
    if (offersToClient(bytesText(line)).length === 0) continue;
    offering++;
    if (!may) t.fail(JSON.stringify(bytesText(line)));
  }
  t.ok(offering > LINES / 4, `${offering} have an end in them`);
  t.ok(looked < LINES, `${looked} are looked at`);
});

t.test("what telnet bytes and a bare CR hide is looked at, a refusal is not", async (t) => {
  const may = (text: string) => mayOffer(textBytes(text), 0, text.length);
  for (const text of [
    "2\xff\xf127 1,2,3,4,5,6\r\n",
    "229 |\0||5000|\r\n",
    "200 ok\r227 1,2,3,4,5,6\r\n",
    "229 (|||5000|)\n",
  ]) {
    t.ok(offersToClient(text).length > 0);
    t.ok(may(text), JSON.stringify(text));
  }
  for (const text of ["425 Can't open data connection (bad-octet).\r\n", "227 Logout.\r\n", "227 1,2,3,4,5\r\n"])
    t.notOk(may(text));
});
