/** The helpers of a configuration: those that come with Kindred, and others loaded from a module. */
import { pathToFileURL } from "node:url";
import type { Helper } from "../core/helper/api.ts";

/** A module that holds no helper, or cannot be loaded. */
export class HelperError extends Error {
  override readonly name = "HelperError";
}

/** Loads the helper that `file` exports as `helper`; it must be called `name`, as the configuration does. */
export async function loadHelper(name: string, file: string): Promise<Helper> {
  let exported: unknown;
  try {
    exported = ((await import(pathToFileURL(file).href)) as { helper?: unknown }).helper;
  } catch (error) {
    throw new HelperError(`helpers.${name}.module: ${file} cannot be loaded: ${(error as Error).message}`);
  }
  const problem = whyNoHelper(name, exported);
  if (problem !== null) throw new HelperError(`helpers.${name}.module: ${file} ${problem}`);
  return exported as Helper;
}

function whyNoHelper(name: string, exported: unknown): string | null {
  if (typeof exported !== "object" || exported === null) return 'has no export "helper"';
  const helper = exported as Partial<Record<keyof Helper, unknown>>;
  if (helper.name !== name) return `is the helper "${String(helper.name)}": use that name in the configuration`;
  if (helper.transport !== "tcp" && helper.transport !== "udp") return 'has no transport "tcp" or "udp"';
  if (typeof helper.open !== "function") return "has no function open(connection, settings)";
  if (!Array.isArray(helper.ports)) return "has no list of ports";
  return whyNoLimits(helper.limits);
}

function whyNoLimits(limits: unknown): string | null {
  if (typeof limits !== "object" || limits === null) return "has no limits";
  const wrong = (["pending", "ttl", "hold", "patience"] as const).find(
    (key) => !Number.isFinite((limits as Record<string, unknown>)[key]),
  );
  return wrong === undefined ? null : `has no number limits.${wrong}`;
}
