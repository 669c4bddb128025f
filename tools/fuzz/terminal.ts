/** What the commands of the fuzzer share: where they write, how they end, and how they are stopped. */
export interface Io {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
}

/** Exit statuses. */
export const OK = 0;
export const FOUND = 1;
export const USAGE = 2;

const CLEAR = "\r\u001b[K";

/** Asked for what there is not: `command` says what is wrong. The exit status. */
export function refuse({ stderr }: Io, command: string, problem: string): number {
  stderr.write(`${command}: ${problem}\n`);
  return USAGE;
}

/** At a terminal, in the place of what stood in the last line. */
export function showProgress({ stderr }: Io, text: string): void {
  if (stderr.isTTY === true) stderr.write(`${CLEAR}${text}`);
}

/** The outcome, for machines (`json`) or as `text` for people. */
export function tell<T>({ stdout }: Io, json: boolean | undefined, outcome: T, text: (outcome: T) => string): void {
  stdout.write(json === true ? `${JSON.stringify(outcome, null, 1)}\n` : text(outcome));
}

/** Until it ends; `onStop` is called when somebody at the keyboard, or the system, wants it to end sooner. */
export async function untilStopped<T>(onStop: () => void, work: () => Promise<T>): Promise<T> {
  process.once("SIGINT", onStop).once("SIGTERM", onStop);
  try {
    return await work();
  } finally {
    process.removeListener("SIGINT", onStop).removeListener("SIGTERM", onStop);
  }
}
