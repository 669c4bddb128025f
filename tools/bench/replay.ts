/**
 * `kindred replay` as a whole process, beside others that read the same file: tcpdump's plain read, which looks at no
 * packet, and two that follow connections. The files are made anew, the same for the same seed. Each is read once before
 * every run: a kernel that reclaims what nobody touched (DAMON) drops half a file while a slow peer has its turn.
 */
import { createReadStream, statSync } from "node:fs";
import { finished } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { locate, run } from "../lab/process.ts";
import { inSandbox } from "../lab/sandbox.ts";
import { writeTraffic } from "./replay-traffic.ts";
import { compared, type Result, ratioOfPairs, round, uncertaintyOfPairs } from "./report.ts";
import { type Settings, takeTurns } from "./rounds.ts";

const KINDRED = fileURLToPath(new URL("../kindred.cjs", import.meta.url));
const SIZES = [1_000_000, 5_000_000, 10_000_000];
const FLOWS = 20_000;
const SESSIONS = 500;
const SEED = 1;
const PATIENCE = 600_000;
/**
 * Rounds of the smallest capture for one of the others. It takes a fifth of a second, and what a machine does to a process
 * that short (its page faults take 0.015 s in some hours of a virtual machine, and 0.05 s in others) changes from run to run.
 */
const MANY = 14;

interface Peer {
  readonly name: string;
  readonly command: (file: string) => readonly string[];
  /** Files of more packets are not given to it; one that is slow reads each once. */
  readonly most: number;
}

const PEERS: readonly Peer[] = [
  {
    name: "tcpdump -nr F -w /dev/null",
    // As root it would give /dev/null to the user that it becomes.
    command: (file) => ["tcpdump", ...(process.getuid?.() === 0 ? ["-Z", "root"] : []), "-nr", file, "-w", "/dev/null"],
    most: Infinity,
  },
  { name: "tcptrace -n F", command: (file) => ["tcptrace", "-n", file], most: 1_000_000 },
  {
    name: "tshark -q -z conv,tcp",
    command: (file) => ["tshark", "-nr", file, "-q", "-z", "conv,tcp"],
    most: 10_000_000,
  },
];

const kindred = (file: string): readonly string[] => [process.execPath, KINDRED, "replay", "--json", file];

/** Seconds from the start of the process to its end. */
async function seconds(command: readonly string[]): Promise<number> {
  const begun = process.hrtime.bigint();
  const { status, stderr } = await run(command, { timeout: PATIENCE });
  const taken = Number(process.hrtime.bigint() - begun) / 1e9;
  if (status !== 0) throw new Error(`${command.join(" ")}: status ${status}\n${stderr}`);
  return taken;
}

/** The whole file is in the page cache after it. */
async function warm(file: string): Promise<void> {
  const chunks = createReadStream(file, { highWaterMark: 1 << 20 });
  chunks.resume();
  await finished(chunks);
}

async function secondsWarm(command: readonly string[], file: string): Promise<number> {
  await warm(file);
  return seconds(command);
}

/** The most memory that the process had, in MB; null: there is no time(1) that says. */
async function peakMegabytes(command: readonly string[]): Promise<number | null> {
  const time = locate("time");
  if (time === null) return null;
  const { stderr } = await run([time, "-f", "%M", ...command], { timeout: PATIENCE });
  const kilobytes = Number(stderr.trim().split("\n").at(-1));
  return Number.isNaN(kilobytes) ? null : kilobytes / 1000;
}

export const replay = (settings: Settings): Promise<Result[]> =>
  inSandbox(async (sandbox) => {
    const results: Result[] = [];
    // Where there are any, Node reads them when it starts, which takes as long as to start, and is nothing of ours.
    delete process.env["NODE_EXTRA_CA_CERTS"];
    for (const packets of SIZES) {
      const file = sandbox.path(`${packets}.pcap`);
      writeTraffic(file, { packets, flows: FLOWS, sessions: SESSIONS, seed: SEED });
      const title = `${packets.toLocaleString("en")} packets, ${Math.round(statSync(file).size / 1e6)} MB`;
      for (const peer of PEERS.filter(({ most }) => packets <= most)) {
        const rounds = peer.most < Infinity ? 1 : settings.rounds * (packets === SIZES[0] ? MANY : 1);
        results.push(await beside(title, file, peer, rounds));
      }
      results.push(await peakMemory(title, file));
    }
    return results;
  });

async function peakMemory(title: string, file: string): Promise<Result> {
  const peak = await peakMegabytes(kindred(file));
  const subject = { case: `peak memory, ${title}`, unit: "MB", runs: peak === null ? [] : [peak] };
  return compared({ ...subject, note: peak === null ? "time(1) is not installed" : undefined }, null);
}

async function beside(title: string, file: string, peer: Peer, rounds: number): Promise<Result> {
  const absent = locate(peer.name.split(" ")[0]!) === null;
  const contestants = [{ name: "kindred", measure: () => secondsWarm(kindred(file), file) }];
  if (!absent) contestants.push({ name: peer.name, measure: () => secondsWarm(peer.command(file), file) });
  const runs = await takeTurns(contestants, rounds);
  const [ours, theirs] = [runs.get("kindred")!, runs.get(peer.name) ?? []];
  const about = round(uncertaintyOfPairs(ours, theirs) ?? 0);
  const note = rounds < MANY ? undefined : `the ratio is the median of those of ${rounds} pairs, ± ${about}`;
  return compared(
    { case: title, unit: "s", runs: ours, note },
    { name: peer.name, runs: theirs, absent: absent ? "not installed" : undefined },
    ratioOfPairs,
  );
}
