/** `kindred demo` as the command line has it. */
import { Command } from "commander";
import type { DemoOptions } from "../demo.ts";

/** `start`: the director, which the tools do not know. */
export function demoCommand(start: DemoOptions["start"]): Command {
  return new Command("demo")
    .description("the main job on loopback: a director, two embedded FTP servers, transfers in every mode")
    .option("--once", "exit after the transfers: 0 when all were byte-identical, else 1")
    .option("--port <port>", "where the director listens", Number, 2121)
    .action(async ({ once, port }: { once?: boolean; port: number }) => {
      const { runDemo } = await import("../demo.ts");
      const interrupted = new Promise<void>((resolve) => {
        process.once("SIGINT", resolve).once("SIGTERM", resolve);
      });
      const print = (line: string): void => console.log(line);
      process.exitCode = await runDemo({ once: once === true, port, print, start, interrupted });
      // ftp-srv keeps timers of its own running.
      process.exit();
    });
}
