/** What Wireshark's dissectors make of a capture: a judge that shares no code with what it judges. */
import { setTimeout as sleep } from "node:timers/promises";
import { must, run } from "./process.ts";

/**
 * The fields of each packet that `filter` lets through, in order; a field that comes more than once is separated by
 * commas. `as`: further decodings, as `-d` of tshark has them.
 */
export async function decoded(
  file: string,
  filter: string,
  fields: readonly string[],
  as: readonly string[] = [],
): Promise<string[][]> {
  const output = ["-T", "fields", ...fields.flatMap((field) => ["-e", field])];
  const command = ["tshark", "-n", "-r", file, "-Y", filter, ...as.flatMap((one) => ["-d", one]), ...output];
  const lines = (await must(command)).split("\n");
  return lines.slice(0, -1).map((line) => line.split("\t"));
}

/** How long packets are waited for: generous, since a busy machine is no failure. */
const PATIENCE = 90_000;

/** Waits until so many packets that `filter` lets through are in a capture that still runs. */
export async function untilDecoded(file: string, filter: string, count: number): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    // Its status is that of a file that is cut short, when tcpdump is just writing.
    const { stdout } = await run(["tshark", "-n", "-r", file, "-Y", filter]);
    if (stdout.split("\n").length > count) return;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${count} packets of ${filter}`);
    await sleep(500);
  }
}
