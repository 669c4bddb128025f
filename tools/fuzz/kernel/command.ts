/** `kindred fuzz ftp --against kernel`, at a terminal. */
import { type Io, showProgress, untilStopped } from "../terminal.ts";
import { type AgainstOptions, runAgainst } from "./against.ts";
import { kernelMissing } from "./namespaces.ts";
import { againstKernel, type KernelSummary } from "./run.ts";

const SECONDS = 30;

/** The exit status. */
export const runAgainstKernel = (options: AgainstOptions, version: string, io: Io): Promise<number> =>
  runAgainst(
    {
      peer: "kernel",
      missing: kernelMissing(),
      hold: (seed) => held(seed, options.seconds ?? SECONDS, version, io),
      lines: linesOf,
    },
    options,
    io,
  );

async function held(seed: number, seconds: number, version: string, io: Io): Promise<KernelSummary> {
  let stopped = false;
  const stop = (): void => {
    stopped = true;
  };
  const summary = await untilStopped(stop, () =>
    againstKernel({
      seed,
      seconds,
      version,
      stopped: () => stopped,
      progress: (dialogues, { counts }) =>
        showProgress(io, `${dialogues} dialogues, ours wrong ${counts["ours-wrong"]}`),
    }),
  );
  showProgress(io, "");
  return summary;
}

function linesOf(summary: KernelSummary): string[] {
  const { kernel, seed, seconds, dialogues, segments, dropped, agreed, counts, known } = summary;
  return [
    `ftp against nf_conntrack_ftp of Linux ${kernel}, seed ${seed}: ${dialogues} dialogues, ${segments} segments in ${seconds} s`,
    `both let in ${agreed}; kernel too lax ${counts["kernel-too-lax"]}, too strict ${counts["kernel-too-strict"]} (segments dropped: ${dropped}), ours wrong ${counts["ours-wrong"]}`,
    ...known.map(({ name, reproduced }) => `known: ${name}: ${reproduced ? "as it was" : "not so here"}`),
  ];
}
