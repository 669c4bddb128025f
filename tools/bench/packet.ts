/**
 * The packet path beside the kernel's own NAT (nftables, with nf_conntrack_ftp), each with a farm of its own of the same
 * shape: client, director and realserver in namespaces. They take turns; who has none is idle.
 */
import { readFileSync } from "node:fs";
import { locate } from "../lab/process.ts";
import { inSandbox, type Sandbox } from "../lab/sandbox.ts";
import type { Farm, Host } from "../lab/topology.ts";
import { compile } from "./native.ts";
import {
  ANSWER,
  BESIDE,
  BULK,
  type Contender,
  FIRST_SOURCE,
  FTP,
  KERNEL,
  KINDRED,
  LOOP,
  LOOP_BESIDE,
  OFFLOADED,
  SINK,
  SOURCES,
  type Subject,
  startKernel,
  startKindred,
  startLoop,
} from "./packet-farms.ts";
import { LOAD, pinned } from "./place.ts";
import { compared, median, type Result, ratioOfPairs, round, uncertaintyOfPairs } from "./report.ts";
import { type Contestant, type Settings, takeTurns } from "./rounds.ts";

const PORTS = [FTP, ANSWER];
const CONCURRENCY = 64;
const STREAMS = 1;
/** The first cases are of plain services: bulk, and new connections. */
const OFFLOADABLE = 4;

interface Programs {
  readonly bulk: string;
  readonly load: string;
  readonly ftpLoad: string;
  readonly ftpServer: string;
  readonly tunLoop: string;
}

export const packet = (settings: Settings): Promise<Result[]> =>
  inSandbox(async (sandbox) => {
    const programs = {
      bulk: await compile(sandbox, "bulk"),
      load: await compile(sandbox, "packet-load"),
      ftpLoad: await compile(sandbox, "ftp-load"),
      ftpServer: await compile(sandbox, "ftp-server"),
      tunLoop: await compile(sandbox, "tun-loop"),
    };
    const cases = CASES.filter(({ name }) => name.includes(settings.only));
    const contenders = new Map<string, Contender>();
    for (const name of new Set(cases.flatMap(contendersOf))) {
      const farm = await start(sandbox, name, programs);
      await startServers(farm, programs);
      contenders.set(name, { name, farm });
    }
    const results: Result[] = [];
    for (const test of cases) {
      const these = contendersOf(test).flatMap((name) => contenders.get(name) ?? []);
      if (these[0]?.name === test.subject) results.push(...(await compete(test, these, programs, settings)));
    }
    return results;
  });

const hasNft = locate("nft") !== null;

/** The case's subject, whom it is compared with, and what bounds it. */
function contendersOf({ subject, floor }: Case): readonly string[] {
  if (!hasNft) return subject === OFFLOADED ? [] : [subject];
  return [subject, KERNEL, ...(floor === undefined ? [] : [floor])];
}

function start(sandbox: Sandbox, name: string, { tunLoop }: Programs): Promise<Farm> {
  if (name === KERNEL) return startKernel(sandbox);
  if (name === LOOP || name === LOOP_BESIDE) return startLoop(sandbox, name, tunLoop);
  return startKindred(sandbox, name as Subject);
}

interface Case {
  readonly name: string;
  /** Who is beside the kernel's own NAT. */
  readonly subject: Subject;
  /** The same way with as little as can be done on it: what it adds to the kernel's own is the least that can be added. */
  readonly floor?: typeof LOOP | typeof LOOP_BESIDE;
  /** Many short turns instead of a few long ones: the difference is smaller than what a machine does by itself. */
  readonly close?: true;
  readonly unit: string;
  measure(contender: Contender, programs: Programs, seconds: number): Promise<number>;
}

const json = async <T>(host: Host, command: readonly string[]): Promise<T> =>
  JSON.parse(await host.must(command, pinned(LOAD))) as T;
const clientOf = ({ clients }: Farm): Host => clients[0]!;
const firstSource = ({ vip }: Farm): string => vip.replace(/\d+$/, String(FIRST_SOURCE));

/** Gigabits a second. */
async function bulk({ farm }: Contender, { bulk }: Programs, verb: string, seconds: number): Promise<number> {
  const command = [bulk, verb, farm.vip, String(BULK), String(seconds), String(STREAMS)];
  return (await json<{ gigabits: number }>(clientOf(farm), command)).gigabits;
}

/**
 * A server of its own for each turn. Two that run the same program differ by some percent as long as they run: by where
 * their buffers lie in memory, and so in the processor's cache.
 */
async function besideServer({ farm }: Contender, { bulk }: Programs, measure: () => Promise<number>): Promise<number> {
  const [real] = farm.realservers as [Host];
  const server = real.start([bulk, "serve", real.address, String(BULK)], pinned(LOAD));
  await server.listening(BULK);
  const measured = await measure();
  await server.end();
  return measured;
}

async function latency(
  { farm }: Contender,
  { load }: Programs,
  seconds: number,
): Promise<{ median: number; p99: number }> {
  return json(clientOf(farm), [load, "noop", farm.vip, String(FTP), String(seconds)]);
}

const MICROSECONDS = "µs";

type EngineCase = Pick<Case, "name" | "unit" | "measure">;

const ENGINE_CASES: readonly EngineCase[] = [
  {
    name: "bulk get",
    unit: "Gb/s",
    measure: (contender, programs, seconds) =>
      besideServer(contender, programs, () => bulk(contender, programs, "get", seconds)),
  },
  {
    name: "bulk put",
    unit: "Gb/s",
    measure: (contender, programs, seconds) =>
      besideServer(contender, programs, () => bulk(contender, programs, "put", seconds)),
  },
  {
    name: "CPU, bulk get",
    unit: "CPU s/Gb",
    // Of the whole machine: the kernel's work is nobody's process.
    measure: (contender, programs, seconds) =>
      besideServer(contender, programs, async () => {
        const before = busySeconds();
        const gigabits = await bulk(contender, programs, "get", seconds);
        return (busySeconds() - before) / (gigabits * seconds);
      }),
  },
  {
    name: `new connections, ${CONCURRENCY} at once`,
    unit: "1/s",
    measure: async ({ farm }, { load }, seconds) => {
      const sources = [firstSource(farm), String(SOURCES)];
      const command = [load, "connect", farm.vip, String(ANSWER), String(seconds), String(CONCURRENCY), ...sources];
      return (await json<{ perSecond: number }>(clientOf(farm), command)).perSecond;
    },
  },
  {
    name: `FTP sessions, ${CONCURRENCY} at once`,
    unit: "1/s",
    measure: async ({ farm }, { ftpLoad }, seconds) => {
      const sources = [String(SOURCES), firstSource(farm)];
      const command = [ftpLoad, farm.vip, String(FTP), String(seconds), String(CONCURRENCY), ...sources];
      return (await json<{ perSecond: number }>(clientOf(farm), command)).perSecond;
    },
  },
  {
    name: "UDP frames of 64 bytes",
    unit: "1/s",
    measure: async ({ farm }, { load }, seconds) => {
      const before = await framesInto(farm.realservers[0]!);
      await json(clientOf(farm), [load, "flood", farm.vip, String(SINK), String(seconds)]);
      return ((await framesInto(farm.realservers[0]!)) - before) / seconds;
    },
  },
  {
    name: "FTP command and reply, median",
    unit: MICROSECONDS,
    measure: async (contender, programs, seconds) => (await latency(contender, programs, seconds)).median,
  },
  {
    name: "FTP command and reply, 99 %",
    unit: MICROSECONDS,
    measure: async (contender, programs, seconds) => (await latency(contender, programs, seconds)).p99,
  },
];

const isLatency = ({ unit }: EngineCase): boolean => unit === MICROSECONDS;

const CASES: readonly Case[] = [
  ...ENGINE_CASES.map((one): Case => ({ ...one, subject: KINDRED, ...(isLatency(one) ? { floor: LOOP } : {}) })),
  ...ENGINE_CASES.slice(0, OFFLOADABLE).map(
    (one): Case => ({ ...one, name: `${one.name}, offload`, subject: OFFLOADED, close: true }),
  ),
  ...ENGINE_CASES.filter(isLatency).map(
    (one): Case => ({ ...one, name: `${one.name}, one CPU`, subject: BESIDE, floor: LOOP_BESIDE }),
  ),
];

/** Turns where it is close. */
const CLOSE = { rounds: 60, seconds: 0.4 };

async function compete(
  { name, unit, subject, floor, close, measure }: Case,
  contenders: readonly Contender[],
  programs: Programs,
  settings: Settings,
): Promise<Result[]> {
  const rounds = close ? Math.max(settings.rounds, CLOSE.rounds) : settings.rounds;
  const seconds = close ? Math.min(settings.seconds, CLOSE.seconds) : settings.seconds;
  const contestants = contenders.map(
    (contender): Contestant => ({ name: contender.name, measure: () => measure(contender, programs, seconds) }),
  );
  const runs = await takeTurns(contestants, rounds);
  const [ours, kernels] = [runs.get(subject)!, runs.get(KERNEL) ?? []];
  const about = round(uncertaintyOfPairs(ours, kernels) ?? 0);
  const pairs = `the ratio is the median of those of ${rounds} pairs of turns of ${seconds} s, ± ${about}`;
  const note = close ? pairs : undefined;
  const absent = contenders.length < 2 ? "nft is not installed" : undefined;
  const peer = { name: KERNEL, runs: kernels, absent };
  const result = compared({ case: name, unit, runs: ours, note }, peer, ratioOfPairs);
  const floors = floor === undefined ? undefined : runs.get(floor);
  return floors === undefined ? [result] : [result, added(result, floor!, ours, floors, kernels)];
}

/** What is added to the kernel's own, beside what the least that can be done adds. */
function added(
  { case: name, unit }: Result,
  floor: string,
  ours: readonly number[],
  floors: readonly number[],
  kernels: readonly number[],
): Result {
  const less = (these: readonly number[], those: readonly number[]): number[] => these.map((one, i) => one - those[i]!);
  const note = `${round(median(less(ours, floors))!)} ${unit} more than the bare loop`;
  const subject = { case: `${name}, added to the kernel's`, unit, runs: less(ours, kernels), note };
  return compared(subject, { name: floor, runs: less(floors, kernels) });
}

async function startServers({ realservers }: Farm, { load, ftpServer }: Programs): Promise<void> {
  const [real] = realservers as [Host];
  const commands = [
    [ftpServer, real.address, String(FTP)],
    [load, "answer", String(ANSWER)],
  ];
  for (const [i, command] of commands.entries()) await real.start(command, pinned(LOAD)).listening(PORTS[i]!);
  await real.start([load, "sink", String(SINK)], pinned(LOAD)).listening(SINK, "udp");
}

async function framesInto({ must }: Host): Promise<number> {
  return Number(await must(["cat", "/sys/class/net/eth0/statistics/rx_packets"]));
}

/** proc_stat(5): all CPUs' user, nice, system, irq and softirq time, in hundredths of a second. */
function busySeconds(): number {
  const [, user, nice, system, , , irq, softirq] = readFileSync("/proc/stat", "latin1")
    .split("\n")[0]!
    .split(/\s+/)
    .map(Number);
  return (user! + nice! + system! + irq! + softirq!) / 100;
}
