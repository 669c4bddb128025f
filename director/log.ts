/**
 * What the director says while it runs: one event a line, with the fields that its reader would ask for. Payload is
 * never logged, so that no argument of PASS or ACCT can be.
 */
import { pino } from "pino";

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
  const logger = pino(
    { level, base: null, formatters: { level: (label) => ({ level: label }) }, timestamp: isoTime },
    out,
  );
  return (at, event, fields = {}) => logger[at]({ event, ...fields });
}

const isoTime = (): string => `,"time":"${new Date().toISOString()}"`;

const RANK: Readonly<Record<LogOptions["level"], number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };

function textLog(level: LogOptions["level"], out: NodeJS.WritableStream): Log {
  return (at, event, fields = {}) => {
    if (RANK[at] < RANK[level]) return;
    const shown = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
    const text = shown.map(([name, value]) => `${name}=${String(value)}`).join(" ");
    out.write(`${new Date().toISOString()} ${at.padEnd(5)} ${event.padEnd(12)} ${text}\n`);
  };
}
