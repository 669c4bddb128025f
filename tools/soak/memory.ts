/** How much memory a process has while it works: sampled, and told span by span. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { round } from "../bench/report.ts";
import { type Farm, metric } from "./farm.ts";

const EVERY = 1000;
const MIB = 1 << 20;

interface Sample {
  readonly rss: number;
  readonly heap: number;
}

export interface Span {
  /** MiB, the mean of the span. */
  readonly rss: number;
  /** MiB of V8's heap in use: the least of the span, which is what the collector could not take. */
  readonly heap: number;
}

export interface Memory {
  readonly spans: readonly Span[];
  /** How far a span is from the mean of all, at most: 0.05 is 5 %. */
  readonly spread: { readonly rss: number; readonly heap: number };
}

/** Samples `farm`'s director until `stop` is aborted. */
export async function sampled(farm: Farm, stop: AbortSignal): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  while (!stop.aborted) {
    const heap = await metric(farm, "nodejs_heap_size_used_bytes");
    samples.push({ rss: rssOf(farm.director.pid), heap: heap / MIB });
    await sleep(EVERY, undefined, { signal: stop }).catch(() => {});
  }
  return samples;
}

function rssOf(pid: number): number {
  const line = readFileSync(`/proc/${pid}/status`, "utf8")
    .split("\n")
    .find((one) => one.startsWith("VmRSS:"));
  return Number.parseInt(line!.slice(6), 10) / 1024;
}

/** `samples` in spans of the same length, `most` at most. */
export function memoryOf(samples: readonly Sample[], most: number): Memory {
  const count = Math.min(most, samples.length);
  const length = samples.length / count;
  const spans = Array.from({ length: count }, (_, i): Span => {
    const of = samples.slice(Math.floor(i * length), Math.floor((i + 1) * length));
    return { rss: round(mean(of.map(({ rss }) => rss))), heap: round(Math.min(...of.map(({ heap }) => heap))) };
  });
  return { spans, spread: { rss: spread(spans.map(({ rss }) => rss)), heap: spread(spans.map(({ heap }) => heap)) } };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function spread(values: readonly number[]): number {
  const middle = mean(values);
  return round(Math.max(...values.map((value) => Math.abs(value - middle) / middle)));
}
