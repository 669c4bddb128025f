/** npm run soak -- NAME: long runs by hand; their summaries are kept in fixtures/soak. */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import { endSandboxesOnSignal } from "../lab/sandbox.ts";
import { type DripOptions, holdsDrip, soakDrip } from "./drip.ts";
import { holdsLoad, type LoadOptions, soakLoad } from "./load.ts";
import { holdsOverload, type OverloadOptions, soakOverload } from "./overload.ts";
import { holdsReload, type ReloadOptions, type ReloadSummary, soakReload } from "./reload.ts";

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

const progress = (line: string): void => {
  if (process.stderr.isTTY) console.error(line);
};

/** `command`'s own options are those of `run`; its summary is printed, kept, and judged by the exit status. */
function soaks<Options, Summary extends object>(
  command: Command,
  run: (options: Options & { readonly progress: typeof progress }) => Promise<Summary>,
  holds: (summary: Summary) => boolean,
): void {
  command
    .option("--write <file>", "where the summary goes")
    .action(async ({ write, ...options }: Options & { readonly write?: string }) => {
      endSandboxesOnSignal();
      const summary = await run({ ...(options as Options), progress });
      const text = `${JSON.stringify(summary, null, 2)}\n`;
      console.log(text.trimEnd());
      if (write !== undefined) await writeFile(write, text);
      process.exitCode = holds(summary) ? 0 : 1;
    });
}

const program = new Command("soak").description("long runs, by hand");

soaks<Pick<ReloadOptions, "path" | "transfers" | "reloads">, ReloadSummary>(
  program
    .command("reload")
    .description("reloads under transfers that run all the while; exits 1 when one was cut, wrong, or refused")
    .addOption(
      new Option("--path <path>", "tun: in namespaces, which needs root").choices(["socket", "tun"]).default("socket"),
    )
    .option("--transfers <n>", "on the socket path each costs the director 4 open files (ulimit -n)", Number, 4500)
    .option("--reloads <n>", "how many", Number, 100),
  (options) => soakReload({ ...options, kindred: here("../kindred.js"), programs: here(".") }),
  holdsReload,
);

soaks<LoadOptions, Awaited<ReturnType<typeof soakLoad>>>(
  program
    .command("load")
    .description("new FTP sessions at a steady rate; exits 1 when one failed, or memory was not within 5 %")
    .option("--rate <n>", "sessions a second", Number, 1000)
    .option("--seconds <n>", "how long", Number, 600)
    .option("--warm-up <n>", "seconds of the same before memory is looked at", Number, 60),
  soakLoad,
  holdsLoad,
);

soaks<DripOptions, Awaited<ReturnType<typeof soakDrip>>>(
  program
    .command("drip")
    .description("slow clients beside others; exits 1 when the others' 99th percentile is 20 % higher, or one failed")
    .option("--connections <n>", "slow ones; each costs the director 2 open files (ulimit -n)", Number, 5000)
    .option("--every <seconds>", "from one byte of each to its next", Number, 10)
    .option("--rate <n>", "sessions a second beside them", Number, 500)
    .option("--seconds <n>", "of a turn", Number, 20)
    .option("--rounds <n>", "turns without slow clients, and with them", Number, 5),
  soakDrip,
  holdsDrip,
);

soaks<OverloadOptions, Awaited<ReturnType<typeof soakOverload>>>(
  program
    .command("overload")
    .description(
      "more sessions than it can carry; exits 1 when far fewer are served than could be, or one is begun in vain",
    )
    .addOption(new Option("--backend <name>", "of the socket path").choices(["net", "epoll"]).default("epoll"))
    .option("--factor <n>", "times what it can carry", Number, 2)
    .option("--seconds <n>", "of each part", Number, 20),
  soakOverload,
  holdsOverload,
);

await program.parseAsync();
