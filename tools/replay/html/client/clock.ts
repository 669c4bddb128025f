import type { PageConnection } from "../data.ts";

/**
 * From when on times are told, for each file: captures of the same time (both sides of a director) have one clock, others
 * begin at 0 each.
 */
export function originsOf(connections: readonly PageConnection[]): (file: string) => number {
  const spans = new Map<string, { start: number; end: number }>();
  for (const { file, start, end } of connections) {
    const span = spans.get(file) ?? { start, end };
    spans.set(file, { start: Math.min(span.start, start), end: Math.max(span.end, end) });
  }
  const origins = new Map<string, number>();
  let origin = 0;
  let until = Number.NEGATIVE_INFINITY;
  for (const [file, { start, end }] of [...spans].sort(([, one], [, other]) => one.start - other.start)) {
    if (start > until) origin = start;
    until = Math.max(until, end);
    origins.set(file, origin);
  }
  return (file) => origins.get(file) ?? 0;
}
