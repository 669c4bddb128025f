/**
 * Part of `npm run build`: makes the capture that is rehearsed, has it and another replayed, and keeps the code that V8
 * compiled for that.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { writeTraffic } from "./bench/replay-traffic.ts";
import { CODE, compiledReplay, REHEARSAL } from "./compiled.ts";

const CAPTURE = fileURLToPath(new URL("../../fixtures/ftp-own-loopback.pcap", import.meta.url));

const nowhere = { write: () => true };
writeTraffic(REHEARSAL, { packets: 4000, flows: 600, sessions: 10, seed: 1 });
const { script, replay } = compiledReplay()!;
for (const options of [{ json: true }, { explain: true }]) {
  await replay.runReplay([CAPTURE, REHEARSAL], options, { stdout: nowhere, stderr: nowhere });
}
writeFileSync(CODE, script.createCachedData());
