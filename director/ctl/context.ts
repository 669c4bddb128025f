/** What every command of `kindred ctl` does: it asks a director, says what came of it, and by its exit status too. */
import { type Command, Option } from "commander";
import { problemText } from "../config/problem.ts";
import type { Plan } from "../control/operator.ts";
import { inert, inertJson } from "../inert.ts";
import { Client, Refused, Unreachable, type Where } from "./client.ts";
import { type Column, coloured, type Format, formats, print } from "./output.ts";

/** Exit statuses beside 0. */
export const EXIT = { refused: 1, wrongInput: 2, unreachable: 3, notDrained: 4 } as const;

type Global = Where & { readonly output: Format; readonly color: boolean };

export interface Context {
  readonly client: Client;
  readonly show: <T>(items: readonly T[], columns: readonly Column<T>[]) => void;
  readonly say: (text: string) => void;
  /** Whole lines, as they are for a program. */
  readonly text: (lines: string) => void;
  readonly note: (text: string) => void;
  readonly json: boolean;
}

/** Where the director is, and who asks. */
export const withWhere = (command: Command): Command =>
  command
    .option("--socket <path>", "its unix socket; default: $KINDRED_SOCKET, or the usual one")
    .option("--url <url>", "instead: over TCP, as in http://127.0.0.1:9421")
    .option("--token-file <file>", "what it must be told there; default: $KINDRED_TOKEN_FILE")
    .option("--ca <file>", "who signed its certificate")
    .option("--cert <file>", "a certificate of one's own")
    .option("--key <file>", "and its key");

/** How what it says is shown. */
export const withOutput = (command: Command): Command =>
  command
    .addOption(new Option("-o, --output <format>", "how lists are shown").choices(formats).default("table"))
    .option("--no-color", "no colours; nor are there any when nobody looks, or NO_COLOR is set");

/** Runs `act`, and tells what went wrong, by its exit status too. */
export function doing<A extends unknown[]>(
  command: Command,
  act: (context: Context, ...args: A) => Promise<number | undefined>,
) {
  return async (...args: A): Promise<void> => {
    try {
      process.exitCode = (await act(contextOf(command.optsWithGlobals<Global>()), ...args)) ?? 0;
    } catch (error) {
      process.exitCode = complain(error);
    }
  };
}

function contextOf({ output, color, ...where }: Global): Context {
  const { stdout, stderr } = process;
  const json = output === "json" || output === "ndjson";
  return {
    client: new Client(where),
    json,
    show: (items, columns) => print(items, columns, output, stdout, color && coloured(stdout, process.env)),
    say: (text) => void stdout.write(`${json ? text : inert(text)}\n`),
    text: (lines) => void stdout.write(stdout.isTTY ? lines.split("\n").map(inert).join("\n") : lines),
    note: (text) => void stderr.write(`${inert(text)}\n`),
  };
}

/** Says on standard error, as `command`, what went wrong; the exit status. What is a bug is thrown on. */
export function complain(error: unknown, command = "ctl"): number {
  const said = (text: string): void => void process.stderr.write(`kindred ${command}: ${inert(text)}\n`);
  if (error instanceof Unreachable) {
    said(error.message);
    return EXIT.unreachable;
  }
  if (error instanceof Refused) {
    const { problems, message, remedy } = error.body;
    const lines = problems?.map(problemText) ?? [`${message}; ${remedy}`];
    for (const line of lines) said(line);
    return error.status === 400 || error.status === 422 ? EXIT.wrongInput : EXIT.refused;
  }
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  said(message);
  return EXIT.wrongInput;
}

/** What changed, a sentence a line; warnings beside it. */
export function tell({ say, note, json }: Context, plan: Plan, dryRun = false): void {
  for (const warning of plan.warnings) note(`warning: ${warning}`);
  for (const kept of plan.kept) note(kept);
  if (json) return say(inertJson(plan, 2));
  for (const change of plan.changes) say(change);
  if (plan.changes.length === 0) say("nothing changes");
  else if (dryRun) say("nothing was changed: this was a dry run");
}
