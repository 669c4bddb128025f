/** What the schema found, in words: at which key, and what to do. */
import type { z } from "zod";
import { nearest } from "./nearest.ts";
import { type Path, pathText, quote } from "./problem.ts";
import type { Report } from "./report.ts";
import { MISSING } from "./schema.ts";

type Issue = z.core.$ZodIssue;

/** Reports the `issues` that `schema` has with `value`. */
export function explain(issues: readonly Issue[], schema: z.ZodType, value: unknown, report: Report): void {
  /** Keys that an unknown key was probably meant to be: they are not missing, they are misspelt. */
  const misspelt = new Set<string>();
  for (const issue of issues) {
    if (issue.code === "unrecognized_keys") unknownKeys(issue, schema, value, report, misspelt);
  }
  for (const issue of issues) {
    const path = issue.path as Path;
    if (issue.code === "unrecognized_keys" || report.isBroken(path) || misspelt.has(pathText(path))) continue;
    explainValue(issue, path, at(value, path), report);
  }
}

function explainValue(issue: Issue, path: Path, found: unknown, report: Report): void {
  if (found === undefined) report.error(path, MISSING, `add ${example(issue, path) ?? "it"}`, "key");
  else if (found === null) report.error(path, "has no value", valueRemedy(example(issue, path)), "key");
  else if (issue.code === "invalid_type") wrongKind(path, issue.expected, found, report);
  else report.error(path, issue.message, remedyOf(issue));
}

const valueRemedy = (shown: string | null): string =>
  shown === null ? "give it one, or remove the line" : `give it one, as in ${shown}, or remove the line`;

function unknownKeys(
  { keys, path }: z.core.$ZodIssueUnrecognizedKeys,
  schema: z.ZodType,
  value: unknown,
  report: Report,
  misspelt: Set<string>,
): void {
  const known = keysAt(schema, path as Path);
  const there = Object.keys((at(value, path as Path) ?? {}) as object);
  for (const key of keys) {
    // What stands there already was not meant a second time.
    const meant = nearest(
      key,
      known.filter((other) => !there.includes(other)),
    );
    if (meant !== null) misspelt.add(pathText([...(path as Path), meant]));
    const remedy = meant === null ? `known here: ${known.join(", ")}` : `did you mean "${meant}"?`;
    report.error([...(path as Path), key], `${quote(key)} is no key here`, remedy, "key");
  }
}

function wrongKind(path: Path, expected: string, found: unknown, report: Report): void {
  const list = expected === "array";
  const remedy = list
    ? "write [ … ], or one item on each line behind a dash"
    : 'write "key: value" lines, indented below it';
  report.error(path, `${kindOf(found)} where a ${list ? "list" : "mapping"} belongs`, remedy);
}

const kindOf = (value: unknown): string => (typeof value === "object" ? quote(value) : `the value ${quote(value)}`);

function remedyOf(issue: Issue): string {
  if (issue.code !== "custom") return "see the example in the README";
  const { remedy } = issue.params ?? {};
  return String(remedy);
}

/** The key as it should be written, with an example of its value. */
function example(issue: Issue, path: Path): string | null {
  const key = path.at(-1);
  const value = issue.code === "custom" ? remedyOf(issue) : EXAMPLES[String(key)];
  return typeof key === "string" && value !== undefined ? `"${key}: ${value}"` : null;
}

/** Of lists, which the schema does not read by itself. */
const EXAMPLES: Readonly<Record<string, string>> = {
  ports: "[tcp/21]",
  command: "[./check-ftp]",
  realservers: "[{ address: 192.168.0.2 }]",
};

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, key) => (inner as Record<string | number, unknown> | null | undefined)?.[key],
    value,
  );
}

/** The keys that `schema` knows at `path`. */
function keysAt(schema: z.ZodType, path: Path): string[] {
  const inner = path.reduce<z.core.$ZodType | undefined>((outer, key) => below(unwrapped(outer), key), schema);
  const def = unwrapped(inner)?._zod.def as { type: string; shape?: object } | undefined;
  return Object.keys(def?.shape ?? {});
}

interface Definition {
  readonly innerType?: z.core.$ZodType;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly element?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
}

const definition = (schema: z.core.$ZodType | undefined): Definition | undefined =>
  schema?._zod.def as Definition | undefined;

/** Without `default` and `optional`. */
function unwrapped(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  const inner = definition(schema)?.innerType;
  return inner === undefined ? schema : unwrapped(inner);
}

const below = (schema: z.core.$ZodType | undefined, key: string | number): z.core.$ZodType | undefined => {
  const { shape, element, valueType } = definition(schema) ?? {};
  return shape?.[key] ?? element ?? valueType;
};
