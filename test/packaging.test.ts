/** What is packaged and cannot be run here. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { validate } from "dockerfile-utils";
import t from "tap";
import { ROOT } from "./root.ts";

const containerfile = readFileSync(resolve(ROOT, "packaging", "Containerfile"), "utf8");
const found = (text: string): string[] =>
  validate(text).map(({ range, message }) => `${range.start.line + 1}: ${message}`);

t.test("a linter has nothing to say of the Containerfile, and would have", async (t) => {
  t.same(found(containerfile), []);
  t.match(found(containerfile.replace("ENTRYPOINT", "ENTRY")), [/^23: Unknown instruction: ENTRY/]);
});

t.test("the container runs the program that the package names", async (t) => {
  const { bin } = JSON.parse(readFileSync(resolve(ROOT, "package.json"), "utf8")) as { bin: { kindred: string } };
  t.match(containerfile, `ln -s /usr/lib/kindred/${bin.kindred} /usr/bin/kindred`);
});
