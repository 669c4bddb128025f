#!/usr/bin/env node
/** The command line: the one place that knows both the director and the tools. */
import type { Command } from "commander";
import type { Director } from "../director/director.ts";
import type { Fields, Level } from "../director/log.ts";
import { replayFor } from "./compiled.ts";
import type { DemoRelated } from "./demo.ts";
import { plainWords } from "./replay/words.ts";
import type { ReplayOptions } from "./replay.ts";

/** The command line as people write it, with its help and all that may be wrong with it. */
async function runCommand(): Promise<void> {
  const unwritten = ({ code, message }: NodeJS.ErrnoException): number => {
    // `kindred … | head`: who reads no further has seen enough.
    if (code === "EPIPE") return 0;
    console.error(`kindred: standard output: ${message}`);
    return 1;
  };
  process.stdout.on("error", (error) => process.exit(unwritten(error)));
  // Who shows help ends the process in the moment of writing it, before Node would tell that it found no room.
  process.on("exit", (status) => {
    const { errored } = process.stdout;
    if (status === 0 && errored !== null) process.exitCode = unwritten(errored);
  });
  const [{ Command }, { readFileSync }] = await Promise.all([import("commander"), import("node:fs")]);
  /** Each is loaded when it is asked for: the director's configuration alone takes longer than reading a capture. */
  const commands: Readonly<Record<string, () => Promise<Command>>> = {
    run: async () => (await import("../director/main.ts")).runCommand(),
    replay: async () => (await import("./replay/command.ts")).replayCommand(runReplay),
    config: async () => (await import("../director/config/command.ts")).configCommand(),
    ctl: async () => (await import("../director/ctl/command.ts")).ctlCommand(),
    top: async () => (await import("../director/ctl/top/command.ts")).topCommand(),
    plan: async () => (await import("../director/plan/command.ts")).planCommand(),
    doctor: async () =>
      (await import("../director/doctor/command.ts")).doctorCommand(async (file) =>
        (await import("./replay/found.ts")).foundIn(file),
      ),
    fuzz: async () => (await import("./fuzz.ts")).fuzzCommand(),
    import: async () => (await import("../director/ipvs/command.ts")).importCommand(),
    demo: async () => (await import("./demo/command.ts")).demoCommand(startDemoDirector),
    completion: async () =>
      (await import("./completion.ts")).completionCommand(async () =>
        Promise.all(Object.entries(commands).flatMap(([name, load]) => (name === "completion" ? [] : [load()]))),
      ),
  };
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  const asked = process.argv[2] ?? "";
  const program = new Command("kindred")
    .description("protocol helpers for NAT directors: FTP and its kin through a load balancer, live and in captures")
    .version(version)
    .showHelpAfterError("(kindred --help shows what there is)");
  for (const name of Object.hasOwn(commands, asked) ? [asked] : Object.keys(commands)) {
    program.addCommand(await commands[name]!());
  }
  endsWrongInput(program);
  await program.parseAsync(asked === "ctl" ? await withIpvsWords(process.argv) : process.argv);
}

/** As for a file that is wrong: nothing was done because of what was given. */
const WRONG_INPUT = 2;

/** commander ends with 1 where a word is wrong, which is what a director that refuses ends with. */
function endsWrongInput(command: Command): void {
  command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : WRONG_INPUT));
  for (const below of command.commands) endsWrongInput(below);
}

async function withIpvsWords([node, kindred, ctl, ...args]: readonly string[]): Promise<readonly string[]> {
  return [node!, kindred!, ctl!, ...(await import("../director/ctl/commands/ipvs.ts")).withIpvsWords(args)];
}

/** Compiled, where it was built. */
async function runReplay(files: readonly string[], options: ReplayOptions): Promise<number> {
  const replay = replayFor() ?? (await import("./replay.ts"));
  return replay.runReplay(files, options);
}

async function startDemoDirector(text: string, related: (entry: DemoRelated) => void): Promise<Director> {
  const [{ parseConfig }, { Director }] = await Promise.all([
    import("../director/config.ts"),
    import("../director/director.ts"),
  ]);
  const show = (fields: Fields): DemoRelated => fields as unknown as DemoRelated;
  const log = (_level: Level, event: string, fields: Fields = {}): void => {
    if (event === "related") related(show(fields));
  };
  const director = new Director(parseConfig(text, "demonstration"), { log });
  await director.start();
  return director;
}

async function main(): Promise<void> {
  const [asked, ...words] = process.argv.slice(2);
  const plain = asked === "replay" ? plainWords(words) : null;
  if (plain === null) return runCommand();
  process.exitCode = await runReplay(plain.files, plain.options);
  // When there is nothing more to do, at once: Node would wait for V8 to optimize what is never run again, and take down, piece
  // by piece, what the system frees all together.
  if (process.getActiveResourcesInfo().length === 0) process.exit();
  process.once("beforeExit", (status) => process.exit(status));
}

// Not awaited here: a script, which dist/tools/kindred.cjs is, cannot.
main().catch((error: unknown) => {
  console.error(`kindred: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
