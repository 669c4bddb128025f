/**
 * YAML 1.2 text to plain values, with the place of each. Of YAML only mappings, lists and scalars are taken: no aliases
 * (a few lines of them can stand for gigabytes), no tags, no merge keys, one document, each key once.
 */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Pair,
  parseDocument,
  visit,
  type YAMLError,
  type YAMLMap,
} from "yaml";
import { DEEPEST, tooDeep } from "./depth.ts";
import { type Path, quote } from "./problem.ts";
import type { Report } from "./report.ts";

const LONGEST = 1024 * 1024;

/** The document's value, or undefined when there is none to look at; problems are in `report`. */
export function readYaml(text: string, report: Report): unknown {
  report.lines.addNewLine(0);
  if (text.length > LONGEST) {
    report.errorAt(0, "longer than 1 MiB", "give the configuration itself, not data");
    return undefined;
  }
  const deep = tooDeep(text);
  if (deep !== null) {
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) report.lines.addNewLine(at + 1);
    report.errorAt(deep, `more than ${DEEPEST} levels deep`, "no configuration is; see the example in the README");
    return undefined;
  }
  report.lines.lineStarts.length = 0;
  const document = parseDocument(text, { lineCounter: report.lines, prettyErrors: false, schema: "core" });
  explainSyntax(document, report);
  if (document.errors.some(({ code }) => code !== "DUPLICATE_KEY")) return undefined;
  if (document.directives?.yaml.version !== "1.2") {
    report.errorAt(0, "a %YAML directive", "remove it: the configuration is YAML 1.2");
    return undefined;
  }
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    report.errorAt(0, "is empty", 'begin with "services:"; see the example in the README');
    return undefined;
  }
  return plain(document.contents, [], report);
}

/** What the parser says, said to people: code, what is wrong (absent: in its own words), what to do. */
const SYNTAX: Readonly<Record<string, readonly [message: string | null, remedy: string]>> = {
  TAB_AS_INDENT: ["a tab as indentation", "indent with spaces"],
  DUPLICATE_KEY: ["the same key a second time", "keep one of the two"],
  MULTIPLE_DOCS: ["a second document", 'remove the "---" or "..." and what follows it'],
  BAD_SCALAR_START: [null, "put the value in quotes"],
  BLOCK_AS_IMPLICIT_KEY: ["a colon within a value", 'put a value that has ": " in it, or ends in a colon, in quotes'],
  MULTILINE_IMPLICIT_KEY: ["a key without a value", 'write "key: value", with a space after the colon'],
  MISSING_CHAR: [null, "add the missing dash, comma, or the space after a colon"],
  BAD_INDENT: [null, "give all keys of a mapping, and all dashes of a list, the same column"],
};

/** Of syntax errors the first only: the others mostly follow from it. */
function explainSyntax(document: Document, report: Report): void {
  const [syntax] = document.errors.filter(({ code }) => code !== "DUPLICATE_KEY");
  for (const error of document.errors) {
    if (error.code !== "DUPLICATE_KEY" && error !== syntax) continue;
    const open = openedBefore(document, error);
    if (open !== null) {
      report.errorAt(open, "not YAML: opened here, and never closed", "add the closing bracket or quote");
      continue;
    }
    const [message, remedy] = SYNTAX[error.code] ?? [null, "look at the indentation, the colons and the quotes here"];
    report.errorAt(error.pos[0], `not YAML: ${message ?? error.message}`, remedy);
  }
}

/** Where the bracket or quote stands whose end `error` misses; the parser notices at the end of the text, perhaps. */
function openedBefore(document: Document, { message, pos: [noticed] }: YAMLError): number | null {
  if (!/^(Flow (map|sequence) in block|Missing closing)/.test(message)) return null;
  let opened: number | null = null;
  visit(document, (_, node) => {
    if (!isNode(node) || !node.range || node.range[0] >= noticed) return;
    const quoted = isScalar(node) && node.type?.startsWith("QUOTE");
    if (quoted === true || (isCollection(node) && node.flow === true)) opened = node.range[0];
  });
  return opened;
}

function plain(node: unknown, path: Path, report: Report): unknown {
  if (node === null || node === undefined) return null; // `- ` or `key:` with nothing behind it
  const { range, tag } = node as { range?: [number, number, number] | null; tag?: string };
  if (range) report.locate(path, "value", range[0]);
  if (isAlias(node)) return refuse(path, report, `*${node.source} is an alias`, "write out what it stands for");
  if (tag)
    return refuse(path, report, `${tag.replace("tag:yaml.org,2002:", "!!")} is a tag`, "remove it: values need none");
  if (isSeq(node)) return node.items.map((item, index) => plain(item, [...path, index], report));
  if (isMap(node)) return mapping(node, path, report);
  return isScalar(node) ? node.value : null;
}

function mapping(map: YAMLMap, path: Path, report: Report): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const { key, value } of map.items as Pair[]) {
    const name = isScalar(key) ? key.value : undefined;
    const offset = (key as { range?: [number, number, number] } | null)?.range?.[0] ?? map.range?.[0] ?? 0;
    if (typeof name !== "string" || name === "__proto__" || name === "<<") {
      const shown = name === undefined ? "this" : quote(name);
      report.errorAt(offset, `${shown} is no key`, "remove it: keys are words, and are not merged", path);
      continue;
    }
    if (Object.hasOwn(result, name)) continue; // Reported as DUPLICATE_KEY.
    const below = [...path, name];
    report.locate(below, "key", offset);
    report.locate(below, "value", offset); // Unless it has a value.
    result[name] = plain(value, below, report);
  }
  return result;
}

function refuse(path: Path, report: Report, message: string, remedy: string): undefined {
  report.error(path, message, remedy);
  report.break(path);
}
