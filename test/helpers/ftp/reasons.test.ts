/** Whoever reads a log or a report finds words for each reason, and the README tells of each. */
import { readFile } from "node:fs/promises";
import t from "tap";
import { reasonText } from "../../../core/helper/reasons.ts";
import { ftp } from "../../../helpers/ftp/helper.ts";

/** The kebab-case and one-word codes that stand between double quotes as the argument of `pattern`. */
async function codesIn(files: readonly string[], calls: readonly string[]): Promise<string[]> {
  const found = new Set<string>();
  for (const file of files) {
    const text = await readFile(`helpers/ftp/${file}`, "utf8");
    for (const call of calls) {
      for (const rest of text.split(call).slice(1)) found.add(rest.slice(0, rest.indexOf('"')));
    }
  }
  return [...found].sort();
}

t.test("each fault, note and refusal of the FTP helper has words", async (t) => {
  const files = ["helper.ts", "commands.ts", "replies.ts", "dialogue.ts"];
  const codes = await codesIn(files, ['fault("', 'note("', 'refuse("', 'objection: "', '#close("']);
  t.ok(codes.length >= 8, codes.join(", "));
  for (const code of codes) t.not(reasonText(ftp, code), code, code);
});

t.test("the README of the helper names each reason", async (t) => {
  const readme = await readFile("helpers/ftp/README.md", "utf8");
  const notes = ["encrypted", "plain-again"];
  for (const code of Object.keys(ftp.reasons!)) t.ok(notes.includes(code) || readme.includes(`\`${code}\``), code);
});

t.test("a code without words is shown as it is", async (t) => {
  t.equal(reasonText({}, "odd-thing"), "odd-thing");
});
