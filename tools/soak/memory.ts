/** How much memory the director has while it works, and what of: sampled, and told span by span. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { round } from "../bench/report.ts";
import { type Farm, type Scraped, scrape, totalOf } from "./farm.ts";

/** What `node` is told so that it says what each collection left. */
export const TELLS_COLLECTIONS = "--trace-gc";

const EVERY = 1000;
/** `Mark-Compact 52.1 (80.3) -> 21.9 (79.8) MB`: of all of the heap; scavenges are of the young part of it. */
const COLLECTED = /Mark-Compact.* -> (\d+\.\d+) \(/g;
const MIB = 1024 * 1024;

/** MiB. */
export interface Parts {
  /** All that is resident; the others are what it is made of. */
  readonly rss: number;
  /** Pages of files: Node's code, and libraries. */
  readonly files: number;
  /** V8's heap, garbage and room for more included: where objects begin, and the rest of it. */
  readonly young: number;
  readonly old: number;
  /** Buffers, which V8 has outside its heap. */
  readonly buffers: number;
  /** What else was allocated: by Node, by V8 for itself (compiling, collecting), by libraries; stacks. */
  readonly other: number;
}

export interface Sample extends Parts {
  /** What each full collection since the last sample left. */
  readonly collected: readonly number[];
}

/** Means. */
export interface Span extends Parts {
  /** MiB of V8's heap that full collections left; null: there was none. */
  readonly heap: number | null;
}

export interface Memory {
  readonly spans: readonly Span[];
  /** How far a span is from the mean of all, at most: 0.05 is 5 %. Of the heap null where a span has none. */
  readonly spread: { readonly rss: number; readonly heap: number | null };
}

/** Samples `farm`'s director until `stop` is aborted. */
export async function sampled(farm: Farm, stop: AbortSignal): Promise<readonly Sample[]> {
  const { director } = farm;
  const samples: Sample[] = [];
  let read = director.stdout.length;
  while (!stop.aborted) {
    await sleep(EVERY, undefined, { signal: stop }).catch(() => {});
    const parts = partsOf(readFileSync(`/proc/${director.pid}/status`, "utf8"), await scrape(farm));
    const text = director.stdout.slice(read, director.stdout.lastIndexOf("\n") + 1);
    read += text.length;
    samples.push({ ...parts, collected: [...text.matchAll(COLLECTED)].map((found) => Number(found[1])) });
  }
  return samples;
}

/** `status`: as proc(5) has it, in KiB; `scraped`: what the director said of itself at about that time. */
export function partsOf(status: string, scraped: Scraped): Parts {
  const lines = status.split("\n");
  const resident = (name: string): number =>
    Number.parseInt(lines.find((line) => line.startsWith(`${name}:`))!.slice(name.length + 1), 10) / 1024;
  const [rss, files] = [resident("VmRSS"), resident("RssFile")];
  const heap = totalOf(scraped, "nodejs_heap_space_size_total_bytes") / MIB;
  const young = totalOf(scraped, "nodejs_heap_space_size_total_bytes", /space="new/) / MIB;
  const buffers = totalOf(scraped, "nodejs_external_memory_bytes") / MIB;
  return { rss, files, young, old: heap - young, buffers, other: rss - files - heap - buffers };
}

/** `samples` in spans of the same length, `most` at most. */
export function memoryOf(samples: readonly Sample[], most: number): Memory {
  const count = Math.min(most, samples.length);
  const length = samples.length / count;
  const spans = Array.from({ length: count }, (_, i) =>
    spanOf(samples.slice(Math.floor(i * length), Math.floor((i + 1) * length))),
  );
  const heaps = spans.flatMap(({ heap }) => heap ?? []);
  return {
    spans,
    spread: { rss: spread(spans.map(({ rss }) => rss)), heap: heaps.length < count ? null : spread(heaps) },
  };
}

function spanOf(samples: readonly Sample[]): Span {
  const of = (part: keyof Parts): number => round(mean(samples.map((sample) => sample[part])));
  const collected = samples.flatMap((sample) => sample.collected);
  return {
    rss: of("rss"),
    files: of("files"),
    young: of("young"),
    old: of("old"),
    buffers: of("buffers"),
    other: of("other"),
    heap: collected.length === 0 ? null : round(mean(collected)),
  };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function spread(values: readonly number[]): number {
  const middle = mean(values);
  return round(Math.max(...values.map((value) => Math.abs(value - middle) / middle)));
}
