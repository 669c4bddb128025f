/**
 * What the director says while it runs: one event a line, with the fields that its reader would ask for. Payload is
 * never logged, so that no argument of PASS or ACCT can be.
 */
import { pino } from "pino";
import type { Ms } from "../core/units.ts";
import { now as clock } from "./clock.ts";
import { inert } from "./inert.ts";

export type Level = "debug" | "info" | "warn" | "error";
export type Fields = Readonly<Record<string, string | number | boolean | readonly string[] | null | undefined>>;
/** `event`: what happened, in kebab-case. */
export type Log = (level: Level, event: string, fields?: Fields) => void;

export interface LogOptions {
  readonly level: Level | "silent";
  readonly format: "json" | "text";
}

export function createLog({ level, format }: LogOptions, out: NodeJS.WritableStream = process.stdout): Log {
  if (format === "text") return textLog(level, out);
  const options = { base: null, formatters: { level: (label: string) => ({ level: label }) }, timestamp: isoTime };
  const logger = pino({ ...options, level }, out);
  const notices = level === "silent" ? logger : pino({ ...options, level: "info" }, out);
  return (at, event, fields = {}) => (NOTICES.has(event) ? notices : logger)[at]({ event, ...fields });
}

/** What supervisors and scripts wait for: said at every level but silent. */
const NOTICES: ReadonlySet<string> = new Set(["ready", "changed", "stopped"]);

const isoTime = (): string => `,"time":"${new Date().toISOString()}"`;

export const RANK: Readonly<Record<LogOptions["level"], number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };

function textLog(level: LogOptions["level"], out: NodeJS.WritableStream): Log {
  return (at, event, fields = {}) => {
    if (RANK[at] < RANK[level] && (level === "silent" || !NOTICES.has(event))) return;
    const shown = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
    const text = shown.map(([name, value]) => `${name}=${valueText(String(value))}`).join(" ");
    out.write(`${new Date().toISOString()} ${at.padEnd(5)} ${event.padEnd(12)} ${text}\n`);
  };
}

/** A terminal may be what reads it. */
const valueText = (value: string): string => (/^[\w.:,[\]/+-]+$/.test(value) ? value : inert(JSON.stringify(value)));

/** Warnings and errors of one kind in a second: what outsiders can cause must not fill the disk. */
const MOST_A_SECOND = 20;

interface Kind {
  since: Ms;
  lines: number;
}

/**
 * Lets at most so many warnings and errors of one event and reason through in a second, and says how many more there
 * were (`log-limited`) when the second is over: `flush`, called about once a second.
 */
export class LogLimit {
  readonly #log: Log;
  readonly #kinds = new Map<string, Kind>();

  constructor(log: Log) {
    this.#log = log;
  }

  readonly log: Log = (level, event, fields = {}) => {
    const { reason = "" } = fields;
    if (level === "debug" || level === "info" || this.#mayPass(`${event} ${reason}`)) this.#log(level, event, fields);
  };

  flush(at: Ms): void {
    for (const [key, { since, lines }] of this.#kinds) {
      if (at - since < 1000) continue;
      this.#kinds.delete(key);
      if (lines <= MOST_A_SECOND) continue;
      const [of, reason] = key.split(" ");
      this.#log("warn", "log-limited", { of, reason, suppressed: lines - MOST_A_SECOND });
    }
  }

  #mayPass(key: string): boolean {
    const kind = this.#kinds.get(key) ?? { since: clock(), lines: 0 };
    this.#kinds.set(key, kind);
    return ++kind.lines <= MOST_A_SECOND;
  }
}
