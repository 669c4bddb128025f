/** The thread that forwards, as the main one sees it: started, told, asked, ended. */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { Asks } from "./asks.ts";
import type { Calls } from "./calls.ts";
import { EFD_CLOEXEC, EFD_NONBLOCK } from "./calls.ts";
import type { Command, LoggedEvent, Report, Snapshot, WorkerPlan } from "./messages.ts";

/** The thread's file, in the language that this one is in. */
const WORKER = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);

export interface ThreadOptions {
  readonly heard: (event: LoggedEvent) => void;
  /** It ended by itself. */
  readonly failed: (error: Error) => void;
}

export class ForwardingThread {
  readonly ask: Asks["ask"];
  /** Settles when it has ended. */
  readonly ended: Promise<void>;
  readonly #calls: Calls;
  readonly #wake: number;
  readonly #one;
  readonly #worker: Worker;
  readonly #asks = new Asks((command) => this.tell(command));
  readonly #heard: ThreadOptions["heard"];
  #snapshots: ((snapshot: Snapshot) => void)[] = [];
  #last: Snapshot = { flows: 0, connections: 0, counters: {} };
  #over = false;

  private constructor(calls: Calls, plan: Omit<WorkerPlan, "wake">, options: ThreadOptions) {
    this.#calls = calls;
    this.#heard = options.heard;
    this.#one = calls.memory(8);
    this.#one.bytes.writeBigUInt64LE(1n);
    this.#wake = calls.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    this.ask = (asked) => this.#asks.ask(asked);
    this.#worker = new Worker(WORKER, { workerData: { ...plan, wake: this.#wake } satisfies WorkerPlan });
    this.ended = new Promise((ended) => {
      this.#worker.once("exit", () => {
        this.#end();
        calls.close(this.#wake);
        ended();
      });
    });
  }

  /** Resolves when it forwards. */
  static async start(calls: Calls, plan: Omit<WorkerPlan, "wake">, options: ThreadOptions): Promise<ForwardingThread> {
    const thread = new ForwardingThread(calls, plan, options);
    const worker = thread.#worker;
    try {
      await new Promise<void>((ready, failed) => {
        // Before it was ready, the one; after that, the other.
        worker.on("error", failed).on("error", options.failed);
        worker.on("message", (report: Report) => (report.type === "ready" ? ready() : thread.#hear(report)));
      });
    } catch (error) {
      thread.terminate();
      throw error;
    }
    return thread;
  }

  tell(command: Command): void {
    if (this.#over) return;
    this.#worker.postMessage(command);
    this.#calls.write(this.#wake, this.#one.at, 8);
  }

  /** What it has counted; the last there was, once it is over. */
  snapshot(): Promise<Snapshot> {
    if (this.#over) return Promise.resolve(this.#last);
    return new Promise((resolve) => {
      this.#snapshots.push(resolve);
      this.tell({ type: "snapshot" });
    });
  }

  /** Ends at once. */
  terminate(): void {
    this.#worker.removeAllListeners("error");
    this.#end();
    void this.#worker.terminate();
  }

  #hear(report: Exclude<Report, { type: "ready" }>): void {
    if (report.type === "events") for (const event of report.events) this.#heard(event);
    else if (report.type === "snapshot" || report.type === "stopped") this.#count(report.snapshot);
    else this.#asks.hear(report);
  }

  #count(snapshot: Snapshot): void {
    this.#last = snapshot;
    for (const answer of this.#snapshots.splice(0)) answer(snapshot);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#asks.end(new Error("the director is stopping"));
    this.#count(this.#last);
  }
}
