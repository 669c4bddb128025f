/** Reloads under load; `npm run soak -- reload` is the same with thousands of transfers, and on the packet path. */
import { resolve } from "node:path";
import t from "tap";
import { holdsReload, soakReload } from "../../tools/soak/reload.ts";
import { ROOT } from "../root.ts";
import { built } from "./process.ts";

const dist = (file: string): string => resolve(ROOT, "dist", "tools", file);

t.test("500 transfers run through 20 reloads: none is cut, none is wrong", built, async (t) => {
  const summary = await soakReload({
    path: "socket",
    transfers: 500,
    reloads: 20,
    kindred: dist("kindred.js"),
    programs: dist("soak"),
    progress: () => {},
  });
  t.match(summary, { transfers: 500, reloads: 20, carried: 500, failed: 0, failures: [] });
  t.ok(summary.changes > 60, "the reloads were no empty ones");
  t.ok(holdsReload(summary));
  t.notOk(holdsReload({ ...summary, failed: 1 }));
  t.notOk(holdsReload({ ...summary, carried: 499 }));
});
