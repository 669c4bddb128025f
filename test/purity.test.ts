/**
 * core/ and helpers/ are one pure machine, the same in every host. Lint says so too; this test keeps it said, and reads
 * the syntax tree, so that a comment may name what the code may not use.
 */
import { readdirSync, readFileSync } from "node:fs";
import t from "tap";
import ts from "typescript";
import { ROOT } from "./root.ts";

const GLOBALS = new Set(
  (
    "RegExp Buffer process performance Date setTimeout setInterval setImmediate queueMicrotask crypto fetch require " +
    "global globalThis console eval Function WeakRef FinalizationRegistry"
  ).split(" "),
);
const OF_MATH = new Set(["random"]);
/** With a regular expression, or a string that is made one. `split`, `replace` and `replaceAll` may have a string. */
const REGULAR = new Set(["match", "matchAll", "search", "test", "exec"]);
const STRINGS_ONLY = new Set(["split", "replace", "replaceAll"]);

/** What `source` uses that core and helpers may not. */
function impurities(name: string, source: string): string[] {
  const file = ts.createSourceFile(name, source, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const at = (node: ts.Node, what: string) => {
    found.push(`${name}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1} ${what}`);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) at(node, "regular expression");
    if (ts.isIdentifier(node) && GLOBALS.has(node.text) && !isName(node)) at(node, node.text);
    if (ts.isImportDeclaration(node) && !(node.moduleSpecifier as ts.StringLiteral).text.startsWith("."))
      at(node, "import");
    if (ts.isCallExpression(node)) for (const what of called(node)) at(node, what);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** The name of a property or a parameter is no use of the global. */
function isName({ parent, text }: ts.Identifier): boolean {
  if (ts.isPropertyAccessExpression(parent))
    return parent.name.text === text && parent.expression.getText() !== "globalThis";
  return (
    (ts.isPropertySignature(parent) || ts.isPropertyAssignment(parent) || ts.isMethodDeclaration(parent)) &&
    parent.name.getText() === text
  );
}

function called({ expression, arguments: [first] }: ts.CallExpression): string[] {
  if (expression.kind === ts.SyntaxKind.ImportKeyword) return ["import()"];
  if (!ts.isPropertyAccessExpression(expression)) return [];
  const method = expression.name.text;
  const of = expression.expression.getText();
  if (of === "Math" && OF_MATH.has(method)) return [`Math.${method}`];
  if (REGULAR.has(method)) return [`.${method}()`];
  const text = first !== undefined && ts.isStringLiteralLike(first);
  return STRINGS_ONLY.has(method) && !text && !of.endsWith("scheduler") ? [`.${method}() of what is no literal`] : [];
}

const sources = ["core", "helpers"].flatMap((folder) =>
  readdirSync(`${ROOT}/${folder}`, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => `${folder}/${name}`),
);

t.test("core/ and helpers/ use no regular expression, no Node, no clock, no timer and no randomness", async (t) => {
  t.ok(sources.length > 50, "the sources are found");
  t.same(
    sources.flatMap((name) => impurities(name, readFileSync(`${ROOT}/${name}`, "utf8"))),
    [],
  );
});

const impure = [
  "const a = /x/;",
  "new RegExp(text);",
  "text.match(pattern);",
  "text.split(pattern);",
  "text.replaceAll(pattern, '');",
  "text.search('x');",
  "Buffer.from('x');",
  "process.nextTick();",
  "Date.now();",
  "Math.random();",
  "setTimeout(() => {}, 1);",
  "globalThis.Date.now();",
  "import { x } from 'node:fs';",
  "import('./x.ts');",
];
for (const source of impure) {
  t.test(`seen: ${source}`, async (t) => {
    t.not(impurities("x.ts", source).length, 0);
  });
}

t.test("not seen where it is only a name, or text", async (t) => {
  t.same(
    impurities("x.ts", "// Buffer, /x/\nconst a = { process: 1 }; a.process; 'Date'; 'x'.split(','); Math.max(1, 2);"),
    [],
  );
});
