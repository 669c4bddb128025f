/** Checks by a program, as keepalived (MISC_CHECK) and ldirectord (checktype=external) run them, as a service's `check`. */
import type { Endpoint } from "../../core/units.ts";

/** As a configuration writes it. */
export interface ScriptCheck {
  readonly kind: "script";
  readonly command: readonly string[];
  readonly interval: string;
  readonly timeout: string;
  readonly rise: number;
  readonly fall: number;
}

/** Seconds; a program that may take longer than its turn comes is given that long. Each finding counts, as there. */
export function scriptCheck(command: readonly string[], interval: number, timeout: number, fall = 1): ScriptCheck {
  const limit = Math.min(timeout, interval);
  return { kind: "script", command, interval: `${interval}s`, timeout: `${limit}s`, rise: 1, fall };
}

/** The words of a command line; null: it needs a shell. */
export const plainWords = (text: string): string[] | null =>
  /["'\\$`;&|<>*?~(){}]/.test(text) ? null : text.split(/\s+/).filter((word) => word !== "");

/** What a command says of its realserver in so many words, it says of each. */
export const ofEach = (words: readonly string[], { address, port }: Pick<Endpoint, "address"> & { port: number }) =>
  words.map((word) => (word === address.toString() ? "{address}" : word === String(port) ? "{port}" : word));
