/** `kindred fuzz ftp --against kernel`, at a terminal. */
import { inert } from "../../replay/escape.ts";
import { kernelMissing } from "./namespaces.ts";
import { againstKernel, type KernelSummary, type Row } from "./run.ts";

interface Options {
  readonly against?: string;
  readonly seconds?: number;
  readonly seed?: number;
  readonly json?: boolean;
}

interface Io {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
}

const SECONDS = 30;
const OK = 0;
const FOUND = 1;
const USAGE = 2;
/** Of an example that is shown. */
const SHOWN = 200;
const CLEAR = "\r\u001b[K";

/** The exit status: 1 only where we are wrong, not where the kernel is. */
export async function runAgainstKernel(options: Options, version: string, io: Io): Promise<number> {
  const problem = options.against === "kernel" ? kernelMissing() : `nothing to hold against: "${options.against}"`;
  if (problem !== false) {
    io.stderr.write(`kindred fuzz --against kernel: ${problem}\n`);
    return USAGE;
  }
  let stopped = false;
  const stop = (): void => {
    stopped = true;
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const summary = await againstKernel({
    seed: options.seed ?? Date.now() % 2 ** 31,
    seconds: options.seconds ?? SECONDS,
    version,
    stopped: () => stopped,
    progress: (dialogues, { counts }) => {
      if (io.stderr.isTTY === true)
        io.stderr.write(`${CLEAR}${dialogues} dialogues, ours wrong ${counts["ours-wrong"]}`);
    },
  });
  process.removeListener("SIGINT", stop).removeListener("SIGTERM", stop);
  if (io.stderr.isTTY === true) io.stderr.write(CLEAR);
  io.stdout.write(options.json === true ? `${JSON.stringify(summary, null, 1)}\n` : summaryText(summary));
  return summary.counts["ours-wrong"] === 0 ? OK : FOUND;
}

export function rowText({ class: kind, reason, about, count, example: { segments, end } }: Row): string {
  const text = JSON.stringify(segments);
  const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text;
  return `${kind} (${reason}): ${count} x ${inert(about)}\n  ${inert(shown)}${end === "none" ? "" : ` -> ${end}`}`;
}

function summaryText(summary: KernelSummary): string {
  const { kernel, seed, seconds, dialogues, segments, dropped, agreed, counts, known, differences } = summary;
  const lines = [
    `ftp against nf_conntrack_ftp of Linux ${kernel}, seed ${seed}: ${dialogues} dialogues, ${segments} segments in ${seconds} s`,
    `both let in ${agreed}; kernel too lax ${counts["kernel-too-lax"]}, too strict ${counts["kernel-too-strict"]} (segments dropped: ${dropped}), ours wrong ${counts["ours-wrong"]}`,
    ...known.map(({ name, reproduced }) => `known: ${name}: ${reproduced ? "as it was" : "not so here"}`),
    ...differences.map(rowText),
  ];
  return `${lines.join("\n")}\n`;
}
