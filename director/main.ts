/** `kindred run`: the director in the foreground. */
import { Command } from "commander";
import { type Config, ConfigError, formatConfigError, loadConfig } from "./config.ts";
import { BackendError } from "./datapath/backend.ts";
import { ListenError } from "./datapath/listeners.ts";
import type { Datapath } from "./datapath/path.ts";
import { PathError } from "./datapath/tun/error.ts";
import { HelperError } from "./helpers.ts";
import { createLog, type Log } from "./log.ts";
import { findPath, type PathKind, type PathName, pathNames } from "./paths.ts";

/** Exit status when nothing was started because of what the user gave. */
const WRONG_INPUT = 2;

interface RunOptions {
  readonly path: string;
  readonly dryRun?: boolean;
}

export function runCommand(): Command {
  return new Command("run")
    .description("the director in the foreground: reads CONFIG, listens, relays, until SIGTERM or SIGINT")
    .argument("[config]", "the configuration file", "kindred.yaml")
    .option("--path <path>", `how packets go: ${pathNames.join(", ")} (socket: no privileges)`, "socket")
    .option("--dry-run", "check the configuration, say what would be done, and do nothing")
    .action(async (file: string, options: RunOptions) => {
      process.exitCode = await run(file, options);
    });
}

async function run(file: string, { path, dryRun }: RunOptions): Promise<number> {
  const kind = findPath(path);
  if (kind === null) return complain(`kindred run: --path ${path}: there is ${pathNames.join(", ")}`);
  let config: Config;
  try {
    config = await loadConfig(file, { path: path as PathName });
  } catch (error) {
    if (error instanceof ConfigError) return complain(formatConfigError(error));
    throw error;
  }
  for (const warning of config.warnings) {
    process.stderr.write(
      `${warning.file}:${warning.line}:${warning.column}: warning: ${warning.message}; ${warning.remedy}\n`,
    );
  }
  try {
    const director = new Director(config, createLog(config.log), kind);
    if (dryRun === true) return await director.describe();
    return await director.run();
  } catch (error) {
    if (error instanceof BackendError) return complain(`${file}: ${error.message}; ${BACKEND_REMEDY}`);
    if (error instanceof PathError) return complain(`${file}: ${error.message}; ${error.remedy}`);
    if (error instanceof HelperError) return complain(`${file}: ${error.message}`);
    if (error instanceof ListenError) return complain(`${error.message}; ${listenRemedy(error)}`);
    throw error;
  }
}

function complain(text: string): number {
  process.stderr.write(`${text.trimEnd()}\n`);
  return WRONG_INPUT;
}

const BACKEND_REMEDY =
  'write "backend: auto", which takes net where epoll cannot be had; `npm install koffi@3.3.4` where only that is missing';

function listenRemedy({ code, at: { address } }: ListenError): string {
  switch (code) {
    case "EACCES":
      return "ports below 1024 need root or CAP_NET_BIND_SERVICE (setcap, or AmbientCapabilities= in the unit)";
    case "EADDRINUSE":
      return "another program listens there: `ss -ltnp` shows which";
    case "EADDRNOTAVAIL":
      return `the VIP must be an address of this host: \`ip address add ${address}/${address.family === 4 ? 32 : 128} dev lo\``;
    default:
      return "nothing was started";
  }
}

/** A configured director: the seam between the command line and the path. */
export class Director {
  readonly #config: Config;
  readonly #log: Log;
  readonly #kind: PathKind;
  #path: Datapath | null = null;

  constructor(config: Config, log: Log = createLog(config.log), kind: PathKind = findPath("socket")!) {
    this.#config = config;
    this.#log = log;
    this.#kind = kind;
  }

  async start(): Promise<void> {
    this.#path = await this.#kind.open(this.#config, this.#log);
    await this.#path.start();
    this.#log("info", "ready", {
      services: this.#config.services.length + this.#config.groups.length,
      ...this.#path.about,
      pid: process.pid,
    });
  }

  async stop(): Promise<void> {
    await this.#path?.stop();
    this.#log("info", "stopped", await this.#path?.counts());
  }

  /** Cuts what runs; nobody takes it for whole. */
  abort(): void {
    this.#path?.abort();
  }

  /** Until a signal; a second one does not wait for transfers. */
  async run(): Promise<number> {
    // Other commands end when nobody reads on. Whoever read the log may go: that is no reason to drop connections.
    process.stdout.removeAllListeners("error").on("error", () => {});
    await this.start();
    const signal = new Promise<void>((resolve) => {
      let signals = 0;
      const signalled = (): void => {
        if (++signals === 1) return resolve();
        this.abort();
        process.exit(1);
      };
      process.on("SIGTERM", signalled).on("SIGINT", signalled);
    });
    const failure = await Promise.race([signal, this.#path?.failure ?? signal]);
    if (failure instanceof Error) {
      this.#log("error", "failed", { reason: failure.message });
      this.abort();
      return 1;
    }
    await this.stop();
    return 0;
  }

  /** What `run` would do, in sentences. */
  async describe(): Promise<number> {
    const lines = await this.#kind.describe(this.#config);
    process.stdout.write(`${lines.join("\n")}\n${this.#config.file}: correct; nothing was started.\n`);
    return 0;
  }
}
