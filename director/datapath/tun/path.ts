/**
 * The packet path: sets up the host and starts the thread that forwards; keeps the log, and takes all of it back at the
 * end.
 */
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { closeSync } from "node:fs";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { Ms } from "../../../core/units.ts";
import { now } from "../../clock.ts";
import type { Config } from "../../config.ts";
import { type Log, LogLimit } from "../../log.ts";
import { reasonOf } from "../libc.ts";
import type { Datapath } from "../path.ts";
import { type Calls, EFD_CLOEXEC, EFD_NONBLOCK, loadTunCalls, O_CLOEXEC } from "./calls.ts";
import { packConfig } from "./config.ts";
import { type Offload, openTun, type TunDevice } from "./device.ts";
import { PathError } from "./error.ts";
import { cleanUp, HostChanges } from "./host.ts";
import type { Command, Report, Snapshot, WorkerPlan } from "./messages.ts";
import { giveUpRoot } from "./privileges.ts";
import { changeText, DEVICE, planSetup, type Setup } from "./setup.ts";
import { lookAround } from "./surroundings.ts";

/** The thread's file, in the language that this one is in. */
const WORKER = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);
const FLUSH_EVERY = 250;

export class PacketPath implements Datapath {
  readonly about = { path: "tun", device: DEVICE };
  readonly operated = null;
  readonly failure: Promise<Error>;
  readonly #config: Config;
  readonly #log: LogLimit;
  readonly #host = new HostChanges();
  #calls: Calls | null = null;
  #devices: TunDevice[] = [];
  #wake = -1;
  #nft: { readonly input: number; readonly output: number } | null = null;
  #worker: Worker | null = null;
  #ended: Promise<void> = Promise.resolve();
  #failed: (error: Error) => void = () => {};
  #flusher: NodeJS.Timeout | undefined;
  #snapshots: ((snapshot: Snapshot) => void)[] = [];
  #last: Snapshot = { flows: 0, connections: 0, counters: {} };

  constructor(config: Config, log: Log) {
    this.#config = config;
    this.#log = new LogLimit(log);
    this.failure = new Promise((failed) => {
      this.#failed = failed;
    });
  }

  /** What `start` would do to the host, a command a line. Throws a PathError. */
  static describe(config: Config): string[] {
    const { changes, direct } = planSetup(config, lookAround());
    const devices = [DEVICE, ...direct.values()].map((device) => `ip tuntap add ${device} mode tun vnet_hdr`);
    return [...devices, ...changes.map(changeText)];
  }

  /** Throws a PathError, and then nothing is left changed. */
  async start(): Promise<void> {
    const calls = await loadTunCalls();
    if (typeof calls === "string") throw new PathError(calls, "`npm install koffi@3.3.4`, on Linux");
    this.#calls = calls;
    const left = cleanUp(planSetup(this.#config, lookAround()).changes);
    if (left > 0) this.#log.log("warn", "cleaned-up", { changes: left });
    // Once more: settings may be others now.
    const setup = planSetup(this.#config, lookAround());
    try {
      this.#openDevices(calls, setup);
      this.#host.apply(setup.changes);
      await this.#startWorker(setup);
    } catch (error) {
      this.abort();
      throw error;
    }
    this.#flusher = setInterval(() => this.#log.flush(now()), FLUSH_EVERY);
  }

  confine(): void {
    const reason = giveUpRoot(this.#calls!);
    if (reason !== null) this.#log.log("warn", "still-privileged", { reason });
  }

  async counts(): Promise<Readonly<Record<string, number>>> {
    return (await this.#snapshot()).counters;
  }

  async #snapshot(): Promise<Snapshot> {
    if (this.#worker === null) return this.#last;
    return new Promise((resolve) => {
      this.#snapshots.push(resolve);
      this.#tell({ type: "snapshot" });
    });
  }

  /** Takes no new clients, lets flows finish (for at most the drain time), then ends. */
  async stop(): Promise<void> {
    const { flows, connections } = await this.#snapshot();
    this.#log.log("info", "draining", { flows, connections });
    this.#tell({ type: "drain" });
    const timer = setTimeout(() => this.#tell({ type: "stop" }), this.#config.timeouts.drain);
    await this.#ended;
    clearTimeout(timer);
    this.abort();
  }

  /** Ends at once: takes everything back. What still runs stands still, and its ends give it up. */
  abort(): void {
    clearInterval(this.#flusher);
    this.#host.takeBack();
    const worker = this.#worker;
    this.#worker = null;
    worker?.removeAllListeners("error").removeAllListeners("exit");
    void worker?.terminate();
    for (const { fd } of this.#devices) closeSync(fd);
    // nft ends with its input.
    if (this.#nft !== null) for (const fd of Object.values(this.#nft)) closeSync(fd);
    this.#nft = null;
    this.#devices = [];
    if (this.#wake >= 0) closeSync(this.#wake);
    this.#wake = -1;
    this.#log.flush(Number.POSITIVE_INFINITY as Ms);
  }

  #openDevices(calls: Calls, { direct }: Setup): void {
    const offload = offloadFor(this.#config);
    if (this.#config.offload === "nftables") this.#nft = startNft(calls);
    this.#devices = [];
    for (const name of [DEVICE, ...direct.values()]) this.#devices.push(openTun(calls, name, offload));
    this.#wake = calls.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  }

  #startWorker({ direct, tunnels }: Setup): Promise<void> {
    const fds = new Map(this.#devices.map(({ name, fd }) => [name, fd]));
    const plan: WorkerPlan = {
      config: packConfig(this.#config),
      seed: [randomInt(2 ** 32), randomInt(2 ** 32)],
      fd: fds.get(DEVICE)!,
      wake: this.#wake,
      direct: Object.fromEntries([...direct].map(([real, device]) => [real, fds.get(device)!])),
      offload: this.#nft,
      tunnels,
    };
    const worker = new Worker(WORKER, { workerData: plan });
    this.#worker = worker;
    return new Promise((ready, failed) => {
      // Before it was ready, the one; after that, the other.
      worker.on("error", failed).on("error", this.#failed);
      this.#ended = new Promise((ended) => worker.once("exit", () => ended()));
      worker.on("message", (report: Report) => (report.type === "ready" ? ready() : this.#hear(report)));
    });
  }

  #hear(report: Exclude<Report, { type: "ready" }>): void {
    if (report.type === "events") {
      for (const { level, event, fields } of report.events) this.#log.log(level, event, fields);
      return;
    }
    this.#last = report.snapshot;
    for (const answer of this.#snapshots.splice(0)) answer(report.snapshot);
  }

  #tell(command: Command): void {
    this.#worker?.postMessage(command);
    const one = this.#calls!.memory(8);
    one.bytes.writeBigUInt64LE(1n);
    this.#calls!.write(this.#wake, one.at, 8);
  }
}

/** A standing nft(8): a process for each element would cost milliseconds. */
function startNft(calls: Calls): { readonly input: number; readonly output: number } {
  const [input, output] = [pipe(calls), pipe(calls)];
  const nft = spawn("nft", ["--interactive", "--echo"], { stdio: [input.read, output.write, output.write] });
  nft.on("error", () => {}).unref();
  closeSync(input.read);
  closeSync(output.write);
  return { input: input.write, output: output.read };
}

function pipe(calls: Calls): { readonly read: number; readonly write: number } {
  const ends = calls.memory(8);
  if (calls.pipe2(ends.at, O_CLOEXEC) < 0)
    throw new PathError(`pipe: ${reasonOf(calls.errno())}`, "nothing was changed");
  return { read: ends.bytes.readInt32LE(0), write: ends.bytes.readInt32LE(4) };
}

/**
 * A tunnel wraps whole packets, not what is to be cut up later; and a helper that reads datagrams must see each by
 * itself.
 */
function offloadFor({ services, groups }: Config): Offload {
  const all = [...services, ...groups];
  if (all.some(({ realservers }) => realservers.some(({ method }) => method === "tunnel"))) return "none";
  return all.some(({ ports, helper }) => helper !== null && ports.some(({ transport }) => transport === "udp"))
    ? "tcp"
    : "all";
}
