/** What the line fuzzer reads in a reply, in numbers, is what the lenient readers of texts find in it. */
import t from "tap";
import { Random } from "../../../tools/fuzz/generate/choices.ts";
import { LineMaker } from "../../../tools/fuzz/generate/ftp/lines.ts";
import { bytesText, textBytes } from "../../../tools/fuzz/hosts/text.ts";
import { offersToClient } from "../../../tools/fuzz/readers/ftp.ts";
import { endOfLine, isPlain, ReplyReader } from "../../../tools/fuzz/readers/reply.ts";
import { LINE_ENDS } from "../../../tools/fuzz/run/lines.ts";

const SEED = 20_261_121;
const LINES = 20_000;

const reader = new ReplyReader();

/** The ends of the line `text`, as numbers. */
function read(text: string): string[] {
  const bytes = textBytes(text);
  const lf = bytes.length - 1;
  if (isPlain(bytes, 0, lf)) reader.read(bytes, 0, lf);
  else reader.readVeiled(bytes, 0, lf);
  return Array.from({ length: reader.count }, (_, i) => {
    const address = reader.addresses[i]!;
    return `${address >= 0 ? address : "?"} ${reader.ports[i]}`;
  });
}

/** The same by the readers of texts. */
const readAsText = (text: string): string[] =>
  offersToClient(text).map(({ address, port }) => `${numberOf(address)} ${port}`);

function numberOf(address: string | null): string {
  const four = address?.split(".").map(Number) ?? [];
  return four.length === 4 && four.every((one) => one <= 255)
    ? String(four.reduce((sum, one) => sum * 256 + one, 0))
    : "?";
}

t.test(`of ${LINES} changed lines, all ends are found that any peer finds; most are plain`, async (t) => {
  const random = new Random(SEED);
  const maker = new LineMaker(random, LINE_ENDS);
  let [plain, offering, veiled] = [0, 0, 0];
  for (let i = 0; i < LINES; i++) {
    maker.bend();
    const lf = endOfLine(maker.buffer, 0, maker.length);
    if (lf === maker.length) continue;
    const text = bytesText(maker.buffer.subarray(0, lf + 1));
    const found = readAsText(text);
    const isVeiled = !isPlain(maker.buffer, 0, lf);
    if (!isVeiled) plain++;
    if (found.length > 0) offering++;
    if (found.length > 0 && isVeiled) veiled++;
    if (read(text).sort().join() !== found.sort().join())
      t.fail(`${JSON.stringify(text)}: ${read(text)} instead of ${found}`);
  }
  t.ok(plain > LINES / 2, `${plain} are plain`);
  t.ok(offering > LINES / 4, `${offering} have an end in them`);
  t.ok(veiled > LINES / 100, `${veiled} of these are not plain`);
});

t.test("blanks, signs and large numbers as scanf takes them", async (t) => {
  for (const [text, ends] of [
    ["227 1,2,3,4,5,6\r\n", "16909060 1286"],
    ["227 1 ,\t+2,-3, 4,5\v,6 7,8\r\n", "16909060 1286"],
    ["227 (1,2,3,4,0,70000)\r\n", "16909060 70000"],
    ["228 256,2,3,4,5,6 1,2,3,4,5,6\n", "? 1286,16909060 1286"],
    ["229 (|||5000|) xxx+6x\n", "? 5000,? 6"],
    ["229 |||5000\r\n", ""],
    ["226 1,2,3,4,5,6\r\n", ""],
    ["227\n", ""],
    ["22\n", ""],
  ] as const) {
    t.equal(read(text).join(), ends, JSON.stringify(text));
    t.equal(readAsText(text).join(), ends);
  }
});

t.test("what only some peers see is found as they see it", async (t) => {
  for (const text of [
    "200 ok\r227 1,2,3,4,5,6\r\n",
    "227 1,2,3,4,5,6\r229 |||5|\r\r\n",
    "2\x0027 1,2,3,4,5,6\n",
    "22\xff\xf17 1,2,\xff\xfb\x013,4,5,6\n",
    "2\xff\xfa27\xff\xf029 |||5|\n",
    "227 1,2,3,4,5,6\xff\xfa,7\n",
    "229 \xff\xff\xff\xff\xff\xff5\xff\xff\n",
    "200\r\x00227 1,2,3,4,5,6\r\xff\n",
  ]) {
    const found = readAsText(text).sort().join();
    t.not(found, "", JSON.stringify(text));
    t.equal(read(text).sort().join(), found, JSON.stringify(text));
  }
});

t.test("a line is plain where there is nothing that peers differ about", async (t) => {
  const plain = (text: string) => isPlain(textBytes(text), 0, text.length - 1);
  for (const text of ["227 1,2,3,4,5,6\r\n", "227 1\n", "\n", "\xfe\r\n"]) t.ok(plain(text), JSON.stringify(text));
  for (const text of ["2\xff\xf127 1\r\n", "229 |\0||5000|\r\n", "200 ok\r227 1,2\r\n", "200\r\r\n"])
    t.notOk(plain(text), JSON.stringify(text));
});
