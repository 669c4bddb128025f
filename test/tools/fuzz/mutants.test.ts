/** Ten copies of the FTP helper with a classic bug each: the fuzzer finds every one, within a few of its numbers. */
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import t from "tap";
import { brokenCopy } from "../../../tools/fuzz/mutants/broken.ts";
import { mutants } from "../../../tools/fuzz/mutants/list.ts";
import type { Campaign } from "../../../tools/fuzz/run/campaign.ts";
import type { Finding } from "../../../tools/fuzz/run/inputs.ts";
import { built } from "../../director/process.ts";
import { ROOT } from "../../root.ts";

const BUILT = resolve(ROOT, "dist");
const SEED = 1;
const MOST = 40;

function search(campaign: Campaign): Finding | null {
  for (let number = 0; number < MOST; number++) {
    for (const kind of ["lines", "dialogue", "wild"] as const) {
      const found = campaign.only(kind, number);
      if (found !== null) return found;
    }
  }
  return null;
}

const PROPERTIES: Readonly<Record<string, string>> = {
  "octet-wrap": "opened",
  "unsolicited-227": "opened",
  "armed-by-a-file-name": "opened",
  "split-reply-missed": "segmentation",
  "foreign-address": "opened",
  "port-below-1024": "opened",
  "stale-generation": "outlived",
  "regular-expression-blow-up": "stalled",
  "rewrite-off-by-one": "rewrite",
  "forgotten-telnet-bytes": "rewrite",
};

t.equal(mutants.length, 10);
for (const { name } of mutants) {
  t.test(`${name} is found`, built, async (t) => {
    const { folder, remove } = await brokenCopy(name, BUILT);
    t.teardown(remove);
    const { Campaign } = await import(pathToFileURL(join(folder, "tools", "fuzz", "run", "campaign.js")).href);
    t.equal(search(new Campaign({ seed: SEED }))?.property, PROPERTIES[name]);
  });
}

t.test("the helper itself shows nothing there", async (t) => {
  const { Campaign } = await import("../../../tools/fuzz/run/campaign.ts");
  t.equal(search(new Campaign({ seed: SEED })), null);
});
