#!/usr/bin/env node
/** The command line: the one place that knows both the director and the tools. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { parseConfig } from "../director/config.ts";
import type { Fields } from "../director/log.ts";
import { Director, runCommand } from "../director/main.ts";
import { type DemoRelated, runDemo } from "./demo.ts";
import { replayCommand } from "./replay.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

const program = new Command("kindred")
  .description("protocol helpers for NAT directors: FTP and its kin through a load balancer, live and in captures")
  .version(version)
  .showHelpAfterError("(kindred --help shows what there is)")
  .addCommand(runCommand())
  .addCommand(replayCommand())
  .addCommand(demoCommand());

function demoCommand(): Command {
  return new Command("demo")
    .description("the main job on loopback: a director, two embedded FTP servers, transfers in every mode")
    .option("--once", "exit after the transfers: 0 when all were byte-identical, else 1")
    .option("--port <port>", "where the director listens", Number, 2121)
    .action(async ({ once, port }: { once?: boolean; port: number }) => {
      const interrupted = new Promise<void>((resolve) => {
        process.once("SIGINT", resolve).once("SIGTERM", resolve);
      });
      const print = (line: string): void => console.log(line);
      process.exitCode = await runDemo({ once: once === true, port, print, start: startDemoDirector, interrupted });
      // ftp-srv keeps timers of its own running.
      process.exit();
    });
}

async function startDemoDirector(text: string, related: (entry: DemoRelated) => void): Promise<Director> {
  const show = (fields: Fields): DemoRelated => fields as unknown as DemoRelated;
  const director = new Director(parseConfig(text, "demonstration"), (_level, event, fields = {}) => {
    if (event === "related") related(show(fields));
  });
  await director.start();
  return director;
}

// `kindred replay … | head`: who reads no further has seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

try {
  await program.parseAsync();
} catch (error) {
  console.error(`kindred: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
