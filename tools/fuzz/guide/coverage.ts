/**
 * How much of some modules has run, by V8's own block coverage. It is begun before they are loaded: V8 counts in what it
 * compiles from then on. Asking takes some 10 ms, so it is asked once for many inputs.
 */
import { type Profiler, Session } from "node:inspector";

/** What of a module is known of each place: nothing, that it is in a function, that it has run. */
const [UNKNOWN, KNOWN, RAN] = [0, 1, 2];

/** By URL, a byte for each character of the module. */
export type Ran = ReadonlyMap<string, Uint8Array>;

export interface Blocks {
  readonly reached: number;
  /** Those that V8 has told of. It tells of a function's blocks once it is called. */
  readonly known: number;
}

export class Coverage {
  readonly #session = new Session();
  readonly #wanted: (url: string) => boolean;
  readonly #seen = new Map<string, Uint8Array>();
  /** Where V8 begins to count anew, by URL. What lies between two of them is a block. */
  readonly #edges = new Map<string, Set<number>>();

  /** Of those modules of this thread whose URL is `wanted`. */
  constructor(wanted: (url: string) => boolean) {
    this.#wanted = wanted;
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** What ran since it was last asked. */
  take(): Ran {
    let scripts: readonly Profiler.ScriptCoverage[] = [];
    this.#session.post("Profiler.takePreciseCoverage", (error, taken) => {
      if (error !== null) throw error;
      scripts = taken.result;
    });
    const ran = new Map<string, Uint8Array>();
    for (const script of scripts) if (this.#wanted(script.url)) ran.set(script.url, this.#painted(script));
    return ran;
  }

  /** Whether there is something in it that had never run. */
  isNews(ran: Ran): boolean {
    for (const [url, places] of ran) {
      const seen = this.#seen.get(url);
      for (let at = 0; at < places.length; at++) if (places[at] === RAN && seen?.[at] !== RAN) return true;
    }
    return false;
  }

  /** Whether all that is news of `ran` is in `other`, too. */
  isAsGood(other: Ran, ran: Ran): boolean {
    for (const [url, places] of ran) {
      const [seen, there] = [this.#seen.get(url), other.get(url)];
      for (let at = 0; at < places.length; at++) {
        if (places[at] === RAN && seen?.[at] !== RAN && there?.[at] !== RAN) return false;
      }
    }
    return true;
  }

  /** From now on none of it is news. */
  keep(ran: Ran): void {
    for (const [url, places] of ran) {
      const before = this.#seen.get(url) ?? new Uint8Array(0);
      const seen = new Uint8Array(Math.max(before.length, places.length));
      seen.set(before);
      for (let at = 0; at < places.length; at++) seen[at] = Math.max(seen[at]!, places[at]!);
      this.#seen.set(url, seen);
    }
  }

  /** Of all that was kept. */
  get blocks(): Blocks {
    let [reached, known] = [0, 0];
    for (const [url, seen] of this.#seen) {
      for (const edge of this.#edges.get(url) ?? []) {
        if (seen[edge] === RAN) reached++;
        if (seen[edge] !== UNKNOWN && edge < seen.length) known++;
      }
    }
    return { reached, known };
  }

  end(): void {
    this.#session.disconnect();
  }

  /** Outer ranges come before those within them. */
  #painted({ url, functions }: Profiler.ScriptCoverage): Uint8Array {
    const edges = this.#edges.get(url) ?? new Set();
    this.#edges.set(url, edges);
    const ranges = functions.filter((one) => !isModule(one)).flatMap((one) => one.ranges);
    const places = new Uint8Array(Math.max(0, ...ranges.map(({ endOffset }) => endOffset)));
    for (const { startOffset, endOffset, count } of ranges) {
      places.fill(count > 0 ? RAN : KNOWN, startOffset, endOffset);
      edges.add(startOffset).add(endOffset);
    }
    return places;
  }
}

/** What stands outside of all functions runs when it is loaded. */
const isModule = ({ functionName, ranges }: Profiler.FunctionCoverage): boolean =>
  functionName === "" && ranges[0]?.startOffset === 0;
