/** npm run soak -- NAME: long runs by hand; their summaries are kept in fixtures/soak. */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { freePort } from "../demo/realserver.ts";
import { soakReload } from "./reload.ts";

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

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
      progress: (line) => process.stderr.isTTY && console.error(line),
    });
    const text = `${JSON.stringify(summary, null, 2)}\n`;
    console.log(text.trimEnd());
    if (write !== undefined) await writeFile(write, text);
    process.exitCode = summary.failed === 0 && summary.refused === 0 ? 0 : 1;
  });
await program.parseAsync();
