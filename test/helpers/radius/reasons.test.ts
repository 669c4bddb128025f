/** Whoever reads a log or a report finds words for each reason, and the README tells of each. */
import { readFile } from "node:fs/promises";
import t from "tap";
import { radius } from "../../../helpers/radius/helper.ts";
import type { PacketProblem } from "../../../helpers/radius/wire.ts";

t.test("each reason of the RADIUS helper has words", async (t) => {
  const parsers: readonly PacketProblem[] = ["short-packet", "bad-length", "cut"];
  const source = (
    await Promise.all(["helper.ts", "requests.ts"].map((file) => readFile(`helpers/radius/${file}`, "utf8")))
  ).join();
  const quoted = source.split('"').filter((text) => text.startsWith("not-a-"));
  for (const code of [...parsers, ...quoted]) t.type(radius.reasons?.[code], "string", code);
  t.ok(quoted.length >= 4);
});

t.test("the README of the helper names each reason", async (t) => {
  const readme = await readFile("helpers/radius/README.md", "utf8");
  for (const code of Object.keys(radius.reasons!)) t.ok(readme.includes(`\`${code}\``), code);
});
