/** What a benchmark found, as one JSON document or as a table for people. */
import { readFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";

export interface Result {
  readonly case: string;
  /** Median of `runs`; null when it could not be measured, `note` says why. */
  readonly value: number | null;
  readonly unit: string;
  readonly runs: readonly number[];
  /** Who was measured beside it, in turns with it; null: nobody. */
  readonly peer: string | null;
  readonly peerValue: number | null;
  readonly peerRuns: readonly number[];
  /** `value` / `peerValue`; where turns are compared in pairs, the median of the pairs' ratios. */
  readonly ratio: number | null;
  readonly note?: string;
}

export interface Machine {
  readonly cpu: string;
  readonly cpus: number;
  readonly kernel: string;
  readonly node: string;
  /** TCP's congestion control: some pace their packets, on loopback too. */
  readonly congestion: string;
  /** When the benchmark began: more than a few tenths means that others were at work. */
  readonly load: number;
  readonly pinning: string;
  /** What V8 was told in the process that is measured. */
  readonly flags: string;
}

export interface Report {
  readonly name: string;
  readonly machine: Machine;
  readonly results: readonly Result[];
}

export const machine = (pinning: string, flags: readonly string[]): Machine => ({
  cpu: cpus()[0]?.model ?? "unknown",
  cpus: cpus().length,
  kernel: release(),
  node: process.version,
  congestion: congestion(),
  load: round(loadavg()[0]!),
  pinning,
  flags: flags.length === 0 ? "none" : flags.join(" "),
});

function congestion(): string {
  try {
    return readFileSync("/proc/sys/net/ipv4/tcp_congestion_control", "utf8").trim();
  } catch {
    return "unknown";
  }
}

export function median(runs: readonly number[]): number | null {
  const sorted = runs.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return sorted.length === 0 ? null : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const ratiosOf = (runs: readonly number[], peerRuns: readonly number[]): number[] =>
  runs.slice(0, peerRuns.length).map((run, i) => run / peerRuns[i]!);

/** Of runs in turns: what disturbs the machine for a while disturbs both of a pair. */
export const ratioOfPairs: Ratio = (runs, peerRuns) => median(ratiosOf(runs, peerRuns));

/** How far that may be from the truth, in 19 of 20 cases: the notches of a box plot (McGill, Tukey and Larsen 1978). */
export function uncertaintyOfPairs(runs: readonly number[], peerRuns: readonly number[]): number | null {
  const ratios = ratiosOf(runs, peerRuns).sort((a, b) => a - b);
  const quartile = (share: number): number => ratios[Math.floor(share * ratios.length)]!;
  return ratios.length === 0 ? null : (1.57 * (quartile(0.75) - quartile(0.25))) / Math.sqrt(ratios.length);
}

const ratioOfMedians: Ratio = (runs, peerRuns) => {
  const [value, peerValue] = [median(runs), median(peerRuns)];
  return value === null || peerValue === null ? null : value / peerValue;
};

type Ratio = (runs: readonly number[], peerRuns: readonly number[]) => number | null;

/** Three digits are what a benchmark on a shared machine can mean. */
export const round = (value: number): number => Number(value.toPrecision(3));

const rounded = (runs: readonly number[]): number[] => runs.map(round);

export interface Subject {
  readonly case: string;
  readonly unit: string;
  readonly runs: readonly number[];
  readonly note?: string | undefined;
}

/** `peer`: its name and its runs; without runs, `absent` says why ("not installed"). */
export function compared(
  subject: Subject,
  peer: { name: string; runs: readonly number[]; absent?: string | undefined } | null,
  ratioOf: Ratio = ratioOfMedians,
): Result {
  const value = median(subject.runs);
  const peerValue = peer === null ? null : median(peer.runs);
  const ratio = peer === null ? null : ratioOf(subject.runs, peer.runs);
  const notes = [subject.note, peer?.absent === undefined ? undefined : `${peer.name}: ${peer.absent}`];
  const note = notes.filter((part) => part !== undefined).join("; ");
  return {
    case: subject.case,
    value: value === null ? null : round(value),
    unit: subject.unit,
    runs: rounded(subject.runs),
    peer: peer?.name ?? null,
    peerValue: peerValue === null ? null : round(peerValue),
    peerRuns: rounded(peer?.runs ?? []),
    ratio: ratio === null ? null : round(ratio),
    ...(note === "" ? {} : { note }),
  };
}

export function table({ name, machine, results }: Report): string {
  const { cpu, cpus, kernel, node, congestion, load, pinning, flags } = machine;
  const head = ["case", "kindred", "unit", "peer", "", "ratio", "runs (kindred | peer)"];
  const number = (value: number | null) => (value === null ? "–" : String(value));
  const rows = results.map(({ case: title, value, unit, peer, peerValue, ratio, runs, peerRuns, note }) => {
    const all = peerRuns.length > 0 ? `${runs.join(" ")} | ${peerRuns.join(" ")}` : runs.join(" ");
    return [
      title,
      number(value),
      unit,
      peer ?? "",
      peer ? number(peerValue) : "",
      ratio ? `${ratio}×` : "",
      note ?? all,
    ];
  });
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)));
  const lines = [head, ...rows].map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd(),
  );
  return [
    `${name}: ${cpus} × ${cpu}, Linux ${kernel}, TCP ${congestion}, Node ${node}, load ${load} at the start`,
    `pinning: ${pinning}`,
    `V8 flags: ${flags}`,
    "",
    ...lines,
  ].join("\n");
}
