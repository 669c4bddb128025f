/**
 * What a scenario or a benchmark makes on the machine, and takes away again: a directory, processes, namespaces.
 * Undone in reverse order when it ends, also after a failure or a signal. Only what it made itself is ever touched.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { must, Running, type StartOptions } from "./process.ts";

type Undo = () => void | Promise<void>;

const live = new Set<Sandbox>();
/** What was interrupted has no outcome to report: the process is about to end. */
const never = new Promise<never>(() => {});

export class Sandbox {
  readonly directory = mkdtempSync(join(tmpdir(), "kindred-"));
  readonly #undo: Undo[] = [() => rmSync(this.directory, { recursive: true, force: true })];
  readonly #interruption = new AbortController();

  /** `undo` is called once, after everything that was set up later has been undone. */
  defer(undo: Undo): void {
    this.#undo.push(undo);
  }

  start(command: readonly string[], options: StartOptions = {}): Running {
    this.#interruption.signal.throwIfAborted();
    const running = new Running(command, options);
    this.defer(() => running.end());
    return running;
  }

  /** Runs a command that must succeed to its end; an interruption ends it. */
  must(command: readonly string[], options: StartOptions = {}): Promise<string> {
    return must(command, { ...options, signal: this.#interruption.signal });
  }

  get interrupted(): boolean {
    return this.#interruption.signal.aborted;
  }

  async interrupt(): Promise<void> {
    this.#interruption.abort(new Error("interrupted"));
    await this.end();
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Undoes all it can; the first failure is thrown at the end. */
  async end(): Promise<void> {
    const failures: unknown[] = [];
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) {
      try {
        await undo();
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

/** Runs `work` in a sandbox of its own. */
export async function inSandbox<T>(work: (sandbox: Sandbox) => Promise<T>): Promise<T> {
  const sandbox = new Sandbox();
  live.add(sandbox);
  try {
    return await work(sandbox);
  } finally {
    // Last: until then a signal waits for us.
    await sandbox.end().finally(() => live.delete(sandbox));
    if (sandbox.interrupted) await never;
  }
}

/** On SIGINT and SIGTERM: first everything is undone, then the process ends with the signal's usual status. */
export function endSandboxesOnSignal(): void {
  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.once(signal, async () => {
      // More than once: what the work was just making when it was interrupted is there to be undone a moment later.
      while (live.size > 0) {
        await Promise.allSettled([...live].map((sandbox) => sandbox.interrupt()));
        await sleep(20);
      }
      process.exit(status);
    });
  }
}
