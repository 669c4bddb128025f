/** The helpers of a configuration: those that come with Kindred, and others loaded from a module. */
import { pathToFileURL } from "node:url";
import type { Helper } from "../core/helper/api.ts";

/** A module that holds no helper, or cannot be loaded. */
export class HelperError extends Error {
  override readonly name = "HelperError";
}

const TRANSPORTS: readonly string[] = ["tcp", "udp", "both"];

/** A module that has not loaded after this long waits for something that will not come. */
const PATIENCE = 10_000;

/** Loads the helper that `file` exports as `helper`; it must be called `name`, as the configuration does. */
export async function loadHelper(name: string, file: string, patience = PATIENCE): Promise<Helper> {
  let problem: string | null;
  let exported: unknown;
  try {
    exported = (await inTime(import(pathToFileURL(file).href) as Promise<{ helper?: unknown }>, patience)).helper;
    problem = whyNoHelper(name, exported);
  } catch (error) {
    problem = `cannot be loaded: ${error instanceof Error ? error.message : "it threw something that is no Error"}`;
  }
  if (problem !== null) throw new HelperError(`helpers.${name}.module: ${file} ${problem}`);
  return exported as Helper;
}

/** Node would end silently when nothing but an import is waited for. */
async function inTime<T>(loading: Promise<T>, patience: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it was not loaded after ${patience / 1000} s`)), patience);
  });
  return Promise.race([loading, late]).finally(() => clearTimeout(timer));
}

function whyNoHelper(name: string, exported: unknown): string | null {
  if (typeof exported !== "object" || exported === null) return 'has no export "helper"';
  const helper = exported as Partial<Record<keyof Helper, unknown>>;
  if (typeof helper.name !== "string") return "has no name";
  if (helper.name !== name) return `is the helper ${JSON.stringify(helper.name)}: use that name in the configuration`;
  if (!TRANSPORTS.includes(helper.transport as string)) return 'has no transport "tcp", "udp" or "both"';
  if (typeof helper.open !== "function") return "has no function open(connection, settings)";
  if (!Array.isArray(helper.ports)) return "has no list of ports";
  return whyNoLimits(helper.limits);
}

function whyNoLimits(limits: unknown): string | null {
  if (typeof limits !== "object" || limits === null) return "has no limits";
  const wrong = (["pending", "ttl", "hold", "patience"] as const).find((key) => {
    const limit = (limits as Record<string, unknown>)[key];
    return typeof limit !== "number" || !(limit >= 0);
  });
  return wrong === undefined ? null : `has no number limits.${wrong} of 0 or more`;
}
