/** What a process of its own has of memory while what it keeps is replaced again and again. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import t from "tap";

/** So many objects live; all of them have lived for long when others take their place. */
const LIVE = 200_000;
const CHURN = `
const [{ keepHeapSteady }, { getHeapSpaceStatistics }] = await Promise.all([import(process.argv[1]), import("node:v8")]);
keepHeapSteady();
const old = (what) => getHeapSpaceStatistics().find(({ space_name }) => space_name === "old_space")[what];
const kept = Array.from({ length: ${LIVE} }, (_, n) => ({ n, of: { n } }));
gc();
const lives = old("space_used_size");
let most = 0;
for (let n = 0; n < 20 * kept.length; n++) {
  kept[n % kept.length] = { n, of: { n } };
  if (n % 10_000 === 0) most = Math.max(most, old("space_size"));
}
console.log(JSON.stringify({ lives, most }));
`;

t.test("garbage of what lived for long stays in proportion to what lives", async (t) => {
  const heap = new URL("../../director/heap.js", import.meta.url).href;
  const node = ["--expose-gc", "--input-type=module", "--eval", CHURN, heap];
  const { stdout } = await promisify(execFile)(process.execPath, node);
  const { lives, most } = JSON.parse(stdout) as { lives: number; most: number };
  t.ok(lives > 40 * LIVE, `${lives} bytes live`);
  t.ok(most < 4 * lives, `${most} bytes at most`);
});
