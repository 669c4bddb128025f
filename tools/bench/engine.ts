/**
 * The packet engine on one CPU: established flows, connections set up and torn down, memory of an entry, what the
 * garbage collector has to do, FTP replies rewritten; beside a C loop of the same work. Each turn is a process of its own.
 */
import { fileURLToPath } from "node:url";
import { must } from "../lab/process.ts";
import { inSandbox } from "../lab/sandbox.ts";
import { compile } from "./native.ts";
import { MEASURED, pinned } from "./place.ts";
import { compared, type Result } from "./report.ts";
import { type Settings, takeTurns } from "./rounds.ts";

const FLOWS = [1_000, 100_000, 1_000_000];
/** In TIME_WAIT: as many as the cache holds, and more. */
const WAITING = [1024, 65_536];
const MOST = FLOWS.at(-1)!;
const PEER = "C loop";
const program = (name: string): string =>
  fileURLToPath(new URL(`./${name}.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url));
const RUN = program("engine-run");
const CONTROL = program("engine-control");
/** As packaging/tun.conf has it: the table lies in large pages. The C loop's does, too. */
const LARGE_PAGES = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1";
/** Related entries that wait while replies are read. */
const PENDING = [20_000, 200_000];

/** Who hears of decisions, and how the program is told. */
const LISTENERS = [
  ["as a director listens whose log is at warn", ["heard"]],
  ["where nobody listens", []],
] as const;

interface Measured {
  /** Millions a second of CPU time. */
  readonly rate: number;
  /** Of replies alone. */
  readonly replies?: number;
  readonly perEntry?: number;
  readonly grown?: number;
  readonly collections?: number;
}

const measure = async (program: readonly string[], words: readonly string[]): Promise<Measured> =>
  JSON.parse(await must(["env", LARGE_PAGES, ...program, ...words], pinned(MEASURED))) as Measured;

/** Turns a second while `pending` entries wait, and replies alone: the runs of each. `how`: what more the program is told. */
async function mangled(
  pending: number,
  how: readonly string[],
  rounds: number,
): Promise<readonly [turns: number[], replies: number[]]> {
  const replies: number[] = [];
  const turn = async (): Promise<number> => {
    const measured = await measure([process.execPath, CONTROL], [String(pending), ...how]);
    replies.push(measured.replies!);
    return measured.rate;
  };
  const runs = await takeTurns([{ name: "kindred", measure: turn }], rounds);
  // The first turn warms up.
  return [runs.get("kindred")!, replies.slice(1)];
}

export const engine = ({ rounds }: Settings): Promise<Result[]> =>
  inSandbox(async (sandbox) => {
    const loop = await compile(sandbox, "engine-loop");
    const results: Result[] = [];
    /** Of the last turn with the most flows. */
    let steady: Measured | null = null;
    const beside = async (title: string, unit: string, words: readonly string[]): Promise<void> => {
      const kindred = async () => {
        steady = await measure([process.execPath, RUN], words);
        return steady.rate;
      };
      const peer = async () => (await measure([loop], words)).rate;
      const runs = await takeTurns(
        [
          { name: "kindred", measure: kindred },
          { name: PEER, measure: peer },
        ],
        rounds,
      );
      const subject = { case: title, unit, runs: runs.get("kindred")! };
      results.push(compared(subject, { name: PEER, runs: runs.get(PEER)! }));
    };
    const alone = (title: string, unit: string, runs: readonly number[]) =>
      results.push(compared({ case: title, unit, runs }, null));

    for (const waiting of WAITING) {
      const title = `connections set up, torn down, expired, ${waiting.toLocaleString("en")} in TIME_WAIT`;
      await beside(title, "M/s", ["connections", String(waiting)]);
    }
    for (const flows of FLOWS) {
      const title = `60-byte segments, ${flows.toLocaleString("en")} established flows`;
      await beside(title, "M packets/s", ["packets", String(flows)]);
    }
    const { grown, collections } = steady! as Measured;
    alone("heap growth over 10 million packets", "bytes", [grown!]);
    alone("garbage collections over 10 million packets", "", [collections!]);
    for (const pending of PENDING) {
      const waiting = `${pending.toLocaleString("en")} entries pending`;
      for (const [listener, how] of LISTENERS) {
        const [turns, replies] = await mangled(pending, how, rounds);
        alone(`FTP: PASV and its 227 read, announced, rewritten; ${listener}; ${waiting}`, "M/s", turns);
        alone(`FTP: the 227s alone; ${listener}; ${waiting}`, "M/s", replies);
      }
    }
    const { perEntry } = await measure([process.execPath, RUN], ["memory", String(MOST)]);
    alone(`growth of the process for each of ${MOST.toLocaleString("en")} IPv4 flows`, "bytes", [perEntry!]);
    return results;
  });
