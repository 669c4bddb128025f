/** Processes of a scenario or a benchmark: started, waited for, ended by id with all that they forked. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { accessSync, constants, readFileSync, readlinkSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface StartOptions {
  /** Network namespace to run in. */
  readonly namespace?: string;
  /** CPUs to run on, as taskset(1) writes them. */
  readonly cpus?: string;
  readonly directory?: string;
  /** What its environment has beside ours. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface RunOptions extends StartOptions {
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How long a server may take to be ready, a command to end: generous, since a busy machine is no failure. */
const READY = 90_000;
const DONE = 120_000;
/** How long a process may take to end after SIGTERM. A director takes back what it changed, after it has drained. */
const GRACE = 30_000;

/** `ip netns exec` and `taskset` replace themselves by the command, so the process keeps the id that we know. */
function wrapped(command: readonly string[], { namespace, cpus }: StartOptions): readonly string[] {
  const pinned = cpus === undefined ? command : ["taskset", "-c", cpus, ...command];
  return namespace === undefined ? pinned : ["ip", "netns", "exec", namespace, ...pinned];
}

export class Running {
  readonly name: string;
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #namespace: string | undefined;
  #stdout = "";
  #stderr = "";
  #ended = false;
  /** With all that it forked: its id may be somebody else's by now. */
  #gone = false;

  constructor(command: readonly string[], options: StartOptions = {}) {
    const [program, ...rest] = wrapped(command, options);
    const { namespace, directory: cwd, environment } = options;
    this.name = command[0]!;
    this.#namespace = namespace;
    // A group of its own: what it forks ends with it, and the terminal's ^C does not reach it before our own undoing.
    this.#child = spawn(program!, rest, {
      ...{ detached: true, stdio: "pipe", cwd },
      ...(environment === undefined ? {} : { env: { ...process.env, ...environment } }),
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.#stdout += text));
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.#stderr += text));
    this.exited = new Promise((resolve) => {
      const over = (status: number | null) => {
        this.#ended = true;
        resolve(status);
      };
      this.#child.on("error", (error) => {
        this.#stderr += `${error.message}\n`;
        over(null);
      });
      this.#child.on("close", over);
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} did not start: ${this.#stderr}`);
    return this.#child.pid;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Waits until `ready` holds, or throws with what the process said. */
  async until(ready: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + READY;
    while (!ready()) {
      if (this.#ended) throw new Error(`${this.name} ended before it was ${what}:\n${this.#stdout}${this.#stderr}`);
      if (Date.now() > deadline) throw new Error(`${this.name} was not ${what} in ${READY / 1000} s:\n${this.#stderr}`);
      await sleep(20);
    }
  }

  /** Waits until somebody listens on `port` in the process's network namespace. */
  async listening(port: number, transport: keyof typeof LISTENING = "tcp"): Promise<void> {
    const ready = (): boolean => this.#hasMoved() && listensIn(this.pid, port, transport);
    await this.until(ready, `listening on ${transport} port ${port}`);
  }

  /** Whether it is where it is to run: until then it is in our namespace, where somebody else may listen. */
  #hasMoved(): boolean {
    return this.#namespace === undefined || networkOf(this.pid) !== networkOf("self");
  }

  /** Ends the process and all that it forked. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#child.pid === undefined || this.#gone) return;
    signalGroup(this.#child.pid, signal);
    const killer = setTimeout(() => signalGroup(this.pid, "SIGKILL"), GRACE);
    await this.exited;
    clearTimeout(killer);
    // The parent is gone; a child that did not hear SIGTERM is still in the group.
    signalGroup(this.#child.pid, "SIGKILL");
    this.#gone = true;
  }
}

const signalGroup = (leader: number, signal: NodeJS.Signals): void => signalTo(-leader, signal);

/** At once. */
export const endProcess = (pid: number): void => signalTo(pid, "SIGKILL");

function signalTo(whom: number, signal: NodeJS.Signals): void {
  try {
    process.kill(whom, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The state of a socket that listens: TCP_LISTEN; of datagrams one that is not connected, TCP_CLOSE. */
const LISTENING = { tcp: "0A", udp: "07" } as const;

/** The network namespace of a process; null: it has ended. */
function networkOf(pid: number | "self"): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return null;
  }
}

/** /proc/PID/net shows the namespace of that process: no probe connection that a server would count. */
function listensIn(pid: number, port: number, transport: keyof typeof LISTENING): boolean {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return [transport, `${transport}6`].some((table) => {
    try {
      const lines = readFileSync(`/proc/${pid}/net/${table}`, "latin1").split("\n");
      return lines.some((line) => {
        const [, at, , state] = line.trim().split(/\s+/);
        return state === LISTENING[transport] && at?.endsWith(local) === true;
      });
    } catch {
      return false;
    }
  });
}

/** Runs a command to its end; its status is for the caller to judge. */
export function run(command: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const [program, ...rest] = wrapped(command, options);
  return new Promise((resolve) => {
    const { directory: cwd, timeout = DONE, signal } = options;
    const settings = { cwd, timeout, signal, maxBuffer: 64 << 20 };
    execFile(program!, rest, settings, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : null;
      resolve({ status, stdout, stderr: status === null ? `${stderr}${error?.message}` : stderr });
    });
  });
}

/** Runs a command that must succeed; returns its output. */
export async function must(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await run(command, options);
  if (status !== 0) throw new Error(`${command.join(" ")}: status ${status}\n${stdout}${stderr}`.trim());
  return stdout;
}

/** What cannot be installed beside others of its kind is only unpacked (.ci/install). */
const UNPACKED = "/opt/kindred-lab/usr/sbin";

/** Where a program is, if it is installed. Daemons live in sbin, which is not in everybody's PATH. */
export function locate(program: string): string | null {
  const { PATH = "" } = process.env;
  const folders = [...PATH.split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin", UNPACKED];
  for (const folder of folders) {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return join(folder, program);
    } catch {
      // Not here.
    }
  }
  return null;
}
