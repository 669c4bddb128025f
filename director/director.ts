/** A director from start to end: its path, and how it is operated and loaded again. */
import { problemText } from "./config/problem.ts";
import type { Config } from "./config.ts";
import { Events } from "./control/events.ts";
import { Operator } from "./control/operator.ts";
import { refusalOf } from "./control/refusal.ts";
import { type ControlServer, openControl } from "./control/server.ts";
import { watchFile } from "./control/watch-file.ts";
import type { Datapath } from "./datapath/path.ts";
import { Health } from "./health/health.ts";
import { createLog, type Log } from "./log.ts";
import { findPath, type PathName } from "./paths.ts";
import { tellManager } from "./service-manager.ts";

export interface DirectorOptions {
  /** Instead of the one that the configuration says. */
  readonly log?: Log;
  readonly path?: PathName;
  /** Whether the file is loaded again when it changes, whatever it says itself. */
  readonly watch?: boolean;
}

/** A configured director: the seam between the command line and the path. */
export class Director {
  readonly #config: Config;
  readonly #pathName: PathName;
  readonly #watch: boolean;
  readonly #ownLog: Log | null;
  #log: Log;
  readonly #events = new Events((level, event, fields) => this.#log(level, event, fields));
  #path: Datapath | null = null;
  #operator: Operator | null = null;
  #control: ControlServer | null = null;
  #health: Health | null = null;
  #watcher: { close(): void } | null = null;

  constructor(config: Config, { log, path = "socket", watch = config.watch }: DirectorOptions = {}) {
    this.#config = config;
    this.#pathName = path;
    this.#watch = watch;
    this.#ownLog = log ?? null;
    this.#log = log ?? createLog(config.log);
  }

  async start(): Promise<void> {
    const { log } = this.#events;
    const path = await findPath(this.#pathName)!.open(this.#config, log);
    this.#path = path;
    const { operated } = path;
    const health = operated === null ? null : new Health({ path: operated, log });
    this.#health = health;
    try {
      // First, so that nobody is given a realserver of which nothing is known, where that is to count as down.
      await health?.follow(this.#config);
      await path.start();
    } catch (error) {
      health?.stop();
      throw error;
    }
    const changed = async (config: Config): Promise<void> => {
      this.#log = this.#ownLog ?? createLog(config.log);
      await health?.follow(config);
    };
    const operator = new Operator({ config: this.#config, path, pathName: this.#pathName, log, changed });
    this.#operator = operator;
    try {
      this.#control = await openControl(this.#config.control, { operator, events: this.#events, log });
      this.#events.watched = (watched) => path.watched?.(watched);
      path.confine?.();
    } catch (error) {
      // Else it would go on serving, with nobody to end it.
      this.abort();
      throw error;
    }
    health?.start();
    if (this.#watch) this.#watchFile();
    log("info", "ready", {
      services: this.#config.services.length + this.#config.groups.length,
      ...path.about,
      control: this.#control.at,
      pid: process.pid,
    });
    tellManager("READY=1", log);
  }

  async stop(): Promise<void> {
    tellManager("STOPPING=1", this.#events.log);
    this.#watcher?.close();
    if (this.#operator !== null) this.#operator.draining = true;
    this.#health?.stop();
    await this.#path?.stop();
    this.#control?.close();
    this.#log("info", "stopped", await this.#path?.counts());
  }

  /** Cuts what runs; nobody takes it for whole. */
  abort(): void {
    this.#watcher?.close();
    this.#health?.stop();
    this.#control?.close();
    this.#path?.abort();
  }

  /** Reads the configuration again, and applies it, or says what is wrong with it and changes nothing. */
  async reload(): Promise<void> {
    try {
      await this.#operator?.reload();
    } catch (error) {
      const { body } = refusalOf(error);
      const problems = body.problems?.map(problemText) ?? [`${body.message}; ${body.remedy}`];
      this.#events.log("error", "reload-failed", { reason: body.error, problems });
    }
  }

  /** The kernel has so many watches for each user (fs.inotify.max_user_instances): no reason not to serve. */
  #watchFile(): void {
    const { file } = this.#config;
    try {
      this.#watcher = watchFile(file, () => void this.reload());
    } catch (error) {
      this.#events.log("warn", "not-watched", { file, reason: (error as Error).message });
    }
  }

  /** Until a signal; a second one does not wait for transfers. */
  async run(): Promise<number> {
    // Other commands end when nobody reads on. Whoever read the log may go: that is no reason to drop connections.
    process.stdout.removeAllListeners("error").on("error", () => {});
    process.on("SIGHUP", () => void this.reload());
    // Before anything is begun, and anybody told that it is ready: what has been changed by then is to be taken back.
    const signal = new Promise<void>((resolve) => {
      let signals = 0;
      const signalled = (): void => {
        if (++signals === 1) return resolve();
        this.abort();
        process.exit(1);
      };
      process.on("SIGTERM", signalled).on("SIGINT", signalled);
    });
    await this.start();
    const failure = await Promise.race([signal, this.#path?.failure ?? signal]);
    if (failure instanceof Error) {
      this.#events.log("error", "failed", { reason: failure.message });
      this.abort();
      return 1;
    }
    await this.stop();
    return 0;
  }

  /** What `run` would do, in sentences. */
  async describe(): Promise<number> {
    const lines = await findPath(this.#pathName)!.describe(this.#config);
    process.stdout.write(`${lines.join("\n")}\n${this.#config.file}: correct; nothing was started.\n`);
    return 0;
  }
}
