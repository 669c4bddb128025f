/**
 * Part of `npm run build`: has a capture replayed that has a little of everything, and another, and keeps the code that V8
 * compiled for that.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeTraffic } from "./bench/replay-traffic.ts";
import { CODE, compiledReplay } from "./compiled.ts";

const CAPTURE = fileURLToPath(new URL("../../fixtures/ftp-own-loopback.pcap", import.meta.url));

const nowhere = { write: () => true };
const folder = mkdtempSync(join(tmpdir(), "kindred-compile-"));
const traffic = join(folder, "traffic.pcap");
try {
  writeTraffic(traffic, { packets: 4000, flows: 600, sessions: 10, seed: 1 });
  const { script, replay } = compiledReplay()!;
  for (const options of [{ json: true }, { explain: true }]) {
    await replay.runReplay([CAPTURE, traffic], options, { stdout: nowhere, stderr: nowhere });
  }
  writeFileSync(CODE, script.createCachedData());
} finally {
  rmSync(folder, { recursive: true });
}
