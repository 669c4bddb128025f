/** The helpers that services can name: those built in, with what is configured for them, and those of modules. */
import { dirname, resolve } from "node:path";
import type { Transport } from "../../core/units.ts";
import { name as readName, Wrong } from "./formats.ts";
import { nearest } from "./nearest.ts";
import { quote } from "./problem.ts";
import type { Report } from "./report.ts";
import type { HelperInput } from "./schema.ts";
import type { HelperConfig, KnownHelper } from "./types.ts";

export interface ResolvedHelper {
  readonly config: HelperConfig;
  /** null: known only when its module is loaded. */
  readonly transport: Transport | null;
}

/**
 * By name; null for one whose configuration is wrong, so that nobody who names it is told that it does not exist.
 * `inputs` has null for those that did not pass the schema.
 */
export type Helpers = ReadonlyMap<string, ResolvedHelper | null>;

export function resolveHelpers(
  inputs: ReadonlyMap<string, HelperInput | null>,
  known: readonly KnownHelper[],
  file: string,
  report: Report,
): Helpers {
  const names = known.map(({ name }) => name);
  const resolved = new Map<string, ResolvedHelper | null>();
  for (const helper of known) {
    const input = inputs.get(helper.name);
    const module = input?.module;
    if (module !== undefined) {
      const remedy = `remove "module", or give the helper of ${module} another name`;
      report.error(["helpers", helper.name, "module"], `${quote(helper.name)} is built in`, remedy);
    }
    checkOptions(helper, input ?? null, report);
    const config = configOf(helper.name, null, input ?? null, input?.ports ?? helper.ports);
    resolved.set(
      helper.name,
      input === null ? null : { config, transport: helper.transport === "both" ? null : helper.transport },
    );
  }
  for (const [name, input] of inputs) {
    if (!names.includes(name)) resolved.set(name, fromModule(name, input, names, file, report));
    checkPorts(name, input, report);
  }
  return resolved;
}

function fromModule(
  name: string,
  input: HelperInput | null,
  names: readonly string[],
  file: string,
  report: Report,
): ResolvedHelper | null {
  const path = ["helpers", name];
  const wrong = readName(name);
  if (wrong instanceof Wrong) report.error(path, wrong.message, wrong.remedy, "key");
  if (input === null) return null;
  if (input.module === undefined) {
    const meant = nearest(name, names);
    const remedy =
      meant === null ? `known: ${names.join(", ")}; or add "module: ./${name}-helper.js"` : `did you mean "${meant}"?`;
    report.error(path, `${quote(name)} is no helper`, remedy, "key");
    return null;
  }
  if (input.ports === undefined) {
    report.error([...path, "ports"], "missing for a helper from a module", 'add "ports: [9000]"', "key");
    return null;
  }
  return { config: configOf(name, resolve(dirname(file), input.module), input, input.ports), transport: null };
}

function checkPorts(name: string, input: HelperInput | null, report: Report): void {
  const { ports } = input ?? {};
  if (ports?.length === 0) report.error(["helpers", name, "ports"], "lists no port", "list one, or remove the key");
  ports?.forEach((port, index) => {
    if (ports.indexOf(port) < index) {
      report.error(["helpers", name, "ports", index], `${port} is listed twice`, "remove one of the two");
    }
  });
}

/** What only some helpers can be told. */
function checkOptions({ name, options = {} }: KnownHelper, input: HelperInput | null, report: Report): void {
  const at = ["helpers", name];
  if (input?.primary !== undefined && options.primary === undefined) {
    report.error([...at, "primary"], `${name} has no requests for a primary`, "remove it", "key");
  }
  if (input?.key === undefined) return;
  const { key: known } = options;
  if (known === undefined) {
    report.error([...at, "key"], `${name} schedules by no key`, "remove it", "key");
    return;
  }
  if (input.key.length === 0) report.error([...at, "key"], "lists no name", "list one, or remove the key");
  input.key.forEach((key, index) => {
    if (known.includes(key)) return;
    const meant = nearest(key, known);
    const remedy = meant === null ? `known: ${known.join(", ")}` : `did you mean "${meant}"?`;
    report.error([...at, "key", index], `${quote(key)} is nothing that ${name} can be scheduled by`, remedy);
  });
}

function configOf(
  name: string,
  module: string | null,
  input: HelperInput | null,
  ports: HelperConfig["ports"],
): HelperConfig {
  const {
    strict = false,
    onRefuse = "refuse",
    onFailure = "open",
    limits = {},
    key = null,
    primary = null,
  } = input ?? {};
  const given = Object.entries(limits).filter(([, limit]) => limit !== undefined);
  return { name, module, ports, strict, onRefuse, onFailure, limits: Object.fromEntries(given), key, primary };
}
