/** Many reloads under many transfers: each runs from before the first reload to after the last, none may notice. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Transfer } from "./client.ts";

const VIP = "127.0.0.2";
const REALS = ["127.0.0.11", "127.0.0.12"] as const;
/** Transfers that are begun at once. */
const AT_ONCE = 32;

export interface ReloadOptions {
  readonly transfers: number;
  readonly reloads: number;
  /** The command, the server, and a free port of the VIP. */
  readonly kindred: string;
  readonly server: string;
  readonly port: number;
  readonly progress: (line: string) => void;
}

export interface ReloadSummary {
  readonly name: "reload";
  readonly transfers: number;
  readonly reloads: number;
  readonly refused: number;
  /** Cut, or without their end. */
  readonly failed: number;
  readonly failures: readonly string[];
  /** Of how many sentences the changes were. */
  readonly changes: number;
  readonly node: string;
}

/** Round `round`: weights, the scheduler, a service and a realserver come and go by turns. */
function configuration(port: number, ports: readonly number[], round: number): string {
  const both = REALS.map(
    (address, i) => `      - { address: ${address}, port: ${ports[i]}, weight: ${1 + ((round + i) % 3)} }`,
  );
  const listed = round % 4 === 2 ? both.slice(0, 1) : round % 4 === 3 ? both.slice(1) : both;
  const more = `  - { name: more, vip: ${VIP}, ports: [udp/${port}], realservers: [{ address: 192.0.2.1 }] }\n`;
  return `services:
  - name: ftp
    vip: ${VIP}
    ports: [tcp/${port}]
    helper: ftp
    scheduler: ${["rr", "wlc", "wrr", "sh", "maglev"][round % 5]}
    realservers:
${listed.join("\n")}
${round % 2 === 1 ? more : ""}helpers: { ftp: { ports: [${port}] } }
related: { total: 100000 }
timeouts: { idle: 30m }
log: { level: warn }
control: { socket: none }
`;
}

class RunningDirector {
  readonly #child: ChildProcess;
  readonly #file: string;
  #text = "";
  changes = 0;
  #changed = 0;
  #ready = false;

  constructor(kindred: string, file: string) {
    this.#file = file;
    this.#child = spawn(process.execPath, [kindred, "run", file], { stdio: ["ignore", "pipe", "inherit"] });
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => this.#read(text));
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#child.exitCode !== null) throw new Error("the director has ended");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  ready(): Promise<void> {
    return this.until(() => this.#ready);
  }

  async reload(text: string): Promise<void> {
    const wanted = this.#changed + 1;
    await writeFile(this.#file, text);
    this.#child.kill("SIGHUP");
    await this.until(() => this.#changed >= wanted);
  }

  async end(): Promise<void> {
    this.#child.kill("SIGTERM");
    await once(this.#child, "exit");
  }

  #read(text: string): void {
    const lines = (this.#text + text).split("\n");
    this.#text = lines.pop()!;
    for (const line of lines) this.#event(JSON.parse(line));
  }

  #event({ event, changes = [], problems }: { event: string; changes?: readonly string[]; problems?: unknown }): void {
    if (event === "ready") this.#ready = true;
    if (event === "changed") {
      this.#changed++;
      this.changes += changes.length;
    }
    if (event === "reload-failed") throw new Error(JSON.stringify(problems));
  }
}

async function startServer(program: string, address: string): Promise<{ port: number; child: ChildProcess }> {
  const child = fork(program);
  child.send({ listen: address });
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  return { port, child };
}

/** Runs it; whoever asks judges the summary. */
export async function soakReload(options: ReloadOptions): Promise<ReloadSummary> {
  const { transfers: count, reloads, kindred, server, port, progress } = options;
  const folder = await mkdtemp(join(tmpdir(), "kindred-soak-"));
  const servers = await Promise.all(REALS.map((address) => startServer(server, address)));
  const ports = servers.map((one) => one.port);
  const file = join(folder, "kindred.yaml");
  await writeFile(file, configuration(port, ports, 0));
  const director = new RunningDirector(kindred, file);
  try {
    await director.ready();
    const { begun, refused } = await beginAll(count, port, progress);
    for (let round = 1; round <= reloads; round++) {
      await director.reload(configuration(port, ports, round));
      progress(`${round} of ${reloads} reloads, ${begun.filter(({ failure }) => failure !== null).length} failed`);
    }
    for (const { child } of servers) child.send({ finish: true });
    await Promise.all(begun.map(({ over }) => over));
    const failures = begun.flatMap(({ failure }) => (failure === null ? [] : [failure]));
    return {
      name: "reload",
      transfers: begun.length,
      reloads,
      refused,
      failed: failures.length,
      failures: [...new Set(failures)].slice(0, 10),
      changes: director.changes,
      node: process.version,
    };
  } finally {
    await director.end();
    for (const { child } of servers) child.disconnect();
    await rm(folder, { recursive: true });
  }
}

async function beginAll(count: number, port: number, progress: ReloadOptions["progress"]) {
  const begun: Transfer[] = [];
  let refused = 0;
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) {
      const client = `127.1.${n >> 8}.${n & 255 || 1}`;
      const transfer = await Transfer.begin(`t${n}`, VIP, port, client).catch(() => null);
      if (transfer === null) refused++;
      else begun.push(transfer);
      if (n % 500 === 499) progress(`${n + 1} of ${count} transfers run`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return { begun, refused };
}
