/** The director as its users start it: a process with a configuration file. */
import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import type { Running, StartOptions } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";

export const KINDRED = fileURLToPath(new URL("../kindred.js", import.meta.url));

export const kindredIsBuilt = (): boolean => existsSync(KINDRED);

export type Event = Readonly<Record<string, unknown>>;

/** `start` is the sandbox's own, or a namespace's. */
export async function startDirector(
  sandbox: Sandbox,
  config: object,
  start: (command: readonly string[], options?: StartOptions) => Running,
  options: StartOptions & { nodeOptions?: readonly string[] } = {},
): Promise<Running> {
  const file = sandbox.path("director.yaml");
  writeFileSync(file, stringify(config));
  const { nodeOptions = [], ...rest } = options;
  const director = start([process.execPath, ...nodeOptions, KINDRED, "run", file], rest);
  await director.until(() => events(director).some(({ event }) => event === "ready"), "ready");
  return director;
}

/** What the director has logged so far: one JSON object a line. */
export function events(director: Running): Event[] {
  const whole = director.stdout.slice(0, director.stdout.lastIndexOf("\n") + 1);
  return whole
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Event);
}
