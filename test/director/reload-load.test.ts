/** Reloads under load; `npm run soak -- reload` is the same with thousands of transfers. */
import { resolve } from "node:path";
import t from "tap";
import { freePort } from "../../tools/demo/realserver.ts";
import { soakReload } from "../../tools/soak/reload.ts";
import { ROOT } from "../root.ts";
import { VIP } from "./live.ts";
import { built } from "./process.ts";

const dist = (file: string): string => resolve(ROOT, "dist", "tools", file);

t.test("500 transfers run through 20 reloads: none is cut, none is wrong", built, async (t) => {
  const summary = await soakReload({
    transfers: 500,
    reloads: 20,
    kindred: dist("kindred.js"),
    server: dist("soak/server.js"),
    port: await freePort(VIP),
    progress: () => {},
  });
  t.match(summary, { transfers: 500, reloads: 20, refused: 0, failed: 0, failures: [] });
  t.ok(summary.changes > 60, "the reloads were no empty ones");
});
