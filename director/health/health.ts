/**
 * The checks of a running configuration: which realservers are asked, and what becomes of what is found.
 *
 *   configuration -> targets -> Watch (asks, counts) -> mark at the path, events, flows cut where that is said
 */
import { isDeepStrictEqual } from "node:util";
import type { Config } from "../config.ts";
import type { Operated } from "../control/operated.ts";
import type { Log } from "../log.ts";
import type { Check, Verdict } from "./check.ts";
import { checks } from "./checks.ts";
import { Gate } from "./gate.ts";
import { targetsOf } from "./targets.ts";
import { Watch } from "./watch.ts";

/** Checks that run at the same time. */
const MOST = 64;

export interface HealthOptions {
  readonly path: Pick<Operated, "mark" | "drop">;
  readonly log: Log;
  /** Those by protocol, unless told otherwise. */
  readonly ask?: Check;
  readonly random?: () => number;
}

export class Health {
  readonly #path: HealthOptions["path"];
  readonly #log: Log;
  readonly #ask: Check;
  readonly #random: () => number;
  readonly #gate = new Gate(MOST);
  #watches = new Map<string, Watch>();
  #started = false;
  #stopped = false;

  constructor({ path, log, ask, random = Math.random }: HealthOptions) {
    this.#path = path;
    this.#log = log;
    this.#ask = ask ?? ((target, signal) => checks[target.check.kind](target, signal));
    this.#random = random;
  }

  /** Nobody is asked before: what checks run may not do more than the director itself in the end. Once. */
  start(): void {
    this.#started = true;
    for (const watch of this.#watches.values()) watch.start();
  }

  /**
   * Asks whom `config` says from now on. Who is asked as before goes on as if nothing had been; who is asked in another
   * way keeps its condition until that says otherwise; who is not asked any more is up.
   */
  async follow(config: Config): Promise<void> {
    if (this.#stopped) return;
    const before = this.#watches;
    const after = new Map<string, Watch>();
    for (const target of targetsOf(config)) {
      const key = `${target.service} ${target.realserver}`;
      const watch = before.get(key);
      before.delete(key);
      if (watch !== undefined && isDeepStrictEqual(watch.target, target)) {
        after.set(key, watch);
        continue;
      }
      watch?.stop();
      after.set(key, this.#watch(target, watch?.up ?? target.check.initially === "up"));
    }
    this.#watches = after;
    for (const watch of before.values()) watch.stop();
    // All at once: each waits until the kernel has it, which for many together takes no longer than for one.
    const changes = [...before.values()].map(({ target }) => this.#mark(target, true));
    for (const { target, up } of after.values()) if (!up) changes.push(this.#mark(target, false));
    await Promise.all(changes);
  }

  /** No check outlives it. Marks stay as they are. */
  stop(): void {
    this.#stopped = true;
    for (const watch of this.#watches.values()) watch.stop();
    this.#watches.clear();
  }

  #watch(target: Watch["target"], up: boolean): Watch {
    const one = new Watch(target, up, {
      ask: this.#ask,
      gate: this.#gate,
      random: this.#random,
      changed: (watch, reason) => {
        this.#changed(watch, reason).catch((error: Error) => {
          if (!this.#stopped) this.#log("error", "mark-failed", { ...aboutOf(watch), reason: error.message });
        });
      },
      hindered: ({ target: { service, realserver } }, reason) => {
        this.#log("warn", "check-hindered", { service, realserver, reason });
      },
      broken: (watch, error) => {
        this.#log("error", "check-broken", { ...aboutOf(watch), reason: kindOf(error) });
      },
    });
    if (this.#started) one.start();
    return one;
  }

  async #changed(watch: Watch, reason: Verdict): Promise<void> {
    const { target, up } = watch;
    const { service, realserver, check } = target;
    const about = aboutOf(watch);
    await this.#mark(target, up);
    if (up) return this.#log("info", "realserver-up", about);
    const cut = check.onFailure === "drop" ? { cut: await this.#path.drop({ service, realserver }) } : {};
    this.#log("warn", "realserver-down", { ...about, reason, ...cut });
  }

  async #mark({ service, realserver }: Watch["target"], up: boolean): Promise<void> {
    await this.#path.mark(service, realserver, up);
  }
}

const aboutOf = ({ target: { service, realserver, check } }: Watch) => ({ service, realserver, check: check.kind });

/** An errno or Node's name for it, else its class: its message may have words of what was received. */
const kindOf = (error: unknown): string =>
  error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.name) : typeof error;
