/** What is longer than the terminal is wide. */
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import t from "tap";
import { wrapped } from "../../tools/replay/wrap.ts";

t.test("a long line goes on further in, broken at a blank", async (t) => {
  const line = `     remedy: ${"word ".repeat(10)}end`;
  t.equal(
    wrapped(`${line}\nshort\n`, 40),
    "     remedy: word word word word word\n         word word word word word end\nshort\n",
  );
});

t.test("a coloured line goes on as far in as one without colour", async (t) => {
  const line = `     remedy: ${"word ".repeat(5)}end`;
  t.equal(
    wrapped(`\u001b[2m${line}\u001b[0m`, 40),
    "\u001b[2m     remedy: word word word word word\n         end\u001b[0m",
  );
});

t.test("a word longer than the terminal is broken where the terminal ends, and colours take no room", async (t) => {
  t.equal(wrapped(`  ${"x".repeat(60)}`, 40), `  ${"x".repeat(38)}\n      ${"x".repeat(22)}`);
  const red = (text: string) => `\u001b[31m${text}\u001b[0m`;
  t.equal(wrapped(red("x".repeat(40)), 40), red("x".repeat(40)));
});

t.test("nothing is broken where nobody knows how wide, or where it is too narrow", async (t) => {
  const line = "word ".repeat(50);
  t.equal(wrapped(line, undefined), line);
  t.equal(wrapped(line, 20), line);
});

t.test("property: no line is longer than the terminal is wide, and no word is lost", async () => {
  const piece = fc.oneof(
    fc.constantFrom(" ", "   ", "\n", "\u001b[1m", "\u001b[0m", "😀"),
    fc.string({ unit: "grapheme-ascii" }),
  );
  const text = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(text, fc.integer({ min: 40, max: 100 }), (said, width) => {
      const lines = wrapped(said, width).split("\n");
      const solid = (line: string) => line.replaceAll(/\s/gu, "");
      const fits = lines.every((line) => [...stripVTControlCharacters(line).trimEnd()].length <= width);
      return fits && solid(lines.join("")) === solid(said);
    }),
  );
});
