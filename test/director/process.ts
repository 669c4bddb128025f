/** `kindred run` as its users start it: a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Test } from "tap";
import { ROOT } from "../root.ts";
import { type Event, folder, onBackend, until } from "./live.ts";

export const KINDRED = resolve(ROOT, "dist", "tools", "kindred.js");

/** Options of a test that starts it: skipped where it was not built. */
export const built = existsSync(KINDRED) ? {} : { skip: "needs npm run build" };

/** Which anybody may read. */
export async function configurationFile(t: Test, text: string): Promise<string> {
  const path = await folder(t);
  await chmod(path, 0o755);
  await writeFile(join(path, "kindred.yaml"), text);
  return join(path, "kindred.yaml");
}

interface ProcessOptions {
  readonly uid?: number;
  readonly files?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

export class Process {
  readonly child: ChildProcess;
  readonly exited: Promise<number | string | null>;
  stdout = "";
  stderr = "";
  over = false;

  /**
   * `uid`: whom to run it as; `files`: how many it may open; `env`: what its environment has beside this one's; `input`:
   * its standard input, without which it has none.
   */
  constructor(t: Test, args: readonly string[], { uid, files, env, input }: ProcessOptions = {}) {
    const identity = uid === undefined ? {} : { uid, gid: uid };
    const limit = files === undefined ? "" : `ulimit -n ${files}; `;
    this.child = spawn("/bin/sh", ["-c", `${limit}exec "$@"`, "sh", process.execPath, KINDRED, ...args], {
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      // The usual control socket is in a folder of its own: several run at once.
      env: { ...process.env, RUNTIME_DIRECTORY: dirname(args.at(-1)!), ...env },
      ...identity,
    });
    this.child.stdin?.end(input);
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.exited = new Promise((done) => {
      this.child.once("close", (code, signal) => {
        this.over = true;
        done(code ?? signal);
      });
    });
    t.teardown(() => void this.child.kill("SIGKILL"));
  }

  /** `configuration` is written to a file of its own, whose name is the last argument. */
  static async start(t: Test, configuration: string, ...args: string[]): Promise<Process & { readonly file: string }> {
    const file = await configurationFile(t, onBackend(configuration));
    return Object.assign(new Process(t, ["run", ...args, file]), { file });
  }

  get events(): Event[] {
    const whole = this.stdout.slice(0, this.stdout.lastIndexOf("\n") + 1);
    return whole.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as Event] : []));
  }

  of(event: string): Event[] {
    return this.events.filter((one) => one.event === event);
  }

  async untilEvent(event: string): Promise<void> {
    await until(() => this.over || this.of(event).length > 0, event);
    if (this.of(event).length === 0) throw new Error(`it ended without ${event}:\n${this.stdout}${this.stderr}`);
  }
}
