/** Health checks in a configuration: which kinds there are, and what each takes. */
import { dirname, resolve } from "node:path";
import { type Ms, seconds } from "../../core/units.ts";
import { checkOptions } from "./check-kinds.ts";
import { type Path, quote } from "./problem.ts";
import type { Report } from "./report.ts";
import type { CheckInput, ServiceInput } from "./schema.ts";
import type { CheckConfig } from "./types.ts";

const ALL = [...new Set(Object.values(checkOptions).flatMap(({ needs = [], takes = [] }) => [...needs, ...takes]))];

export function checkCheck(service: Path, { check }: ServiceInput, report: Report): void {
  if (check === undefined) return;
  const path = [...service, "check"];
  if (check.timeout !== undefined && check.timeout > check.interval) {
    report.error([...path, "timeout"], "longer than the interval", "write less, or a longer interval");
  }
  const { needs = [], takes = [] } = checkOptions[check.kind];
  for (const key of ALL) {
    if (check[key] !== undefined && !needs.includes(key) && !takes.includes(key)) {
      report.error([...path, key], `means nothing to a check by ${check.kind}`, "remove it", "key");
    }
  }
  for (const key of needs) {
    if (check[key] === undefined) report.error(path, `a check by ${check.kind} needs ${quote(key)}`, "add it");
  }
  if (check.kind === "script" && check.command !== undefined) {
    checkCommand([...path, "command"], check.command, report);
  }
  if (check.secretFile !== undefined && check.kind === "ftp" && check.login === undefined) {
    report.error([...path, "secretFile"], "a password without a name", 'add "login", or remove it', "key");
  }
}

function checkCommand(path: Path, [program]: readonly string[], report: Report): void {
  if (program === undefined) report.error(path, "names no program", "write its path, and its arguments after it");
  // Nothing is looked for in a list of folders: what runs is what is written.
  else if (!program.includes("/")) report.error([...path, 0], `${quote(program)} is no path`, "write the whole path");
}

const commandOf = ([program, ...rest]: readonly string[], file: string): string[] => [
  resolve(dirname(file), program!),
  ...rest,
];

const TIMEOUT = seconds(3);

/** `file`: of the configuration, from which paths begin. */
export function checkConfig(input: CheckInput, file: string): CheckConfig {
  const { timeout, port, source, login, secretFile, path, host, status, zone, authority, command, ...all } = input;
  return {
    ...all,
    timeout: timeout ?? (Math.min(TIMEOUT, input.interval) as Ms),
    port: port ?? null,
    source: source ?? null,
    login: login ?? null,
    path: path ?? "/",
    host: host ?? null,
    status: status ?? 200,
    zone: zone ?? null,
    authority: authority ?? null,
    command: command === undefined ? null : commandOf(command, file),
    secretFile: secretFile === undefined ? null : resolve(dirname(file), secretFile),
  };
}
