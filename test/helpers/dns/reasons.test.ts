/** Whoever reads a log or a report finds words for each reason, and the README tells of each. */
import { readFile } from "node:fs/promises";
import t from "tap";
import { dns } from "../../../helpers/dns/helper.ts";
import type { HeaderProblem, QuestionProblem } from "../../../helpers/dns/wire.ts";

t.test("each reason of the DNS helper has words", async (t) => {
  const parsers: readonly (HeaderProblem | QuestionProblem)[] = [
    "short-header",
    "cut",
    "bad-pointer",
    "bad-label",
    "long-name",
  ];
  const files = ["helper.ts", "requests.ts"].map((file) => readFile(`helpers/dns/${file}`, "utf8"));
  const quoted = (await Promise.all(files))
    .join()
    .split('"')
    .filter((text) => text.startsWith("not-"));
  for (const code of [...parsers, ...quoted]) t.type(dns.reasons?.[code], "string", code);
  t.ok(quoted.length >= 5);
});

t.test("the README of the helper names each reason", async (t) => {
  const readme = await readFile("helpers/dns/README.md", "utf8");
  for (const code of Object.keys(dns.reasons!)) t.ok(readme.includes(`\`${code}\``), code);
});
