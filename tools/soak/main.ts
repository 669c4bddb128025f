/** npm run soak -- NAME: long runs by hand; their summaries are kept in fixtures/soak. */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { freePort } from "../demo/realserver.ts";
import { endSandboxesOnSignal } from "../lab/sandbox.ts";
import { type DripOptions, holdsDrip, soakDrip } from "./drip.ts";
import { holdsLoad, type LoadOptions, soakLoad } from "./load.ts";
import { soakReload } from "./reload.ts";

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

const progress = (line: string): void => {
  if (process.stderr.isTTY) console.error(line);
};

async function conclude(summary: object, holds: boolean, file: string | undefined): Promise<void> {
  const text = `${JSON.stringify(summary, null, 2)}\n`;
  console.log(text.trimEnd());
  if (file !== undefined) await writeFile(file, text);
  process.exitCode = holds ? 0 : 1;
}

type Written<Options> = Omit<Options, "progress"> & { readonly write?: string };

const program = new Command("soak").description("long runs, by hand");
program
  .command("reload")
  .description("reloads under transfers that run all the while; exits 1 when one was cut, wrong, or refused")
  .option("--transfers <n>", "each costs the director 4 open files (ulimit -n), client and server 2", Number, 4500)
  .option("--reloads <n>", "how many", Number, 100)
  .option("--write <file>", "where the summary goes")
  .action(async ({ transfers, reloads, write }: { transfers: number; reloads: number; write?: string }) => {
    const summary = await soakReload({
      transfers,
      reloads,
      kindred: here("../kindred.js"),
      server: here("./server.js"),
      port: await freePort("127.0.0.2"),
      progress,
    });
    await conclude(summary, summary.failed === 0 && summary.refused === 0, write);
  });
program
  .command("load")
  .description("new FTP sessions at a steady rate; exits 1 when one failed, or memory was not within 5 %")
  .option("--rate <n>", "sessions a second", Number, 1000)
  .option("--seconds <n>", "how long", Number, 600)
  .option("--warm-up <n>", "seconds of the same before memory is looked at", Number, 60)
  .option("--write <file>", "where the summary goes")
  .action(async ({ write, ...options }: Written<LoadOptions>) => {
    endSandboxesOnSignal();
    const summary = await soakLoad({ ...options, progress });
    await conclude(summary, holdsLoad(summary), write);
  });
program
  .command("drip")
  .description("slow clients beside others; exits 1 when the others' 99th percentile is 20 % higher, or one failed")
  .option("--connections <n>", "slow ones; each costs the director 2 open files (ulimit -n)", Number, 5000)
  .option("--every <seconds>", "from one byte of each to its next", Number, 10)
  .option("--rate <n>", "sessions a second beside them", Number, 500)
  .option("--seconds <n>", "of a turn", Number, 20)
  .option("--rounds <n>", "turns without slow clients, and with them", Number, 5)
  .option("--write <file>", "where the summary goes")
  .action(async ({ write, ...options }: Written<DripOptions>) => {
    endSandboxesOnSignal();
    const summary = await soakDrip({ ...options, progress });
    await conclude(summary, holdsDrip(summary), write);
  });
await program.parseAsync();
