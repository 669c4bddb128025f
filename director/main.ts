/** `kindred run`: the director in the foreground. */
import { Command } from "commander";
import { quote, warningText } from "./config/problem.ts";
import { type Config, ConfigError, formatConfigError, loadConfig } from "./config.ts";
import { ControlError } from "./control/server.ts";
import { BackendError } from "./datapath/backend.ts";
import { ListenError } from "./datapath/listeners.ts";
import { PathError } from "./datapath/tun/error.ts";
import { Director } from "./director.ts";
import { keepHeapSteady } from "./heap.ts";
import { HelperError } from "./helpers.ts";
import { findPath, type PathName, pathNames } from "./paths.ts";

/** Exit status when nothing was started because of what the user gave. */
const WRONG_INPUT = 2;

interface RunOptions {
  readonly path: string;
  readonly dryRun?: boolean;
  readonly watch?: boolean;
}

export function runCommand(): Command {
  return new Command("run")
    .description("the director in the foreground: reads CONFIG, listens, relays, until SIGTERM or SIGINT")
    .argument("[config]", "the configuration file", "kindred.yaml")
    .option("--path <path>", `how packets go: ${pathNames.join(", ")} (socket: no privileges)`, "socket")
    .option("--watch", "load the configuration again when its file changes (so does SIGHUP)")
    .option("--dry-run", "check the configuration, say what would be done, and do nothing")
    .action(async (file: string, options: RunOptions) => {
      process.exitCode = await run(file, options);
    });
}

async function run(file: string, { path, dryRun, watch }: RunOptions): Promise<number> {
  if (findPath(path) === null)
    return complain(`kindred run: --path: ${quote(path)} is none; write ${pathNames.join(" or ")}`);
  let config: Config;
  try {
    config = await loadConfig(file, { path: path as PathName });
  } catch (error) {
    if (error instanceof ConfigError) return complain(formatConfigError(error));
    throw error;
  }
  for (const warning of config.warnings) process.stderr.write(`${warningText(warning)}\n`);
  keepHeapSteady();
  try {
    const director = new Director(config, { path: path as PathName, ...(watch === undefined ? {} : { watch }) });
    if (dryRun === true) return await director.describe();
    return await director.run();
  } catch (error) {
    const explained = explain(error, file);
    if (explained === null) throw error;
    return complain(explained);
  }
}

/** What kept it from starting, where that is nothing that is wrong in it. */
function explain(error: unknown, file: string): string | null {
  if (error instanceof BackendError) return `${file}: ${error.message}; ${BACKEND_REMEDY}`;
  if (error instanceof PathError) return `${file}: ${error.message}; ${error.remedy}`;
  if (error instanceof HelperError) return `${file}: ${error.message}`;
  if (error instanceof ControlError) return `${file}: ${error.message}; ${error.remedy}`;
  if (error instanceof ListenError) return `${error.message}; ${error.remedy ?? "nothing was started"}`;
  return null;
}

function complain(text: string): number {
  process.stderr.write(`${text.trimEnd()}\n`);
  return WRONG_INPUT;
}

const BACKEND_REMEDY =
  'write "backend: auto", which takes net where epoll cannot be had; `npm install koffi@3.3.4` where only that is missing';
