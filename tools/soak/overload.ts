/** More sessions than the director can carry: as many as it can are served, whole and in time; the rest never begin. */
import { compile } from "../bench/native.ts";
import { pinning } from "../bench/place.ts";
import { type Machine, machine, round } from "../bench/report.ts";
import { inSandbox } from "../lab/sandbox.ts";
import { type Loaded, load, startFarm } from "./farm.ts";

/** Sessions that follow one another without a pause show what it can carry. */
const LANES = 64;
/** So many may wait that none of those who come has to wait for his turn to come. */
const AT_ONCE = 9000;
/**
 * Milliseconds for the session of one who is served, his wait included: a second for his turn, and more on `net`, where the
 * kernel lets him try again after one second and after three.
 */
const BEARABLE = { epoll: 2000, net: 4000 } as const;

export interface OverloadOptions {
  readonly backend: "net" | "epoll";
  /** Sessions a second, in multiples of what it can carry. */
  readonly factor: number;
  /** Of each part. */
  readonly seconds: number;
  readonly progress: (line: string) => void;
}

export interface OverloadSummary extends Omit<OverloadOptions, "progress"> {
  readonly name: "overload";
  readonly machine: Machine;
  /** What it carries, when nobody comes before another has gone. */
  readonly capacity: Loaded;
  /** Sessions a second that came then. */
  readonly rate: number;
  readonly beyond: Loaded;
  /**
   * How much of what it can carry was served then: by the clock, and by its own CPU time, which says the same on a machine
   * where others work too.
   */
  readonly served: { readonly byClock: number; readonly byCpu: number };
  /** And of half of what it can carry, when that was over. */
  readonly after: Loaded;
}

export const soakOverload = ({ progress, ...options }: OverloadOptions): Promise<OverloadSummary> =>
  inSandbox(async (sandbox) => {
    const { backend, factor, seconds } = options;
    const described = machine(pinning, []);
    const farm = await startFarm(sandbox, { backend });
    const program = await compile(sandbox, "ftp-load");
    await load(program, farm, { seconds, atOnce: LANES }); // The first warms up.
    const capacity = await load(program, farm, { seconds, atOnce: LANES });
    progress(`${backend} carries ${capacity.perSecond} sessions/s`);
    const rate = Math.round(factor * capacity.perSecond);
    const beyond = await load(program, farm, { seconds, atOnce: AT_ONCE, rate });
    progress(`of ${rate} sessions/s ${beyond.perSecond} were served, ${beyond.turnedAway} in all turned away`);
    const after = await load(program, farm, { seconds, atOnce: AT_ONCE, rate: Math.round(capacity.perSecond / 2) });
    const served = {
      byClock: round(beyond.perSecond / capacity.perSecond),
      byCpu: round(aCpu(beyond) / aCpu(capacity)),
    };
    return { name: "overload", machine: described, ...options, capacity, rate, beyond, served, after };
  });

/** Sessions for each second of CPU time. */
const aCpu = ({ perSecond, busy }: Loaded): number => perSecond / busy;

/** Nearly as many were served as could be; who was greeted was served; nobody had to wait long; and then all was well. */
export const holdsOverload = ({ backend, served, beyond, after }: OverloadSummary): boolean =>
  served.byClock >= 0.8 &&
  beyond.failed === beyond.turnedAway &&
  beyond.p99Ms <= BEARABLE[backend] &&
  after.failed === 0;
