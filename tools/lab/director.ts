/** The director as its users start it: a process with a configuration file. */
import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import type { Running, StartOptions } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";

export const KINDRED = fileURLToPath(new URL("../kindred.js", import.meta.url));

export const kindredIsBuilt = (): boolean => existsSync(KINDRED);

export type Event = Readonly<Record<string, unknown>>;

/** Starts one; `start` is the sandbox's own, or a namespace's. Whoever needs it waits until it listens. */
export function startDirector(
  sandbox: Sandbox,
  config: object,
  start: (command: readonly string[], options?: StartOptions) => Running,
  options: StartOptions & { nodeOptions?: readonly string[]; path?: "socket" | "tun" } = {},
): Running {
  const file = sandbox.path("director.yaml");
  writeFileSync(file, stringify(config));
  const { nodeOptions = [], path = "socket", ...rest } = options;
  // Its usual control socket is the machine's: all directors that run at once would have one.
  const environment = { RUNTIME_DIRECTORY: sandbox.directory };
  return start([process.execPath, ...nodeOptions, KINDRED, "run", file, "--path", path], { ...rest, environment });
}

/** The director said that it is ready; it says so at log level `info`. */
export const untilReady = (director: Running): Promise<void> =>
  director.until(() => events(director).some(({ event }) => event === "ready"), "ready");

/** What the director has logged so far: one JSON object a line. */
export function events(director: Running): Event[] {
  const whole = director.stdout.slice(0, director.stdout.lastIndexOf("\n") + 1);
  return whole
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Event);
}

/** How often the realserver at `address` was found to be down, of all services. */
export const downsOf = (director: Running, address: string): number =>
  events(director).filter(({ event, realserver }) => event === "realserver-down" && realserver === address).length;

/** Waits until the director says that it made `count` related entries; throws unless all are of `kind`. */
export async function proveRelated(director: Running, kind: string, count: number): Promise<void> {
  const kinds = () => events(director).flatMap(({ event, kind }) => (event === "related" ? [kind] : []));
  // What it says comes a moment after what it does.
  await director.until(() => kinds().length >= count, `aware of ${count} related entries of kind ${kind}`);
  const strays = kinds().filter((made) => made !== kind);
  if (strays.length > 0)
    throw new Error(`related entries of kind ${kind} expected, also made were ${strays.join(" ")}`);
}

/** Its process, as it says itself. */
export const directorPid = (director: Running): number => {
  const ready = events(director).find(({ event }) => event === "ready");
  return Number(ready!["pid"]);
};
