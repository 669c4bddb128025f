/** `kindred doctor` as its users run it, on a host of a farm. */
import { KINDRED } from "./director.ts";
import { run } from "./process.ts";
import type { Host } from "./topology.ts";

interface Report {
  readonly findings: readonly { readonly code: string; readonly what: string }[];
}

/** What is found on a host, by code. */
export async function doctor(
  host: Host,
  file: string,
  role: string,
  ...more: readonly string[]
): Promise<Map<string, string>> {
  const words = [process.execPath, KINDRED, "doctor", file, "--host", role, ...more, "--json"];
  const { status, stdout, stderr } = await run(words, { namespace: host.name });
  if (status !== 0 && status !== 1) throw new Error(`doctor on the ${role}: status ${status}\n${stderr}`);
  const { findings } = JSON.parse(stdout) as Report;
  if ((status === 0) !== (findings.length === 0)) throw new Error(`status ${status}, ${findings.length} findings`);
  return new Map(findings.map(({ code, what }) => [code, what]));
}

/** Throws unless `code` is, or is not, among what was found. */
export function expectFound(found: ReadonlyMap<string, string>, code: string, there: boolean, who: string): void {
  if (found.has(code) !== there)
    throw new Error(`the ${who} finds ${codesOf(found)}; ${code} ${there ? "is missing" : "stays"}`);
}

export const codesOf = (found: ReadonlyMap<string, string>): string => [...found.keys()].join(", ") || "nothing";
