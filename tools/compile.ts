/** Part of `npm run build`: has a capture replayed, and keeps the code that V8 compiled for it. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CODE, compiledReplay } from "./compiled.ts";

const CAPTURE = fileURLToPath(new URL("../../fixtures/ftp-own-loopback.pcap", import.meta.url));

const nowhere = { write: () => true };
const { script, replay } = compiledReplay()!;
for (const options of [{ json: true }, { explain: true }]) {
  await replay.runReplay([CAPTURE], options, { stdout: nowhere, stderr: nowhere });
}
writeFileSync(CODE, script.createCachedData());
