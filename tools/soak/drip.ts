/** Thousands of clients that say a byte now and then: what those beside them notice of it. */
import { setTimeout as sleep } from "node:timers/promises";
import { compile } from "../bench/native.ts";
import { LOAD, pinned, pinning } from "../bench/place.ts";
import { type Machine, machine, median, round } from "../bench/report.ts";
import type { Running } from "../lab/process.ts";
import { inSandbox, type Sandbox } from "../lab/sandbox.ts";
import { AT_ONCE, CLIENTS, type Farm, type Loaded, load, metric, startFarm, VIP } from "./farm.ts";

const FIRST_DRIP = "127.0.3.1";

export interface DripOptions {
  /** Slow connections, and seconds from one byte of each to its next. */
  readonly connections: number;
  readonly every: number;
  /** Sessions a second beside them; how long a turn is, and how many there are of each kind. */
  readonly rate: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly progress: (line: string) => void;
}

/** As ftp-drip prints it. */
interface Dripped {
  readonly open: number;
  readonly cut: number;
  readonly bytes: number;
}

export interface DripSummary extends Omit<DripOptions, "progress"> {
  readonly name: "drip";
  readonly machine: Machine;
  /** Turns without slow connections, and with them, in turn. */
  readonly alone: readonly Loaded[];
  readonly beside: readonly (Loaded & { readonly slow: Dripped })[];
  /** Medians of the turns, in ms, and how much the second is above the first: 0.2 is 20 %. */
  readonly p99: { readonly alone: number; readonly beside: number; readonly change: number };
}

export const soakDrip = ({ progress, ...options }: DripOptions): Promise<DripSummary> =>
  inSandbox(async (sandbox) => {
    const described = machine(pinning, []);
    const farm = await startFarm(sandbox);
    const programs = { load: await compile(sandbox, "ftp-load"), drip: await compile(sandbox, "ftp-drip") };
    const { seconds, rate, rounds } = options;
    const turn = (): Promise<Loaded> => load(programs.load, farm, { seconds, atOnce: AT_ONCE, rate });
    await turn(); // The first warms up.
    const alone: Loaded[] = [];
    const beside: (Loaded & { slow: Dripped })[] = [];
    for (let round = 1; round <= rounds; round++) {
      alone.push(await turn());
      const drip = await startDrip(sandbox, programs.drip, farm, options);
      const loaded = await turn();
      beside.push({ ...loaded, slow: await ended(drip) });
      await quiet(farm);
      progress(`round ${round} of ${rounds}: p99 ${alone.at(-1)!.p99Ms} ms alone, ${loaded.p99Ms} ms beside`);
    }
    return { name: "drip", machine: described, ...options, alone, beside, p99: compared(alone, beside) };
  });

/** No session failed, no slow connection was cut, and the 99th percentile is less than 20 % above that without them. */
export const holdsDrip = ({ alone, beside, p99, connections }: DripSummary): boolean =>
  [...alone, ...beside].every(({ failed }) => failed === 0) &&
  beside.every(({ slow }) => slow.open === connections && slow.cut === 0) &&
  p99.change < 0.2;

async function startDrip(
  sandbox: Sandbox,
  program: string,
  { port }: Farm,
  { connections, every }: Pick<DripOptions, "connections" | "every">,
): Promise<Running> {
  const command = [program, VIP, ...[port, connections, CLIENTS].map(String), FIRST_DRIP, String(every)];
  const drip = sandbox.start(command, pinned(LOAD));
  await drip.until(() => drip.stdout.startsWith("dripping"), `dripping with ${connections} connections`);
  return drip;
}

async function ended(drip: Running): Promise<Dripped> {
  drip.write("end\n");
  await drip.exited;
  return JSON.parse(drip.stdout.split("\n")[1]!) as Dripped;
}

/** Until the director has got rid of all connections of the last turn. */
async function quiet(farm: Farm): Promise<void> {
  while ((await metric(farm, "node_ipvs_backend_connections_active")) > 0) await sleep(100);
}

function compared(alone: readonly Loaded[], beside: readonly Loaded[]): DripSummary["p99"] {
  const [before, after] = [alone, beside].map((turns) => median(turns.map(({ p99Ms }) => p99Ms))!) as [number, number];
  return { alone: before, beside: after, change: round(after / before - 1) };
}
