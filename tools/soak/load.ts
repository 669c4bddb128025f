/** New FTP sessions at a steady rate for a long time: none may fail, and the director's memory may not grow. */
import { compile } from "../bench/native.ts";
import { pinning } from "../bench/place.ts";
import { type Machine, machine } from "../bench/report.ts";
import { inSandbox } from "../lab/sandbox.ts";
import { AT_ONCE, type Loaded, load, startFarm } from "./farm.ts";
import { type Memory, memoryOf, sampled, TELLS_COLLECTIONS } from "./memory.ts";

/** Of memory a run shows so many spans: minutes, of ten minutes. */
const SPANS = 10;

export interface LoadOptions {
  readonly rate: number;
  readonly seconds: number;
  /** Seconds of the same load before that, in which memory is not looked at. */
  readonly warmUp: number;
  readonly progress: (line: string) => void;
}

export interface LoadSummary {
  readonly name: "load";
  readonly machine: Machine;
  readonly rate: number;
  readonly seconds: number;
  readonly warmUp: number;
  readonly sessions: Loaded;
  readonly memory: Memory;
}

export const soakLoad = ({ rate, seconds, warmUp, progress }: LoadOptions): Promise<LoadSummary> =>
  inSandbox(async (sandbox) => {
    const described = machine(pinning, [TELLS_COLLECTIONS]);
    const farm = await startFarm(sandbox, { nodeOptions: [TELLS_COLLECTIONS] });
    const program = await compile(sandbox, "ftp-load");
    const warm = await load(program, farm, { seconds: warmUp, atOnce: AT_ONCE, rate });
    progress(`warm: ${warm.perSecond} sessions/s, p99 ${warm.p99Ms} ms, ${warm.failed} failed`);
    const over = new AbortController();
    const [sessions, samples] = await Promise.all([
      load(program, farm, { seconds, atOnce: AT_ONCE, rate }).finally(() => over.abort()),
      sampled(farm, over.signal),
    ]);
    return { name: "load", machine: described, rate, seconds, warmUp, sessions, memory: memoryOf(samples, SPANS) };
  });

/** Every session whole, as many as were wanted, and memory within 5 %. */
export const holdsLoad = ({ sessions, rate, memory: { spread } }: LoadSummary): boolean =>
  sessions.failed === 0 && sessions.perSecond >= 0.99 * rate && spread.rss <= 0.05 && (spread.heap ?? 1) <= 0.05;
