/** How much memory the director has while it works: sampled, and told span by span. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { round } from "../bench/report.ts";
import type { Running } from "../lab/process.ts";

/** What `node` is told so that it says what each collection left. */
export const TELLS_COLLECTIONS = "--trace-gc";

const EVERY = 1000;
/** `Mark-Compact 52.1 (80.3) -> 21.9 (79.8) MB`: of all of the heap; scavenges are of the young part of it. */
const COLLECTED = /Mark-Compact.* -> (\d+\.\d+) \(/g;

interface Sample {
  readonly rss: number;
  /** What each full collection since the last sample left. */
  readonly heap: readonly number[];
}

export interface Span {
  /** MiB, the mean of the span. */
  readonly rss: number;
  /** MiB of V8's heap that full collections left, the mean of the span; null: there was none. */
  readonly heap: number | null;
}

export interface Memory {
  readonly spans: readonly Span[];
  /** How far a span is from the mean of all, at most: 0.05 is 5 %. Of the heap null where a span has none. */
  readonly spread: { readonly rss: number; readonly heap: number | null };
}

/** Samples `director` until `stop` is aborted. */
export async function sampled(director: Running, stop: AbortSignal): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  let read = director.stdout.length;
  while (!stop.aborted) {
    await sleep(EVERY, undefined, { signal: stop }).catch(() => {});
    const text = director.stdout.slice(read, director.stdout.lastIndexOf("\n") + 1);
    read += text.length;
    samples.push({ rss: rssOf(director.pid), heap: [...text.matchAll(COLLECTED)].map((found) => Number(found[1])) });
  }
  return samples;
}

function rssOf(pid: number): number {
  const lines = readFileSync(`/proc/${pid}/status`, "utf8").split("\n");
  return Number.parseInt(lines.find((line) => line.startsWith("VmRSS:"))!.slice(6), 10) / 1024;
}

/** `samples` in spans of the same length, `most` at most. */
export function memoryOf(samples: readonly Sample[], most: number): Memory {
  const count = Math.min(most, samples.length);
  const length = samples.length / count;
  const spans = Array.from({ length: count }, (_, i): Span => {
    const of = samples.slice(Math.floor(i * length), Math.floor((i + 1) * length));
    const heap = of.flatMap((sample) => sample.heap);
    return { rss: round(mean(of.map(({ rss }) => rss))), heap: heap.length === 0 ? null : round(mean(heap)) };
  });
  const heaps = spans.flatMap(({ heap }) => heap ?? []);
  return {
    spans,
    spread: { rss: spread(spans.map(({ rss }) => rss)), heap: heaps.length < count ? null : spread(heaps) },
  };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function spread(values: readonly number[]): number {
  const middle = mean(values);
  return round(Math.max(...values.map((value) => Math.abs(value - middle) / middle)));
}
