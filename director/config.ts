/**
 * A configuration file becomes a checked, frozen value, or one error that holds everything that is wrong with it:
 *
 *   file -> text -> YAML with places -> schema -> checks -> Config
 *           file.ts  source.ts          schema.ts  service.ts, checks.ts
 */

import { dirname, resolve } from "node:path";
import { helpers as builtIn } from "../helpers/index.ts";
import { checkConfig } from "./config/check.ts";
import { checkControl, checkMarks, checkNames, checkPorts, checkRelated } from "./config/checks.ts";
import { explain } from "./config/explain.ts";
import { isFile, readText } from "./config/file.ts";
import { type Helpers, resolveHelpers } from "./config/helpers.ts";
import { ConfigError } from "./config/problem.ts";
import { Report } from "./config/report.ts";
import {
  type ConfigInput,
  type ControlInput,
  type HelperInput,
  parts,
  type RelatedInput,
  type ServiceInput,
  schema,
} from "./config/schema.ts";
import { checkService, type Entry } from "./config/service.ts";
import { readYaml } from "./config/source.ts";
import type { Config, ConfigOptions, ControlConfig, Document, HelperConfig, ServiceConfig } from "./config/types.ts";

export { ConfigError, formatConfigError } from "./config/problem.ts";
export type * from "./config/types.ts";

/** Throws a `ConfigError`. */
export async function loadConfig(file: string, options: ConfigOptions = {}): Promise<Config> {
  const text = await readText(file);
  const { config, report } = read(text, file, options);
  for (const { name, module } of config.helpers) {
    if (module === null || (await isFile(module))) continue;
    report.error(["helpers", name, "module"], `no file ${module}`, "write its path, from where this file is");
  }
  if (report.problems.length > 0) throw new ConfigError(report.sorted());
  return config;
}

/** `file`: its name in errors, and where paths in it begin. Throws a `ConfigError`. */
export const parseConfig = (text: string, file: string, options: ConfigOptions = {}): Config =>
  read(text, file, options).config;

/** A configuration that was changed since it was read: problems have paths in it, and no lines. */
export function checkDocument(document: Document, file: string, options: ConfigOptions = {}): Config {
  const report = new Report(file);
  return understand(structuredClone(document), file, { ...options, mayBeEmpty: true }, report);
}

function read(text: string, file: string, options: ConfigOptions): { config: Config; report: Report } {
  const report = new Report(file);
  const value = readYaml(text, report);
  if (value === undefined) throw new ConfigError(report.sorted());
  return { config: understand(value, file, options, report), report };
}

function understand(value: unknown, file: string, options: ConfigOptions, report: Report): Config {
  const result = schema.safeParse(value);
  if (!result.success) explain(result.error.issues, schema, value, report);
  const helpers = check(value, file, options, report);
  if (!result.success || report.problems.length > 0) throw new ConfigError(report.sorted());
  return freeze(build(result.data, value as Document, file, helpers, report));
}

/** The parts that the schema takes are checked even where it refuses others. */
function check(value: unknown, file: string, options: ConfigOptions, report: Report): Helpers {
  const { services, groups, helpers: inputs, related, control } = sections(value);
  const entries: Entry[] = [...entriesOf("services", services), ...entriesOf("groups", groups)].filter(
    ({ path }) => !report.holdsBroken(path),
  );
  const helpers = resolveHelpers(helperInputs(inputs), options.helpers ?? builtIn, file, report);
  const context = { report, helpers, datapath: options.path ?? "socket" };
  for (const entry of entries) checkService(entry, context);
  checkNames(entries, report);
  checkPorts(entries, report);
  checkMarks(entries, report);
  const pool = parts.related.safeParse(related ?? {});
  if (pool.success) checkRelated(pool.data, entries, report);
  const operated = parts.control.safeParse(control ?? {});
  if (operated.success) checkControl(operated.data, report);
  const empty = isEmpty(services) && isEmpty(groups) && report.problems.length === 0;
  if (empty && options.mayBeEmpty !== true) {
    report.error([], "serves nothing", 'add "services:", each with a name, a vip, ports and realservers');
  }
  return helpers;
}

const sections = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};

const isEmpty = (list: unknown): boolean => list === undefined || (Array.isArray(list) && list.length === 0);

function entriesOf(section: "services" | "groups", list: unknown): Entry[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item, index) => {
    const result = section === "groups" ? parts.group.safeParse(item) : parts.service.safeParse(item);
    return result.success ? [{ path: [section, index], service: result.data as ServiceInput }] : [];
  });
}

function helperInputs(section: unknown): Map<string, HelperInput | null> {
  const inputs = Object.entries(sections(section)).map(([name, input]) => {
    const result = parts.helper.safeParse(input);
    return [name, result.success ? result.data : null] as const;
  });
  return new Map(inputs);
}

function build(input: ConfigInput, document: Document, file: string, helpers: Helpers, report: Report): Config {
  return {
    file,
    services: input.services.map((service) => serviceConfig(service, helpers, file)),
    groups: input.groups.map((group) => serviceConfig(group, helpers, file)),
    helpers: [...helpers.values()].flatMap((helper): HelperConfig[] => (helper === null ? [] : [helper.config])),
    related: relatedConfig(input.related),
    timeouts: input.timeouts,
    backend: input.backend,
    log: input.log,
    control: input.control === undefined ? null : controlConfig(input.control, file),
    watch: input.watch,
    offload: input.offload,
    document,
    warnings: report.sorted(report.warnings),
  };
}

function serviceConfig(input: ServiceInput, helpers: Helpers, file: string): ServiceConfig {
  const resolved = (input.helper === undefined ? null : helpers.get(input.helper)) ?? null;
  const transport = resolved?.transport ?? null;
  const controlPorts = (resolved?.config.ports ?? []).filter((port) =>
    input.ports.some((range) => {
      const spoken = transport === null || transport === range.transport;
      return spoken && port >= range.first && port <= range.last;
    }),
  );
  const { name, vip, ports, scheduler } = input;
  return {
    name,
    vip,
    ports,
    helper: resolved?.config ?? null,
    controlPorts,
    scheduler,
    persistence: input.persistence ?? NOT,
    persistenceNetmask: input.persistenceNetmask ?? null,
    mark: input.mark ?? null,
    originates: input.originates,
    check: input.check === undefined ? null : checkConfig(input.check, file),
    realservers: input.realservers.map((realserver) => ({
      ...realserver,
      port: realserver.port ?? null,
      passivePorts: realserver.passivePorts ?? null,
    })),
  };
}

const NOT = 0 as ServiceConfig["persistence"];
/** Listeners kept open, where nothing is said of it and the pool is not smaller. */
const STANDING = 256;

function relatedConfig({ ports, standing, perClient, total }: RelatedInput): Config["related"] {
  const room = ports === undefined ? STANDING : ports.last - ports.first + 1;
  return { ports: ports ?? null, standing: standing ?? Math.min(STANDING, room), perClient, total };
}

/** Only who runs it may operate it. */
const PRIVATE = 0o600;

function controlConfig({ cert, key, ...input }: ControlInput, file: string): ControlConfig {
  const path = (text: string | undefined): string | null => (text === undefined ? null : resolve(dirname(file), text));
  const { socket, mode = PRIVATE, tcp = null, hosts, anonymous } = input;
  return {
    socket: socket === "none" ? socket : path(socket),
    mode,
    tcp,
    tokenFile: path(input.tokenFile),
    tls:
      cert === undefined || key === undefined
        ? null
        : { cert: path(cert)!, key: path(key)!, clientCa: path(input.clientCa) },
    hosts,
    anonymous,
  };
}

/** Through and through; addresses are immutable by themselves. */
function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) {
    Object.values(value).forEach(freeze);
    Object.freeze(value);
  }
  return value;
}
