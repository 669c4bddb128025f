/**
 * Watches over the thread of a run. One that shows no sign of life is ended, what it was saying is a finding, and another
 * goes on behind it; so it is with one that takes more memory than there is for it.
 */
import { extname, join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Dialogue, Turn } from "../generate/ftp/model.ts";
import type { Entry } from "../guide/corpus.ts";
import type { Property } from "../properties/finding.ts";
import { DISTINCT_BYTES } from "./distinct.ts";
import type { Finding } from "./inputs.ts";
import { LINE_ENDS } from "./lines.ts";
import type { Plan, Report } from "./plan.ts";
import { type Figure, Shared } from "./shared.ts";

export interface WatchOptions {
  readonly plan: Omit<Plan, "shared" | "distinct">;
  /** The folder that the build made, or a copy of it. */
  readonly root: string;
  readonly seconds: number;
  /** Findings after which it stops. */
  readonly findings: number;
  /** So long the thread may be silent. Seconds. */
  readonly patience: number;
  readonly show: (state: State) => void;
  readonly stopped: () => boolean;
  readonly joined: (entry: Entry) => void;
  readonly dropped: (name: string) => void;
}

export interface State {
  readonly figures: Readonly<Record<Figure, number>>;
  readonly findings: readonly Finding[];
  readonly corpus: number;
  readonly milliseconds: number;
}

/** Between two looks at the thread. Milliseconds. */
const LOOK = 100;
/** So long it may take to load what it runs. Milliseconds. */
const START = 60_000;
/** What a helper that holds all comes to soon. */
const MOST_MEMORY = { maxOldGenerationSizeMb: 256 };
const EXTENSION = extname(import.meta.url);
/** Sources need what this process loads them with; what was built needs nothing, and starts several times as fast without. */
const LOADING = EXTENSION === ".js" ? [] : process.execArgv;

/** How a thread ended; null: it had done what it was to do. */
type End = Violated | null;
interface Violated {
  readonly property: Property;
  readonly message: string;
}

export const watch = (options: WatchOptions): Promise<State> => new Watch(options).run();

class Watch {
  readonly #options: WatchOptions;
  readonly #shared = new Shared();
  readonly #distinct = new SharedArrayBuffer(DISTINCT_BYTES);
  readonly #findings: Finding[] = [];
  readonly #corpus = new Map<string, Entry>();
  readonly #begun = performance.now();

  constructor(options: WatchOptions) {
    this.#options = options;
    for (const entry of options.plan.corpus) this.#corpus.set(entry.name, entry);
  }

  async run(): Promise<State> {
    const { only, held } = this.#options.plan;
    for (;;) {
      const end = await this.#life(this.#start());
      if (end === null) break;
      this.#deadly(end);
      if (only !== null || held !== null || this.#shared.stopped) break;
    }
    return this.#state();
  }

  #start(): Worker {
    const { plan, root } = this.#options;
    const workerData: Plan = {
      ...plan,
      corpus: [...this.#corpus.values()],
      shared: this.#shared.buffer,
      distinct: this.#distinct,
    };
    const file = join(root, "tools", "fuzz", "run", `worker${EXTENSION}`);
    return new Worker(file, { workerData, resourceLimits: MOST_MEMORY, execArgv: LOADING }).on(
      "message",
      (report: Report) => this.#hear(report),
    );
  }

  /** Until it ends by itself, or has been silent for too long. */
  async #life(worker: Worker): Promise<End> {
    const { patience } = this.#options;
    const before = this.#shared.beats;
    let [beats, silent] = [before, 0];
    let timer: NodeJS.Timeout | undefined;
    const end = await new Promise<End>((ended) => {
      timer = setInterval(() => {
        this.#look();
        silent = this.#shared.beats === beats ? silent + LOOK : 0;
        beats = this.#shared.beats;
        const most = beats === before ? START : patience * 1000;
        if (silent >= most) ended({ property: "stalled", message: `nothing for ${patience} s` });
      }, LOOK);
      worker.once("error", (error) => ended(errorEnd(error)));
      worker.once("exit", () => ended(null));
    });
    clearInterval(timer);
    await worker.terminate();
    return end;
  }

  #look(): void {
    const { seconds, findings, stopped, show } = this.#options;
    const state = this.#state();
    show(state);
    if (state.milliseconds >= seconds * 1000 || this.#findings.length >= findings || stopped()) this.#shared.stop();
  }

  #hear(report: Report): void {
    if (report.type === "found") this.#findings.push(report.finding);
    else if (report.type === "joined") {
      this.#corpus.set(report.entry.name, report.entry);
      this.#options.joined(report.entry);
    } else {
      this.#corpus.delete(report.name);
      this.#options.dropped(report.name);
    }
    if (this.#findings.length >= this.#options.findings) this.#shared.stop();
  }

  /** What was being said when the thread had to be ended. It is not begun with again. */
  #deadly(end: Violated): void {
    const [kind, number] = this.#shared.input;
    const dialogue = this.#shared.dialogue(ofLines);
    const text = JSON.stringify(dialogue.turns);
    for (const [name, entry] of this.#corpus) {
      if (JSON.stringify(entry.dialogue.turns) === text) this.#corpus.delete(name);
    }
    this.#findings.push({ kind, seed: this.#options.plan.seed, number, ...end, dialogue });
    if (this.#findings.length >= this.#options.findings) this.#shared.stop();
  }

  #state(): State {
    const figure = (name: Figure): number => this.#shared.figure(name);
    return {
      figures: {
        executions: figure("executions"),
        dialogues: figure("dialogues"),
        distinct: figure("distinct"),
        reached: figure("reached"),
        known: figure("known"),
        step: figure("step"),
        number: figure("number"),
        processor: figure("processor"),
        generation: figure("generation"),
        inspection: figure("inspection"),
        checking: figure("checking"),
      },
      findings: this.#findings,
      corpus: this.#corpus.size,
      milliseconds: performance.now() - this.#begun,
    };
  }
}

const errorEnd = (error: Error & { readonly code?: string }): Violated =>
  error.code === "ERR_WORKER_OUT_OF_MEMORY"
    ? { property: "grew", message: `more than ${MOST_MEMORY.maxOldGenerationSizeMb} MB of memory` }
    : { property: "threw", message: error.stack ?? error.message };

/** A session of these replies, each behind the question that it may answer: which ones there were is not known. */
function ofLines(replies: string): Dialogue {
  const said = (speaker: Turn["speaker"], text: string): Turn => ({
    speaker,
    messages: [{ said: text, outcome: "same", about: "a line" }],
  });
  const opening = [said("reply", "220 ready\r\n"), said("original", "USER a\r\n"), said("reply", "230 ok\r\n")];
  const lines = replies.split(/(?<=\n)/).filter((line) => line !== "");
  const turns = lines.flatMap((line) => [
    said("original", line.includes("229") ? "EPSV\r\n" : "PASV\r\n"),
    said("reply", line),
  ]);
  return { ends: LINE_ENDS, turns: [...opening, ...turns], exact: false };
}
