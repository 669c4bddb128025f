#!/usr/bin/env node
/** The command line: the one place that knows both the director and the tools. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import type { Fields } from "../director/log.ts";
import type { Director } from "../director/main.ts";
import type { DemoRelated } from "./demo.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

/** Each is loaded when it is asked for: the director's configuration alone takes longer than reading a capture. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import("../director/main.ts")).runCommand(),
  replay: async () => (await import("./replay.ts")).replayCommand(),
  plan: async () => (await import("../director/plan/command.ts")).planCommand(),
  demo: async () => demoCommand(),
};

const asked = process.argv[2] ?? "";
const program = new Command("kindred")
  .description("protocol helpers for NAT directors: FTP and its kin through a load balancer, live and in captures")
  .version(version)
  .showHelpAfterError("(kindred --help shows what there is)");
for (const name of asked in COMMANDS ? [asked] : Object.keys(COMMANDS)) program.addCommand(await COMMANDS[name]!());

function demoCommand(): Command {
  return new Command("demo")
    .description("the main job on loopback: a director, two embedded FTP servers, transfers in every mode")
    .option("--once", "exit after the transfers: 0 when all were byte-identical, else 1")
    .option("--port <port>", "where the director listens", Number, 2121)
    .action(async ({ once, port }: { once?: boolean; port: number }) => {
      const { runDemo } = await import("./demo.ts");
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
  const [{ parseConfig }, { Director }] = await Promise.all([
    import("../director/config.ts"),
    import("../director/main.ts"),
  ]);
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
