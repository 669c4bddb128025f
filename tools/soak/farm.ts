/** What the long runs of load run against: a director on its socket path, with servers that do nothing but the protocol. */
import { request } from "node:http";
import { compile } from "../bench/native.ts";
import { freePorts, LOAD, MEASURED, pinned } from "../bench/place.ts";
import { round } from "../bench/report.ts";
import { startDirector } from "../lab/director.ts";
import { type Running, run } from "../lab/process.ts";
import type { Sandbox } from "../lab/sandbox.ts";

export const VIP = "127.0.0.2";
/** The director connects to them from one address: to one realserver it would run out of ports. */
const REALS = ["127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.1.4"];
const FIRST_CLIENT = "127.0.2.1";
/** Clients' addresses, for the same reason. */
export const CLIENTS = 32;
/** Sessions that may be open at once before new ones have to wait. */
export const AT_ONCE = 1000;

export interface FarmOptions {
  readonly nodeOptions?: readonly string[];
  readonly backend?: "auto" | "net" | "epoll";
}

export interface Farm {
  readonly director: Running;
  readonly port: number;
  /** Of the director's control interface. */
  readonly socket: string;
}

export async function startFarm(
  sandbox: Sandbox,
  { nodeOptions = [], backend = "auto" }: FarmOptions = {},
): Promise<Farm> {
  const [port, real] = (await freePorts(2)) as [number, number];
  const server = await compile(sandbox, "ftp-server");
  const realservers = REALS.map((address) => ({ address, port: real }));
  for (const { address } of realservers) {
    await sandbox.start([server, address, String(real)], pinned(LOAD)).listening(real);
  }
  const socket = sandbox.path("control.sock");
  const config = {
    services: [{ name: "ftp", vip: VIP, ports: [`tcp/${port}`], helper: "ftp", scheduler: "wlc", realservers }],
    helpers: { ftp: { ports: [port] } },
    log: { level: "warn", format: "json" },
    control: { socket },
    backend,
  };
  const director = startDirector(sandbox, config, sandbox.start.bind(sandbox), { ...pinned(MEASURED), nodeOptions });
  await director.listening(port);
  return { director, port, socket };
}

/** As ftp-load prints it, and what the director had to do for it. */
export interface Loaded {
  readonly perSecond: number;
  readonly done: number;
  readonly failed: number;
  /** Of these: that were never greeted. */
  readonly turnedAway: number;
  /** From when a session was due to its end. */
  readonly medianMs: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** Its CPU time for each of them, in ms; and how much of a CPU it had. */
  readonly cpuMs: number;
  readonly busy: number;
}

export interface LoadWanted {
  readonly seconds: number;
  readonly atOnce: number;
  /** Sessions a second; without, a new one begins when another is over, and there are `atOnce` all the time. */
  readonly rate?: number;
}

/** Sessions through the director, each of them log-in, PASV, a transfer and QUIT. */
export async function load(program: string, farm: Farm, { seconds, atOnce, rate }: LoadWanted): Promise<Loaded> {
  const [before, began] = [await metric(farm, CPU), performance.now()];
  const numbers = [farm.port, seconds, atOnce, CLIENTS].map(String);
  const paced = rate === undefined ? [] : [String(rate)];
  const command = [program, VIP, ...numbers, FIRST_CLIENT, ...paced];
  const { status, stdout, stderr } = await run(command, { ...pinned(LOAD), timeout: (seconds + 60) * 1000 });
  if (status !== 0) throw new Error(`ftp-load: ${stderr}`);
  const loaded = JSON.parse(stdout) as Omit<Loaded, "cpuMs" | "busy">;
  const spentMs = ((await metric(farm, CPU)) - before) * 1000;
  const busy = round(spentMs / (performance.now() - began));
  return { ...loaded, cpuMs: round(spentMs / (loaded.done + loaded.failed)), busy };
}

const CPU = "process_cpu_seconds_total";

/** Lines of /metrics: what is measured, with its labels, and how much. */
export type Scraped = readonly (readonly [series: string, value: number])[];

export async function scrape({ socket }: Pick<Farm, "socket">): Promise<Scraped> {
  const text = await new Promise<string>((resolve, reject) => {
    const asking = request(
      { socketPath: socket, path: "/metrics", headers: { host: "kindred" }, agent: false },
      async (answer) => {
        const parts = await answer.setEncoding("utf8").toArray();
        resolve(parts.join(""));
      },
    );
    asking.on("error", reject).end();
  });
  return text.split("\n").map((line) => {
    const end = line.lastIndexOf(" ");
    return [line.slice(0, end), Number(line.slice(end))];
  });
}

/** Of a metric, all with such labels. */
export function totalOf(scraped: Scraped, name: string, labels = /^/): number {
  const found = scraped.filter(([series]) => series === name || (series.startsWith(`${name}{`) && labels.test(series)));
  if (found.length === 0) throw new Error(`/metrics has no ${name}`);
  return found.reduce((sum, [, value]) => sum + value, 0);
}

export const metric = async (farm: Pick<Farm, "socket">, name: string, labels?: RegExp): Promise<number> =>
  totalOf(await scrape(farm), name, labels);
